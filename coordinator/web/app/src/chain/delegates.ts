// Whom an account lets act in its name: DelegateRegistry. Pages offer the coordinator's own
// key, which the API needs to train and publish for whoever sends only an API key.
import { useQuery } from '@tanstack/react-query';
import { type Address, encodeFunctionData, parseAbi } from 'viem';
import { type Network, useNetwork, useReader, useWallet } from '../wallet/context';
import { contract } from './contract';
import type { Call } from './transact';

const abi = parseAbi([
  'function authorize(address delegate, uint32 scopes, uint64 expiry)',
  'function revoke(address delegate)',
  'function grantOf(address owner, address delegate) view returns ((uint64 from, uint64 until, uint32 scopes))',
]);

/** What a delegate may do, by its bit in the contract. */
export const delegateScopes = [
  { bit: 1, name: 'Train', means: 'orders trainings in your name' },
  { bit: 2, name: 'Publish', means: 'creates datanets, accepts contributions to yours and publishes their versions' },
  { bit: 4, name: 'Contribute', means: 'contributes records in your name' },
] as const;

export interface Grant {
  scopes: number;
  /** Unix seconds; 0: there never was one. */
  until: number;
}

/** Lets the coordinator act for the sender, in place of what it was allowed before. `until` in Unix seconds. */
export function authorize(network: Network, scopes: number, until: number): Call {
  return { to: contract(network, 'delegates'), data: encodeFunctionData({ abi, functionName: 'authorize', args: [network.session_key as Address, scopes, BigInt(until)] }) };
}

/** Ends what the coordinator was allowed, at once. */
export function endDelegate(network: Network): Call {
  return { to: contract(network, 'delegates'), data: encodeFunctionData({ abi, functionName: 'revoke', args: [network.session_key as Address] }) };
}

/** What the connected account allows the coordinator now. */
export function useGrant() {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const account = signer?.account.address;
  return useQuery({
    queryKey: ['delegate', account],
    enabled: account !== undefined && network !== undefined && reader !== null,
    refetchInterval: 10_000,
    queryFn: async (): Promise<Grant> => {
      if (account === undefined || network === undefined || reader === null) throw new Error('Connect an account first.');
      const g = await reader.readContract({ address: contract(network, 'delegates'), abi, functionName: 'grantOf', args: [account, network.session_key as Address] });
      return { scopes: g.scopes, until: Number(g.until) };
    },
  });
}
