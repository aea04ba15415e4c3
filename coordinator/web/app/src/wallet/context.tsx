import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { PublicClient } from 'viem';
import { api, data, type Schemas } from '../api/client';
import { injected, type Injected, subscribe } from './injected';
import { connectInjected, connectLocal, disconnect, reader, remembered, type Signer } from './wallet';

export interface Wallet {
  /** Who acts, or null. */
  signer: Signer | null;
  /** Wallets of this browser. */
  wallets: Injected[];
  /** Whether the page may make a key of its own: where a faucet funds it. */
  local: boolean;
  connect: (rdns: string) => Promise<void>;
  connectLocal: () => Promise<void>;
  disconnect: () => void;
}

const Context = createContext<Wallet | null>(null);

/** The network's description, which does not change while the page is open. */
export function useNetwork() {
  return useQuery({ queryKey: ['network'], queryFn: () => data(api.GET('/api/v1/network')), staleTime: Infinity });
}

export type Network = Schemas['Network'];

export function useWallet(): Wallet {
  const wallet = use(Context);
  if (wallet === null) throw new Error('useWallet outside WalletProvider');
  return wallet;
}

/** Reads of the chain; null until the network is known. */
export function useReader(): PublicClient | null {
  const network = useNetwork();
  const id = network.data?.chain_id;
  return useMemo(() => (id === undefined ? null : reader(id)), [id]);
}

/** Sees that an account that has nothing gets something of the faucet. */
async function fund(signer: Signer, chain: number): Promise<void> {
  const account = signer.account.address;
  if ((await reader(chain).getBalance({ address: account })) > 0n) return;
  await api.POST('/api/v1/faucet', { body: { account } });
}

export function WalletProvider({ children }: { children: ReactNode }) {
  const network = useNetwork();
  const queries = useQueryClient();
  const wallets = useSyncExternalStore(subscribe, injected);
  const [signer, setSigner] = useState<Signer | null>(null);
  const chain = network.data?.chain_id;
  const local = network.data?.faucet === true;

  // Takes up what an earlier visit chose, without asking.
  useEffect(() => {
    const was = remembered();
    if (chain === undefined || was === null || signer !== null) return;
    let stopped = false;
    const taken = was === 'local' ? Promise.resolve(local ? connectLocal(chain) : null) : connectInjected(was, chain, true);
    void taken.then((s) => {
      if (!stopped && s !== null) setSigner(s);
    });
    return () => {
      stopped = true;
    };
  }, [chain, local, wallets, signer]);

  const connect = useCallback(
    async (rdns: string) => {
      if (chain === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      setSigner(await connectInjected(rdns, chain, false));
    },
    [chain],
  );
  const here = useCallback(async () => {
    if (chain === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
    const s = connectLocal(chain);
    await fund(s, chain);
    setSigner(s);
    await queries.invalidateQueries();
  }, [chain, queries]);
  const leave = useCallback(() => {
    disconnect();
    setSigner(null);
  }, []);

  const value = useMemo<Wallet>(() => ({ signer, wallets, local, connect, connectLocal: here, disconnect: leave }), [signer, wallets, local, connect, here, leave]);
  return <Context value={value}>{children}</Context>;
}
