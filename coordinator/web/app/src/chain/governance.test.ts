import { decodeFunctionData } from 'viem';
import { expect, it } from 'vitest';
import type { Network } from '../wallet/context';
import { delegate, gopenAbi, governorAbi, move, proposalId, propose, unwrap, vote, wrap } from './governance';

const at = (n: number) => `0x${n.toString(16).padStart(40, '0')}` as const;
const network = { contracts: { gopen: at(1), governor: at(2) } } as unknown as Network;
const id = `0xf${'1'.repeat(63)}`;

it('says what is meant, of the whole id', () => {
  const cast = vote(network, id, 'against', 'too much');
  expect(cast.to).toBe(at(2));
  expect(decodeFunctionData({ abi: governorAbi, data: cast.data }).args).toEqual([BigInt(id), 0, 'too much']);
  expect(decodeFunctionData({ abi: governorAbi, data: vote(network, id, 'for', '').data }).args).toEqual([BigInt(id), 1, '']);
  expect(decodeFunctionData({ abi: governorAbi, data: move(network, id, 'queue').data })).toEqual({ functionName: 'queue', args: [BigInt(id)] });
  expect(decodeFunctionData({ abi: governorAbi, data: move(network, id, 'cancel').data })).toEqual({ functionName: 'cancel', args: [BigInt(id)] });
  const calls = [{ to: at(5), value: '7', data: '0x0102' }];
  expect(decodeFunctionData({ abi: governorAbi, data: propose(network, calls, 'A\n\nb').data }).args).toEqual([[at(5)], [7n], ['0x0102'], 'A\n\nb']);
  expect(proposalId(calls, 'A')).not.toBe(proposalId(calls, 'B'));
  const w = wrap(network, 5n);
  expect([w.to, w.value]).toEqual([at(1), 5n]);
  expect(decodeFunctionData({ abi: gopenAbi, data: unwrap(network, 7n).data }).args).toEqual([7n]);
  expect(decodeFunctionData({ abi: gopenAbi, data: delegate(network, at(9)).data }).args).toEqual([at(9)]);
});
