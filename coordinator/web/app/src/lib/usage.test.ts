import { expect, it } from 'vitest';
import { usageByDay, usageTotal, type UsageRow } from './usage';

const now = Date.parse('2026-11-21T23:59:00Z');
const row = (day: string, model: string, n: number): UsageRow => ({ day, model, requests: n, prompt_tokens: 10 * n, output_tokens: n, fee: `${n}${'0'.repeat(18)}` });

it('has a point for each day, used or not', () => {
  const { series, points } = usageByDay([row('2026-11-19', 'a', 1), row('2026-11-21', 'a', 2), row('2026-11-21', 'b', 5)], 'fee', 3, now);
  expect(series).toEqual([{ key: 'm0', label: 'b' }, { key: 'm1', label: 'a' }]);
  expect(points).toEqual([
    { at: Date.parse('2026-11-19'), m0: 0, m1: 1 },
    { at: Date.parse('2026-11-20'), m0: 0, m1: 0 },
    { at: Date.parse('2026-11-21'), m0: 5, m1: 2 },
  ]);
});

it('leaves nothing out: what is not shown by itself is among the others', () => {
  const rows = ['a', 'b', 'c', 'd', 'e'].map((m, i) => row('2026-11-21', m, i + 1));
  const { series, points } = usageByDay(rows, 'tokens', 1, now);
  expect(series.map((s) => s.label)).toEqual(['e', 'd', 'c', '2 others']);
  expect(points).toEqual([{ at: Date.parse('2026-11-21'), m0: 55, m1: 44, m2: 33, m3: 33 }]);
  expect(usageByDay(rows.slice(1), 'requests', 1, now).series.map((s) => s.label)).toEqual(['e', 'd', 'c', 'b']);
});

it('adds up', () => {
  expect(usageTotal([row('2026-11-20', 'a', 1), row('2026-11-21', 'b', 2)])).toEqual({ requests: 3, prompt_tokens: 30, output_tokens: 3, fee: 3n * 10n ** 18n });
});
