import { describe, expect, it } from 'vitest';
import { byTier, roundTrip } from './held';

describe('adapters at hand', () => {
  it('stand under where they are, named ones first, and tags keep all of their digits', () => {
    expect(byTier([{ tag: '18446744073709551615', tier: 2 }, { tag: '2', tier: 2, name: 'zebra' }, { tag: '3', tier: 2, name: 'ant' }, { tag: '1', tier: 0, name: 'fox' }])).toEqual([
      { tier: 'On the device', adapters: [{ tag: '1', tier: 0, name: 'fox' }] },
      { tier: 'On disk', adapters: [{ tag: '3', tier: 2, name: 'ant' }, { tag: '2', tier: 2, name: 'zebra' }, { tag: '18446744073709551615', tier: 2 }] },
    ]);
  });
});

describe('a round trip', () => {
  it('is never told more finely than it is known, nor when it is not', () => {
    expect([undefined, 0.2, 1.26, 42.4].map(roundTrip)).toEqual(['not measured yet', 'under 1 ms', '1.3 ms', '42 ms']);
  });
});
