// The API key that this browser asks with, one for each account.
import { useStored } from '../lib/stored';

/** The label of keys that the playground asks for. */
export const keyLabel = 'web application';

/** The remembered key of an account, and a way to keep or forget it. */
export function useKey(account: string | undefined): [string | null, (key: string | null) => void] {
  return useStored(`api-key.${account?.toLowerCase() ?? ''}`);
}
