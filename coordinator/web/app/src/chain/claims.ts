// Claiming: what AttributionSettlement and EpochDistributor pay out against proofs.
import { type Address, encodeFunctionData, type Hex, parseAbi } from 'viem';
import type { Schemas } from '../api/client';
import type { Network } from '../wallet/context';
import { contract } from './contract';
import type { Call } from './transact';

export const settlementAbi = parseAbi([
  'struct ProofNode { bytes32 hash; uint256 sum; }',
  'struct Claim { address worker; uint64 nonce; uint32 index; address account; uint256 amount; ProofNode[] proof; }',
  'function claimMany(Claim[] claims) returns (uint256 paid)',
]);

export const epochsAbi = parseAbi(['function claim(address account, uint256 cumulative, bytes32[] proof) returns (uint256 amount)']);

/** Claims in one transaction: about a third of a block. */
const atOnce = 200;

/** The transactions that pay out all that is due, to the account that earned it. */
export function claimCalls(network: Network, earned: Schemas['Earnings']): Call[] {
  const calls: Call[] = [];
  if (BigInt(earned.epochs.due) > 0n) {
    const args = [earned.account as Address, BigInt(earned.epochs.cumulative), earned.epochs.proof as Hex[]] as const;
    calls.push({ to: contract(network, 'epochs'), data: encodeFunctionData({ abi: epochsAbi, functionName: 'claim', args }) });
  }
  const due = earned.earnings
    .filter((e) => e.due)
    .map(({ claim: c }) => ({
      worker: c.worker as Address,
      nonce: BigInt(c.nonce),
      index: c.index,
      account: c.account as Address,
      amount: BigInt(c.amount),
      proof: c.proof.map((p) => ({ hash: p.hash as Hex, sum: BigInt(p.sum) })),
    }));
  for (let i = 0; i < due.length; i += atOnce) {
    calls.push({ to: contract(network, 'settlement'), data: encodeFunctionData({ abi: settlementAbi, functionName: 'claimMany', args: [due.slice(i, i + atOnce)] }) });
  }
  return calls;
}
