// What the connected account has in governance, and has done.
import { useQuery } from '@tanstack/react-query';
import { useNetwork, useReader, useWallet } from '../wallet/context';
import { contract } from './contract';
import { gopenAbi, governorAbi } from './governance';

/** What the connected account has in governance. */
export function useVoice() {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const account = signer?.account.address;
  return useQuery({
    queryKey: ['voice', account],
    enabled: account !== undefined && network !== undefined && reader !== null,
    refetchInterval: 10_000,
    queryFn: async () => {
      if (account === undefined || network === undefined || reader === null) throw new Error('Connect an account first.');
      const at = { address: contract(network, 'gopen'), abi: gopenAbi, args: [account] } as const;
      const [balance, to, votes] = await Promise.all([
        reader.readContract({ ...at, functionName: 'balanceOf' }),
        reader.readContract({ ...at, functionName: 'delegates' }),
        reader.readContract({ ...at, functionName: 'getVotes' }),
      ]);
      return { account, balance, delegate: BigInt(to) === 0n ? null : to, votes };
    },
  });
}

/** Whether the connected account has voted on a proposal. */
export function useVoted(proposal: string, enabled: boolean) {
  const { signer } = useWallet();
  const network = useNetwork().data;
  const reader = useReader();
  const account = signer?.account.address;
  return useQuery({
    queryKey: ['voted', proposal, account],
    enabled: enabled && account !== undefined && network !== undefined && reader !== null,
    queryFn: async () => {
      if (account === undefined || network === undefined || reader === null) throw new Error('Connect an account first.');
      return reader.readContract({ address: contract(network, 'governor'), abi: governorAbi, functionName: 'hasVoted', args: [BigInt(proposal), account] });
    },
  });
}
