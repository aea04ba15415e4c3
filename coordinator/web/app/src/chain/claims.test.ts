import { decodeFunctionData } from 'viem';
import { expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import type { Network } from '../wallet/context';
import { claimCalls, epochsAbi, settlementAbi } from './claims';

const at = (n: number) => `0x${n.toString(16).padStart(40, '0')}`;
const hash = (n: number) => `0x${n.toString(16).padStart(64, '0')}`;
const network = { contracts: { settlement: at(1), epochs: at(2) } } as unknown as Network;
const huge = '123456789012345678901234567890';

function earned(due: number, waiting: number, epochs: string): Schemas['Earnings'] {
  const one = (i: number, isDue: boolean): Schemas['Earning'] => ({
    claim: { worker: at(9), nonce: i, index: 3, account: at(7), amount: huge, proof: [{ hash: hash(5), sum: huge }] },
    shares: [],
    document: hash(0),
    tx: hash(0),
    claimable_at: 0,
    claimed: false,
    due: isDue,
    status: 'claimable',
    held: false,
  });
  return {
    account: at(7),
    earned: '0',
    claimed: '0',
    claimable: '0',
    waiting: '0',
    earnings: [...Array.from({ length: waiting }, (_, i) => one(1000 + i, false)), ...Array.from({ length: due }, (_, i) => one(i, true))],
    epochs: { epoch: 1, cumulative: huge, claimed: '0', due: epochs, proof: [hash(6)] },
    unreadable: 0,
  };
}

it('claims what is due and nothing else, to the wei', () => {
  const calls = claimCalls(network, earned(401, 3, '5'));
  expect(calls.map((c) => c.to)).toEqual([at(2), at(1), at(1), at(1)]);
  const [epoch, ...many] = calls;
  expect(decodeFunctionData({ abi: epochsAbi, data: epoch?.data ?? '0x' }).args).toEqual([at(7), BigInt(huge), [hash(6)]]);
  const claims = many.flatMap((c) => decodeFunctionData({ abi: settlementAbi, data: c.data }).args[0]);
  expect(claims.map((c) => Number(c.nonce))).toEqual(Array.from({ length: 401 }, (_, i) => i));
  expect(claims[0]).toEqual({ worker: at(9), nonce: 0n, index: 3, account: at(7), amount: BigInt(huge), proof: [{ hash: hash(5), sum: BigInt(huge) }] });
});

it('sends nothing where nothing is due', () => {
  expect(claimCalls(network, earned(0, 5, '0'))).toEqual([]);
});
