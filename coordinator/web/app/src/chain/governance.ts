// What pages call of GOPEN, whose votes are, and of the governor.
import { type Address, encodeAbiParameters, encodeFunctionData, type Hex, keccak256, parseAbi, parseAbiParameters, toBytes } from 'viem';
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
  'function propose(address[] targets, uint256[] values, bytes[] calldatas, string description) returns (uint256)',
  'function cancel(uint256 proposalId) returns (uint256)',
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

/** A call that a proposal makes. */
export interface Proposed {
  to: string;
  value: string;
  data: string;
}

const parts = (calls: Proposed[]) => [calls.map((c) => c.to as Address), calls.map((c) => BigInt(c.value)), calls.map((c) => c.data as Hex)] as const;

export function propose(network: Network, calls: Proposed[], description: string): Call {
  return { to: governor(network), data: encodeFunctionData({ abi: governorAbi, functionName: 'propose', args: [...parts(calls), description] }) };
}

/** The number of a proposal, as OpenZeppelin's governor makes it of what it says. */
export function proposalId(calls: Proposed[], description: string): Hex {
  return keccak256(encodeAbiParameters(parseAbiParameters('address[], uint256[], bytes[], bytes32'), [...parts(calls), keccak256(toBytes(description))]));
}

/** Hands a proposal that succeeded to the timelock, does what a queued one says, or takes one's own back before its vote. */
export function move(network: Network, proposal: string, step: 'queue' | 'execute' | 'cancel'): Call {
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
