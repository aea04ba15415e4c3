// What happens in the network, as it happens: one stream for the page, whoever listens.
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import type { Schemas } from '../api/client';
import { collector } from './throttle';

export type NetworkEvent = Schemas['NetworkEvent'];

const listeners = new Set<(e: NetworkEvent) => void>();
const watchers = new Set<() => void>();
let source: EventSource | null = null;
let live = false;

function setLive(is: boolean) {
  live = is;
  for (const w of watchers) w();
}

// A browser opens few connections to one origin: a page that nobody looks at gives its own
// back. It begins anew when it is looked at, with all it shows out of date.
function adjust() {
  const wanted = listeners.size > 0 && document.visibilityState === 'visible';
  if (wanted && source === null) {
    source = new EventSource('/api/v1/events');
    source.onopen = () => {
      setLive(true);
    };
    // What comes again by itself is told what it has missed.
    source.addEventListener('open', () => { tell({ type: 'reset', at: Date.now() }); }, { once: true });
    // The browser tries again by itself, unless the coordinator refused.
    source.onerror = () => {
      setLive(false);
    };
    source.onmessage = (m: MessageEvent<string>) => {
      tell(JSON.parse(m.data) as NetworkEvent);
    };
  } else if (!wanted && source !== null) {
    source.close();
    source = null;
    setLive(false);
  }
}

function tell(e: NetworkEvent) {
  for (const l of listeners) l(e);
}

function listen(l: (e: NetworkEvent) => void): () => void {
  if (listeners.size === 0) document.addEventListener('visibilitychange', adjust);
  listeners.add(l);
  adjust();
  return () => {
    listeners.delete(l);
    if (listeners.size === 0) document.removeEventListener('visibilitychange', adjust);
    adjust();
  };
}

/** Which queries an event makes out of date, by the first part of their keys. */
export function outdated(e: NetworkEvent): string[] {
  switch (e.type) {
    case 'receipt':
      return ['stats', 'receipts'];
    case 'worker':
      return ['stats', 'workers'];
    case 'training':
      return e.training?.state === 'succeeded' ? ['stats', 'trainings', 'models'] : ['stats', 'trainings'];
    case 'batch':
      return ['stats', 'receipts', 'batches', 'batch'];
    case 'reset':
      return ['stats', 'receipts', 'workers', 'trainings', 'models', 'batches'];
  }
}

/** Reads anew what events make out of date, at most once a second. Says whether events come. */
export function useLive(): boolean {
  const queries = useQueryClient();
  useEffect(() => {
    const add = collector(
      1000,
      (keys) => {
        for (const key of keys) void queries.invalidateQueries({ queryKey: [key] });
      },
      (f, ms) => setTimeout(f, ms),
    );
    return listen((e) => {
      for (const key of outdated(e)) add(key);
    });
  }, [queries]);
  return useSyncExternalStore(
    (w) => {
      watchers.add(w);
      return () => watchers.delete(w);
    },
    () => live,
  );
}
