// What an account earned, added up as people ask about it.
import type { Schemas } from '../api/client';

type Earning = Schemas['Earning'];

/** Where the money of one batch is. */
export type Standing = 'claimed' | 'claimable' | 'waiting' | 'in an epoch' | 'lost';

export function standing(e: Earning): Standing {
  if (e.claimed) return 'claimed';
  if (e.status === 'rejected') return 'lost';
  if (e.status === 'swept' || e.held) return 'in an epoch';
  return e.due ? 'claimable' : 'waiting';
}

export interface Row {
  key: string;
  role: Schemas['PayoutRole'];
  record: string;
  datanet: number;
  adapter: string;
  agent: number;
  /** Receipts that paid for it. */
  answers: number;
  amount: bigint;
  /** Of the newest receipt, Unix milliseconds. */
  last: number;
}

export type By = 'record' | 'datanet' | 'adapter';

const none = `0x${'0'.repeat(64)}`;

/** Adds shares up by record (of contributors), datanet or adapter, the greatest first. What was lost to a rejected batch does not count. */
export function totals(earnings: Earning[], by: By): Row[] {
  const rows = new Map<string, { row: Row; receipts: Set<string> }>();
  for (const e of earnings) {
    if (standing(e) === 'lost') continue;
    for (const s of e.shares) {
      if (by === 'record' && s.record === none) continue;
      const what = by === 'record' ? s.record : by === 'datanet' ? String(s.datanet ?? 0) : s.adapter;
      const key = `${s.role} ${what}`;
      let found = rows.get(key);
      if (found === undefined) {
        found = { row: { key, role: s.role, record: s.record, datanet: s.datanet ?? 0, adapter: s.adapter, agent: s.agent ?? 0, answers: 0, amount: 0n, last: 0 }, receipts: new Set() };
        rows.set(key, found);
      }
      const { row, receipts } = found;
      receipts.add(s.receipt);
      row.answers = receipts.size;
      row.amount += BigInt(s.amount);
      row.last = Math.max(row.last, s.at);
    }
  }
  return [...rows.values()].map((f) => f.row).sort((a, b) => (a.amount === b.amount ? a.key.localeCompare(b.key) : a.amount < b.amount ? 1 : -1));
}

export interface Point extends Record<string, number | null> {
  at: number;
  /** OPEN, for a picture. */
  earned: number;
}

/** What was earned up to each answer, in OPEN, thinned out to at most `most` points; the last is kept. */
export function overTime(earnings: Earning[], most = 200): Point[] {
  const parts = earnings
    .filter((e) => standing(e) !== 'lost')
    .flatMap((e) => e.shares.map((s) => ({ at: s.at, amount: BigInt(s.amount) })))
    .sort((a, b) => a.at - b.at);
  let sum = 0n;
  const all: Point[] = [];
  for (const p of parts) {
    sum += p.amount;
    const earned = Number(sum / 10n ** 9n) / 1e9;
    const before = all.at(-1);
    if (before?.at === p.at) before.earned = earned;
    else all.push({ at: p.at, earned });
  }
  if (all.length <= most) return all;
  const step = (all.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => all[Math.round(i * step)]).filter((p) => p !== undefined);
}
