import { describe, expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import { overTime, standing, totals } from './earnings';

const none = `0x${'0'.repeat(64)}`;
const share = (receipt: string, amount: string, at: number, more: Partial<Schemas['EarningShare']> = {}): Schemas['EarningShare'] => ({ receipt, adapter: 'a', role: 'contributor', record: 'r1', datanet: 1, amount, at, ...more });
const earning = (shares: Schemas['EarningShare'][], more: Partial<Schemas['Earning']> = {}): Schemas['Earning'] => ({
  claim: { worker: 'w', nonce: 0, index: 0, account: 'x', amount: '0', proof: [] },
  shares,
  document: none,
  tx: none,
  claimable_at: 0,
  claimed: false,
  due: false,
  status: 'pending',
  held: false,
  ...more,
});

describe('totals', () => {
  const list = [
    earning([share('1', '5000000000000000001', 10), share('1', '2', 10, { record: 'r2' }), share('1', '7', 10, { role: 'owner', record: none })]),
    earning([share('2', '3', 20, { adapter: 'b' })]),
    earning([share('3', '1000', 30)], { status: 'rejected' }),
  ];
  it('adds up to the wei, the greatest first, without what was lost', () => {
    expect(totals(list, 'record').map((r) => [r.record, r.amount, r.answers, r.last])).toEqual([
      ['r1', 5000000000000000004n, 2, 20],
      ['r2', 2n, 1, 10],
    ]);
    expect(totals(list, 'adapter').map((r) => [r.role, r.adapter, r.amount])).toEqual([
      ['contributor', 'a', 5000000000000000003n],
      ['owner', 'a', 7n],
      ['contributor', 'b', 3n],
    ]);
    expect(totals(list, 'datanet').map((r) => r.amount)).toEqual([5000000000000000006n, 7n]);
  });
});

it('says where the money is', () => {
  const of = (more: Partial<Schemas['Earning']>) => standing(earning([], more));
  expect(of({})).toBe('waiting');
  expect(of({ due: true, status: 'claimable' })).toBe('claimable');
  expect(of({ claimed: true, status: 'swept' })).toBe('claimed');
  expect(of({ status: 'swept' })).toBe('in an epoch');
  expect(of({ status: 'claimable', held: true })).toBe('in an epoch');
  expect(of({ status: 'rejected' })).toBe('lost');
  expect(of({ status: 'disputed' })).toBe('waiting');
});

it('grows over time and ends at the sum, however many answers there are', () => {
  const many = Array.from({ length: 1000 }, (_, i) => share(String(i), '1000000000000000000', 1000 - i));
  const points = overTime([earning(many), earning([share('x', '5', 2000)], { status: 'rejected' })], 50);
  expect(points).toHaveLength(50);
  expect(points[0]).toEqual({ at: 1, earned: 1 });
  expect(points.at(-1)).toEqual({ at: 1000, earned: 1000 });
  expect(overTime([earning([share('a', '1000000000', 5), share('b', '1000000000', 5)])])).toEqual([{ at: 5, earned: 2e-9 }]);
  expect(overTime([])).toEqual([]);
});
