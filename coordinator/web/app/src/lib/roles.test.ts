import { expect, it } from 'vitest';
import { feeOf, parts, roleName } from './roles';

it('orders parts by size and leaves nothing out of the shares', () => {
  const list = parts([
    { role: 'platform', amount: '100000000000000000' },
    { role: 'agent', amount: '0' },
    { role: 'worker', amount: '700000000000000000' },
    { role: 'contributor', amount: '200000000000000000' },
  ]);
  expect(list.map((p) => [p.role, p.share])).toEqual([
    ['worker', 0.7],
    ['contributor', 0.2],
    ['platform', 0.1],
  ]);
  expect(parts([])).toEqual([]);
  expect(roleName('staker')).toBe("Workers' stakers");
  expect(roleName('new')).toBe('new');
});

it('adds up what an answer cost, an agent included', () => {
  expect(feeOf({ compute: '1', access: '20', markup: '300' })).toBe(321n);
});
