import { useCallback, useSyncExternalStore } from 'react';

// What this browser remembers. Every key begins with "openledger.".
const prefix = 'openledger.';
const listeners = new Set<() => void>();

function tell() {
  for (const l of listeners) l();
}

/** A remembered text; null when there is none, or the browser allows no storage. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(prefix + key);
  } catch {
    return null;
  }
}

/** Remembers a text; null forgets it. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(prefix + key);
    else localStorage.setItem(prefix + key, value);
  } catch {
    // A private window: what is not remembered is asked again.
  }
  tell();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  window.addEventListener('storage', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('storage', listener);
  };
}

/** A remembered text as state, the same in every tab of this origin. */
export function useStored(key: string): [string | null, (value: string | null) => void] {
  const value = useSyncExternalStore(subscribe, () => recall(key));
  const set = useCallback(
    (v: string | null) => {
      remember(key, v);
    },
    [key],
  );
  return [value, set];
}
