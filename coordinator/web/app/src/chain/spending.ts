// What may be spent of an escrow, and opening one.
import { type Address, encodeFunctionData } from 'viem';
import type { Network } from '../wallet/context';
import { escrowAbi } from './abi';
import { contract } from './contract';
import type { Call } from './transact';

export interface Escrow {
  /** Wei in the escrow. */
  held: bigint;
  /** Held, less reserves and a requested withdrawal. */
  available: bigint;
  /** Set aside for single workers. */
  reserved: bigint;
  /** What the coordinator may still spend of it, and until when (Unix seconds). */
  limit: bigint;
  spent: bigint;
  expiry: number;
  withdrawal: { amount: bigint; releaseAt: number } | null;
  /** Seconds that a withdrawal takes. */
  delay: number;
}

/** What may still be spent on answers: of the limit, and of what is there. */
export function spendable(e: Escrow, now: number): bigint {
  if (e.expiry * 1000 <= now) return 0n;
  const left = e.limit > e.spent ? e.limit - e.spent : 0n;
  return left < e.available ? left : e.available;
}

/** Ends what the coordinator may spend, when the withdrawal's delay is over. */
export function endSession(network: Network): Call {
  return { to: contract(network, 'escrow'), data: encodeFunctionData({ abi: escrowAbi, functionName: 'revoke', args: [network.session_key as Address] }) };
}

/** A year: how long the coordinator may spend before it is asked anew. */
const lasts = 365 * 24 * 3600;

/** The largest limit of a session key that the contract has room for, in wei: 309 million OPEN. */
export const largestLimit = 2n ** 88n - 1n;

/** Puts OPEN aside and lets the coordinator spend that much more, and what was there before, in one transaction. */
export function openEscrow(network: Network, e: Escrow, amount: bigint, now: number): Call {
  const left = e.limit > e.spent ? e.limit - e.spent : 0n;
  const free = e.available > left ? e.available - left : 0n;
  const wanted = (e.limit > e.spent ? e.limit : e.spent) + free + amount;
  const session = network.session_key as Address;
  const limit = wanted < largestLimit ? wanted : largestLimit;
  const expiry = BigInt(Math.max(Math.floor(now / 1000) + lasts, e.expiry));
  return {
    to: contract(network, 'escrow'),
    value: amount,
    data:
      amount === 0n
        ? encodeFunctionData({ abi: escrowAbi, functionName: 'authorize', args: [session, limit, expiry] })
        : encodeFunctionData({ abi: escrowAbi, functionName: 'open', args: [session, limit, expiry, [], []] }),
  };
}
