// What the connected account has set aside for answers, and who may spend it.
import { useQuery } from '@tanstack/react-query';
import type { Address } from 'viem';
import { useNetwork, useReader, useWallet } from '../wallet/context';
import { escrowAbi } from './abi';
import { contract } from './contract';
import type { Escrow } from './spending';

/** The connected account's escrow. */
export function useEscrow() {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const account = signer?.account.address;
  return useQuery({
    queryKey: ['escrow', account],
    enabled: account !== undefined && network !== undefined && reader !== null,
    refetchInterval: 10_000,
    queryFn: async (): Promise<Escrow> => {
      if (account === undefined || network === undefined || reader === null) throw new Error('Connect an account first.');
      const at = { address: contract(network, 'escrow'), abi: escrowAbi };
      const session = network.session_key as Address;
      const [held, available, reserved, s, w, delay] = await Promise.all([
        reader.readContract({ ...at, functionName: 'balanceOf', args: [account] }),
        reader.readContract({ ...at, functionName: 'availableOf', args: [account] }),
        reader.readContract({ ...at, functionName: 'reservedOf', args: [account] }),
        reader.readContract({ ...at, functionName: 'sessionOf', args: [account, session] }),
        reader.readContract({ ...at, functionName: 'withdrawalOf', args: [account] }),
        reader.readContract({ ...at, functionName: 'withdrawalDelay' }),
      ]);
      return {
        held,
        available,
        reserved,
        limit: s.limit,
        spent: s.spent,
        expiry: Number(s.expiry),
        withdrawal: w.releaseAt === 0n ? null : { amount: w.amount, releaseAt: Number(w.releaseAt) },
        delay: Number(delay),
      };
    },
  });
}
