import { isAddressEqual, recoverTypedDataAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { afterEach, expect, it, vi } from 'vitest';
import type { Network } from '../wallet/context';
import type { Signer } from '../wallet/wallet';
import { contribute, review, uploadText, uploadToken } from './uploads';

// The client takes fetch and Request when it is imported, so they are there before.
const wire = vi.hoisted(() => {
  const w: { answer: (request: Request) => Promise<Response> } = { answer: () => Promise.reject(new Error('nothing was to be sent')) };
  globalThis.fetch = (request) => w.answer(request as Request);
  globalThis.Request = class extends Request {
    constructor(input: RequestInfo | URL, init?: RequestInit) {
      super(typeof input === 'string' ? new URL(input, 'http://coordinator') : input, init);
    }
  };
  return w;
});
afterEach(() => {
  vi.restoreAllMocks();
});

const account = privateKeyToAccount(`0x${'11'.repeat(32)}`);
const network = { chain_id: 31337, peer: 'peer-1', contracts: { datanets: `0x${'22'.repeat(20)}` } } as unknown as Network;
const record = (n: number) => `0x${n.toString(16).padStart(64, '0')}`;

function signer() {
  return { account, signMessage: vi.fn(({ message }: { message: string }) => account.signMessage({ message })), signTypedData: vi.fn(account.signTypedData) };
}
type Fake = ReturnType<typeof signer>;
const acts = (s: Fake) => s as unknown as Signer;

interface Sent {
  path: string;
  body: { upload?: string; contributions?: { contribution: { record: string; at: number }; signature: string }[]; reviews?: { review: { record: string; reason?: string }; signature: string }[] };
}

/** A coordinator that takes everything and notes what it was sent. */
function coordinator(): Sent[] {
  const sent: Sent[] = [];
  wire.answer = async (request) => {
    const body = (await request.json()) as Sent['body'];
    sent.push({ path: new URL(request.url).pathname, body });
    const list = [...(body.contributions ?? []).map((c) => c.contribution), ...(body.reviews ?? []).map((r) => r.review)];
    return Response.json({ results: list.map((s) => ({ record: s.record, status: 'pending' })) });
  };
  return sent;
}

it('says who uploads in the words that the coordinator checks', () => {
  expect(uploadText('peer-1', '0xAb', 7)).toBe('Upload files to OpenLedger\ncoordinator: peer-1\naccount: 0xAb\nat: 7');
});

it('signs for uploads once in some minutes', async () => {
  const s = signer();
  const [a, at] = (await uploadToken(network, acts(s))).split(' ');
  expect(a).toBe(account.address);
  expect(Math.abs(Date.now() - Number(at))).toBeLessThan(60_000);
  await uploadToken(network, acts(s));
  expect(s.signMessage).toHaveBeenCalledTimes(1);
});

it('contributes many records of several files with one signature, in requests of a thousand', async () => {
  const sent = coordinator();
  const s = signer();
  const first = Array.from({ length: 1001 }, (_, i) => record(i + 1));
  const progress: number[] = [];
  const results = await contribute(network, acts(s), 3, 'CC0-1.0', [{ upload: 'a', records: first }, { upload: 'b', records: [record(9999)] }], (n) => progress.push(n));
  expect(s.signTypedData).toHaveBeenCalledTimes(1);
  const statement = s.signTypedData.mock.calls[0]?.[0] as unknown as Parameters<typeof recoverTypedDataAddress>[0];
  const batch = sent[0]?.body.contributions?.[0]?.signature ?? '';
  // The batch's signature comes first, then the way to the root.
  const signature = `0x${Buffer.from(batch, 'base64').subarray(0, 65).toString('hex')}` as const;
  expect(isAddressEqual(await recoverTypedDataAddress({ ...statement, signature }), account.address)).toBe(true);
  expect(sent.map((r) => [r.path, r.body.upload, r.body.contributions?.length])).toEqual([
    ['/api/v1/datanets/3/contributions/batch', 'a', 1000],
    ['/api/v1/datanets/3/contributions/batch', 'a', 1],
    ['/api/v1/datanets/3/contributions/batch', 'b', 1],
  ]);
  expect(progress).toEqual([1000, 1001, 1002]);
  expect(results.map((r) => r.record)).toEqual([...first, record(9999)]);
}, 60_000);

it('reviews with one signature, and sends a reason only where there is one', async () => {
  const sent = coordinator();
  const s = signer();
  await review(network, acts(s), 3, [record(1), record(2)], 'rejected', 'blurred');
  await review(network, acts(s), 3, [record(3)], 'accepted', '');
  expect(s.signTypedData).toHaveBeenCalledTimes(2);
  expect(sent[0]?.body.reviews?.map((r) => r.review.reason)).toEqual(['blurred', 'blurred']);
  expect(sent[1]?.body.reviews?.map((r) => 'reason' in r.review)).toEqual([false]);
});
