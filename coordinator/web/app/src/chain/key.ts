// The API key that this browser asks with, one for each account.
import { api, data } from '../api/client';
import { useStored } from '../lib/stored';
import type { Network } from '../wallet/context';
import type { Signer } from '../wallet/wallet';

/** The text that an account signs to be issued a key without limits: coordinator/api has it. */
export function keyText(coordinator: string, account: string, label: string, at: number): string {
  return `Issue an OpenLedger API key\ncoordinator: ${coordinator}\naccount: ${account}\nlabel: ${label}\nat: ${at}`;
}

/** The label of keys that this page asks for. */
export const keyLabel = 'web application';

/** Asks for a key: one signature, no transaction. */
export async function issueKey(network: Network, signer: Signer): Promise<string> {
  const at = Date.now();
  const requester = signer.account.address;
  const signature = await signer.signMessage({ message: keyText(network.peer, requester, keyLabel, at) });
  const { key } = await data(api.POST('/api/v1/keys', { body: { requester, label: keyLabel, at, signature } }));
  return key;
}

/** The remembered key of an account, and a way to keep or forget it. */
export function useKey(account: string | undefined): [string | null, (key: string | null) => void] {
  return useStored(`api-key.${account?.toLowerCase() ?? ''}`);
}
