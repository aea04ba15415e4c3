// Files on their way to a datanet: sent with progress, read by the coordinator, then
// contributed with one signature.
import { contract } from '../chain/contract';
import type { Network } from '../wallet/context';
import { base64, type Contribution, domain, type Review, signContributions, signReviews } from '../wallet/typed';
import type { Signer } from '../wallet/wallet';
import { api, ApiError, data, refusal, type Schemas } from './client';

export type Upload = Schemas['Upload'];
export type UploadedRecord = Schemas['UploadedRecord'];
export type BatchResult = Schemas['BatchResults']['results'][number];

/** How long a token is used: the coordinator takes it for five minutes. */
const tokenLasts = 4 * 60_000;
const tokens = new Map<string, { header: string; at: number }>();

/** What an account signs to upload for some minutes: coordinator/api has the same text. */
export function uploadText(coordinator: string, account: string, at: number): string {
  return `Upload files to OpenLedger\ncoordinator: ${coordinator}\naccount: ${account}\nat: ${at}`;
}

/** The header that says who uploads; signed anew when the last signature is old. */
export async function uploadToken(network: Network, signer: Signer): Promise<string> {
  const account = signer.account.address;
  const kept = tokens.get(account);
  if (kept !== undefined && Date.now() - kept.at < tokenLasts) return kept.header;
  const at = Date.now();
  const header = `${account} ${at} ${await signer.signMessage({ message: uploadText(network.peer, account, at) })}`;
  tokens.set(account, { header, at });
  return header;
}

/** Sends one file; `progress` gets the share that is sent. */
export async function sendFile(token: string, datanet: number, file: File, progress: (share: number) => void, stop: AbortSignal): Promise<Upload> {
  const response = await new Promise<Response>((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open('POST', `/api/v1/datanets/${datanet}/uploads?name=${encodeURIComponent(file.name)}`);
    call.setRequestHeader('Content-Type', 'application/octet-stream');
    call.setRequestHeader('OpenLedger-Signed', token);
    call.upload.onprogress = (e) => {
      if (e.lengthComputable) progress(e.loaded / e.total);
    };
    call.onload = () => {
      resolve(new Response(call.responseText, { status: call.status }));
    };
    call.onerror = () => {
      reject(new ApiError('The file did not arrive: the connection broke off. Send it again.', 0, null, 'unavailable'));
    };
    call.onabort = () => {
      reject(new ApiError('You stopped it.', 0, null, 'cancelled'));
    };
    stop.addEventListener('abort', () => {
      call.abort();
    });
    call.send(file);
  });
  if (!response.ok) throw await refusal(response);
  const { uploads } = (await response.json()) as { uploads: Upload[] };
  const [upload] = uploads;
  if (upload === undefined) throw new ApiError('The coordinator took no file.', 0, null, null);
  return upload;
}

/** Every record of an upload. */
export async function recordsOf(token: string, upload: string): Promise<UploadedRecord[]> {
  const out: UploadedRecord[] = [];
  let cursor = '';
  do {
    const page = await data(
      api.GET('/api/v1/uploads/{upload}', {
        params: { path: { upload }, query: { limit: 500, ...(cursor === '' ? {} : { cursor }) }, header: { 'OpenLedger-Signed': token } },
      }),
    );
    out.push(...page.records);
    cursor = page.next;
  } while (cursor !== '');
  return out;
}

/** Statements that go in one request. */
const chunk = 1000;

/** Signs records of uploads with one signature and offers them; gives how each fared. */
export async function contribute(
  network: Network,
  signer: Signer,
  datanet: number,
  license: string,
  files: { upload: string; records: string[] }[],
  progress: (sent: number, all: number) => void,
): Promise<BatchResult[]> {
  const at = Date.now();
  const list = files.flatMap((f) => f.records.map((record) => ({ upload: f.upload, record })));
  const statements: Contribution[] = list.map(({ record }) => ({ datanet, record, contributor: signer.account.address, license, at }));
  const signatures = await signContributions(signer, domain(network.chain_id, contract(network, 'datanets')), statements);
  const out: BatchResult[] = [];
  for (const { upload } of files) {
    const mine = statements.flatMap((contribution, i) => {
      const signature = signatures[i];
      return list[i]?.upload !== upload || signature === undefined ? [] : [{ contribution: contribution as Schemas['Contribution'], signature: base64(signature) }];
    });
    for (let from = 0; from < mine.length; from += chunk) {
      const contributions = mine.slice(from, from + chunk);
      const { results } = await data(api.POST('/api/v1/datanets/{id}/contributions/batch', { params: { path: { id: datanet } }, body: { upload, contributions } }));
      out.push(...results);
      progress(out.length, list.length);
    }
  }
  return out;
}

/** Signs the owner's decisions with one signature and sends them. */
export async function review(network: Network, signer: Signer, datanet: number, records: string[], status: Review['status'], reason: string): Promise<BatchResult[]> {
  const at = Date.now();
  const statements: Review[] = records.map((record) => ({ datanet, record, status, ...(reason === '' ? {} : { reason }), at }));
  const signatures = await signReviews(signer, domain(network.chain_id, contract(network, 'datanets')), statements);
  const out: BatchResult[] = [];
  const signed = statements.flatMap((r, i) => {
    const signature = signatures[i];
    return signature === undefined ? [] : [{ review: r as Schemas['SignedReview']['review'], signature: base64(signature) }];
  });
  for (let from = 0; from < signed.length; from += chunk) {
    const reviews = signed.slice(from, from + chunk);
    const { results } = await data(api.POST('/api/v1/datanets/{id}/reviews/batch', { params: { path: { id: datanet } }, body: { reviews } }));
    out.push(...results);
  }
  return out;
}
