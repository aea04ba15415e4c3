import { decodeFunctionData } from 'viem';
import { expect, it } from 'vitest';
import type { Network } from '../wallet/context';
import { escrowAbi } from './abi';
import { type Escrow, largestLimit, openEscrow, spendable } from './spending';

const network = { session_key: '0x00000000000000000000000000000000000000aa', contracts: { escrow: '0x00000000000000000000000000000000000000bb' } } as unknown as Network;
const e: Escrow = { held: 10n, available: 8n, reserved: 2n, limit: 100n, spent: 97n, expiry: 1000, withdrawal: null, delay: 60 };

it('spends what is allowed of what is there', () => {
  expect(spendable(e, 999_000)).toBe(3n);
  expect(spendable({ ...e, limit: 1000n }, 999_000)).toBe(8n);
  expect(spendable({ ...e, spent: 101n }, 999_000)).toBe(0n);
  expect(spendable(e, 1_000_000)).toBe(0n);
});

it('opens so that all of it can be spent', () => {
  for (const was of [e, { ...e, spent: 120n }, { ...e, held: 0n, available: 0n, limit: 0n, spent: 0n, expiry: 0 }]) {
    const call = openEscrow(network, was, 5n, 0);
    expect(call.value).toBe(5n);
    const args = decodeFunctionData({ abi: escrowAbi, data: call.data }).args as readonly unknown[];
    const after = { ...was, available: was.available + 5n, limit: args[1] as bigint, expiry: Number(args[2]) };
    expect(spendable(after, 0)).toBe(was.available + 5n);
  }
});

it('puts nothing more aside, and lets what is there be spent', () => {
  const call = openEscrow(network, e, 0n, 0);
  expect(call.value).toBe(0n);
  const { functionName, args } = decodeFunctionData({ abi: escrowAbi, data: call.data });
  expect(functionName).toBe('authorize');
  expect(args[1]).toBe(105n);
});

it('neither shortens what the coordinator may nor asks for more than there is room for', () => {
  const far = 4_000_000_000;
  const call = openEscrow(network, { ...e, limit: largestLimit - 1n, expiry: far }, 5n, 0);
  const { args } = decodeFunctionData({ abi: escrowAbi, data: call.data });
  expect(args.slice(1, 3)).toEqual([largestLimit, BigInt(far)]);
});
