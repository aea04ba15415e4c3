// Wallets of the browser, found as EIP-6963 has them announce themselves.
import type { EIP1193Provider } from 'viem';

export interface Injected {
  /** Reverse domain name of the wallet. */
  rdns: string;
  name: string;
  provider: EIP1193Provider;
}

interface Announcement {
  info: { rdns: string; name: string };
  provider: EIP1193Provider;
}

const found = new Map<string, Injected>();
const listeners = new Set<() => void>();
let list: Injected[] = [];

window.addEventListener('eip6963:announceProvider', (event) => {
  const { info, provider } = (event as CustomEvent<Announcement>).detail;
  if (found.has(info.rdns)) return;
  found.set(info.rdns, { rdns: info.rdns, name: info.name, provider });
  list = [...found.values()];
  for (const l of listeners) l();
});

/** Asks wallets to announce themselves, and hears of those that come later. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.dispatchEvent(new Event('eip6963:requestProvider'));
  return () => {
    listeners.delete(listener);
  };
}

/** The wallets announced so far. */
export function injected(): Injected[] {
  return list;
}
