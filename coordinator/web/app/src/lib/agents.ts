import type { Schemas } from '../api/client';

/** What an agent's manifest says beyond what every page of it shows by itself: name and value, to be shown as they are. */
export function otherFields(document: Record<string, unknown>): [string, unknown][] {
  const shown = ['adapter', 'base', 'datanets', 'description', 'format', 'instructions', 'name', 'owner', 'price', 'tools'];
  return Object.entries(document).filter(([name]) => !shown.includes(name));
}

/** Amounts of an agent's share in earnings, wei. */
export function earnedBy(agent: number, earnings: Schemas['Earnings']['earnings']): bigint {
  return earnings
    .filter((e) => e.status !== 'rejected')
    .flatMap((e) => e.shares)
    .filter((s) => s.agent === agent && s.role === 'agent')
    .reduce((sum, s) => sum + BigInt(s.amount), 0n);
}

/** An object without some of its members. */
export function without(o: Record<string, unknown>, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(o).filter(([name]) => !names.includes(name)));
}
