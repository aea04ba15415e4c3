// What workers announce, in words.
import type { Schemas } from '../../api/client';

type Held = NonNullable<Schemas['Worker']['adapters']>[number];

const tiers = ['On the device', 'In host memory', 'On disk', 'On the network'];

/** The adapters at each place that has some, nearest first; those with names before others, in the order of names. */
export function byTier(adapters: Held[]): { tier: string; adapters: Held[] }[] {
  return tiers
    .map((tier, i) => ({
      tier,
      adapters: adapters.filter((a) => a.tier === i).sort((a, b) => Number(a.name === undefined) - Number(b.name === undefined) || (a.name ?? a.tag).localeCompare(b.name ?? b.tag)),
    }))
    .filter((t) => t.adapters.length > 0);
}

/** A measured round trip in milliseconds. */
export function roundTrip(ms: number | undefined): string {
  if (ms === undefined) return 'not measured yet';
  return ms < 1 ? 'under 1 ms' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
