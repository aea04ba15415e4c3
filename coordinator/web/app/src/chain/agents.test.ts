import { decodeFunctionData, stringToBytes } from 'viem';
import { expect, it } from 'vitest';
import type { Network } from '../wallet/context';
import { agentsAbi, checkDraft, publish, setActive } from './agents';

const owner = '0x00000000000000000000000000000000000000AA';
const network = { contracts: { agents: '0x00000000000000000000000000000000000000bb' } } as unknown as Network;
// The CID is that of these bytes: sha256sum and base32.
const canonical = `{"base":"0x01","datanets":[{"datanet":1,"version":2}],"format":"openledger/agent/1","instructions":"Hi","name":"poet","owner":"${owner.toLowerCase()}","price":"5"}`;
const cid = 'bafkreiar7ysabngaqdpkeilildyyiwkjifdgfrcw4iqbpc57g37iqsw6pq';
const meant = { name: 'poet', instructions: 'Hi', price: '5', base: '0x01', datanets: [{ version: 2, datanet: 1 }] };

it('signs only what was written', () => {
  const bytes = stringToBytes(canonical);
  checkDraft(meant, owner, bytes, cid);
  checkDraft({ ...meant, owner }, owner, bytes, cid);
  const refused = (m: typeof meant, by: string, b: Uint8Array, name: string) => {
    expect(() => { checkDraft(m, by, b, name); }).toThrow('another manifest');
  };
  refused({ ...meant, price: '6' }, owner, bytes, cid);
  refused({ ...meant, datanets: [] }, owner, bytes, cid);
  refused(meant, '0x00000000000000000000000000000000000000ab', bytes, cid);
  refused(meant, owner, stringToBytes(canonical.replace('Hi', 'Ho')), cid);
  refused({ ...meant, servers: [] } as typeof meant, owner, bytes, cid);
});

it('publishes with a stake, and offers', () => {
  const order = { owner, agent: 0, version: 1, name: 'poet', manifest: cid, price: 5n, deadline: 9 };
  const call = publish(network, order, '0x01', 7n);
  expect(call.value).toBe(7n);
  expect(decodeFunctionData({ abi: agentsAbi, data: call.data }).args).toEqual([{ ...order, agent: 0n, deadline: 9n }, '0x01']);
  expect(decodeFunctionData({ abi: agentsAbi, data: setActive(network, 3, false).data }).args).toEqual([3n, false]);
});
