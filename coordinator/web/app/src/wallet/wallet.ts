// Who acts: an account whose key is in a wallet of the browser or, on a development
// network, in this page.
import { createPublicClient, createWalletClient, custom, defineChain, http, type Account, type Chain, type PublicClient, type Transport, type WalletClient } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { recall, remember } from '../lib/stored';
import { injected } from './injected';

/** Where the coordinator passes calls on to the chain's node. */
const rpc = () => new URL('/api/v1/rpc', window.location.href).href;

export type Signer = WalletClient<Transport, Chain, Account>;

/** The network's chain. */
export function chainOf(id: number): Chain {
  return defineChain({
    id,
    name: 'OpenLedger',
    nativeCurrency: { name: 'OPEN', symbol: 'OPEN', decimals: 18 },
    rpcUrls: { default: { http: [rpc()] } },
  });
}

/** Reads of the chain, several at once in one call. */
export function reader(id: number): PublicClient {
  return createPublicClient({ chain: chainOf(id), transport: http(rpc(), { batch: true }), pollingInterval: 500 });
}

const kept = 'wallet';
const localKey = 'local-key';

/** What is remembered of the connected account: "local", or a wallet's rdns. */
export function remembered(): string | null {
  return recall(kept);
}

/** An account whose key this page makes and keeps: for development networks only. */
export function connectLocal(chain: number): Signer {
  let key = recall(localKey) as `0x${string}` | null;
  if (key === null) {
    key = generatePrivateKey();
    remember(localKey, key);
  }
  remember(kept, 'local');
  return createWalletClient({ account: privateKeyToAccount(key), chain: chainOf(chain), transport: http(rpc()), pollingInterval: 500 });
}

/** An account of a wallet of the browser. Asks its owner, unless `silent`. */
export async function connectInjected(rdns: string, chainID: number, silent: boolean): Promise<Signer | null> {
  const wallet = injected().find((w) => w.rdns === rdns);
  if (wallet === undefined) return null;
  const accounts = await wallet.provider.request({ method: silent ? 'eth_accounts' : 'eth_requestAccounts' });
  const account = accounts[0];
  if (account === undefined) {
    if (silent) return null;
    throw new Error(`${wallet.name} gave no account: unlock it, and choose an account for this page.`);
  }
  const chain = chainOf(chainID);
  const client = createWalletClient({ account, chain, transport: custom(wallet.provider) });
  if ((await client.getChainId()) !== chainID) {
    if (silent) return null;
    try {
      await client.switchChain({ id: chainID });
    } catch {
      await client.addChain({ chain });
    }
  }
  remember(kept, rdns);
  return client;
}

/** Forgets which account acts. A key of this page is kept, so that what it owns is not lost. */
export function disconnect(): void {
  remember(kept, null);
}
