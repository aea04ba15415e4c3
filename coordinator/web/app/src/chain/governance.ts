// What pages call of GOPEN, whose votes are, and of the governor.
import { type Address, encodeFunctionData, parseAbi } from 'viem';
import type { Network } from '../wallet/context';
import { contract } from './contract';
import type { Call } from './transact';

export const gopenAbi = parseAbi([
  'function deposit() payable',
  'function withdraw(uint256 amount)',
  'function delegate(address delegatee)',
  'function delegates(address account) view returns (address)',
  'function balanceOf(address account) view returns (uint256)',
  'function getVotes(address account) view returns (uint256)',
]);

export const governorAbi = parseAbi([
  'function castVoteWithReason(uint256 proposalId, uint8 support, string reason) returns (uint256)',
  'function hasVoted(uint256 proposalId, address account) view returns (bool)',
  'function queue(uint256 proposalId)',
  'function execute(uint256 proposalId) payable',
]);

/** OpenZeppelin's numbers of what a vote may say. */
export const supports = { against: 0, for: 1, abstain: 2 } as const;
export type Support = keyof typeof supports;

const gopen = (network: Network) => contract(network, 'gopen');
const governor = (network: Network) => contract(network, 'governor');

export function vote(network: Network, proposal: string, support: Support, reason: string): Call {
  return { to: governor(network), data: encodeFunctionData({ abi: governorAbi, functionName: 'castVoteWithReason', args: [BigInt(proposal), supports[support], reason] }) };
}

/** Hands a proposal that succeeded to the timelock, or does what a queued one says. */
export function move(network: Network, proposal: string, step: 'queue' | 'execute'): Call {
  return { to: governor(network), data: encodeFunctionData({ abi: governorAbi, functionName: step, args: [BigInt(proposal)] }) };
}

/** OPEN becomes GOPEN, one to one. */
export function wrap(network: Network, amount: bigint): Call {
  return { to: gopen(network), value: amount, data: encodeFunctionData({ abi: gopenAbi, functionName: 'deposit' }) };
}

export function unwrap(network: Network, amount: bigint): Call {
  return { to: gopen(network), data: encodeFunctionData({ abi: gopenAbi, functionName: 'withdraw', args: [amount] }) };
}

export function delegate(network: Network, to: Address): Call {
  return { to: gopen(network), data: encodeFunctionData({ abi: gopenAbi, functionName: 'delegate', args: [to] }) };
}
