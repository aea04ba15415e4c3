import { describe, expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { distance, far, layout, most, near, side, unknown } from './network';

const worker = (peer: string, more: Partial<Schemas['Worker']> = {}): Schemas['Worker'] => ({
  peer,
  worker: '0xaa',
  payout: '0xaa',
  sequence: 1,
  issued_at: 1,
  expires_at: 2,
  base: '0xbb',
  profile: 'cpu-f32-v1',
  slots: 4,
  running: 1,
  waiting: 0,
  free_kv: 1,
  trains: false,
  decode_tps: 1,
  price: { input_per_1k: '0', output_per_1k: '0', access: '0', markup: '0' },
  stake: '0',
  addresses: [],
  ...more,
});

describe('the picture of the network', () => {
  it('puts a worker the farther out the longer its round trip, and one that was not measured outside', () => {
    const all = [0, 1, 20, 1000, 60_000].map(distance);
    expect(all).toEqual([...all].sort((a, b) => a - b));
    expect([all[0], all[3], all[4]]).toEqual([near, far, far]);
    expect(distance(undefined)).toBe(unknown);
    expect(unknown).toBeGreaterThan(far);
  });

  it('keeps everybody inside, in the same place whatever the order, loads and stakes', () => {
    const workers = Array.from({ length: 40 }, (_, i) => worker(`peer${i}`, { stake: String(10n ** BigInt(i)) }));
    const nodes = layout(workers);
    for (const n of nodes) {
      for (const at of [n.x, n.y]) {
        expect(at - n.r).toBeGreaterThanOrEqual(0);
        expect(at + n.r).toBeLessThanOrEqual(side);
      }
    }
    const at = (list: typeof nodes) => list.map((n) => [n.worker.peer, n.x, n.y]);
    expect(at(layout(workers.toReversed().map((w) => ({ ...w, running: 4, stake: '5' }))))).toEqual(at(nodes));
  });

  it('draws the greatest stakes when there are too many', () => {
    const nodes = layout(Array.from({ length: most + 5 }, (_, i) => worker(`peer${i}`, { stake: `${i}000000000000000000000` })));
    expect(nodes).toHaveLength(most);
    expect(Math.min(...nodes.map((n) => Number(BigInt(n.worker.stake) / 10n ** 18n)))).toBe(5000);
    expect(nodes.every((n) => Number.isFinite(n.r))).toBe(true);
  });

  it('does not divide by nothing', () => {
    expect(layout([])).toEqual([]);
    expect(layout([worker('a', { slots: 0 })])).toMatchObject([{ load: 0, r: 7, x: side / 2 }]);
  });
});
