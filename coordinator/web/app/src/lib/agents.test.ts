import { expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import { earnedBy, otherFields } from './agents';

it('shows fields of a manifest that no page knows', () => {
  expect(otherFields({ name: 'poet', price: '1', servers: [{ url: 'https://example.org' }] })).toEqual([['servers', [{ url: 'https://example.org' }]]]);
});

it("adds up an agent's own earnings, without batches that were rejected", () => {
  const of = (status: string, ...shares: object[]) => ({ status, shares }) as unknown as Schemas['Earnings']['earnings'][number];
  const list = [
    of('claimable', { agent: 1, role: 'agent', amount: '5' }, { agent: 1, role: 'worker', amount: '70' }, { agent: 2, role: 'agent', amount: '900' }),
    of('pending', { agent: 1, role: 'agent', amount: '2' }),
    of('rejected', { agent: 1, role: 'agent', amount: '1000' }),
  ];
  expect(earnedBy(1, list)).toBe(7n);
});
