import type { Address } from 'viem';
import type { Network } from '../wallet/context';

/** Where one of the network's contracts is. */
export function contract(network: Network, name: string): Address {
  const at = network.contracts[name];
  if (at === undefined || typeof at !== 'string') throw new Error(`This network has no contract "${name}".`);
  return at as Address;
}
