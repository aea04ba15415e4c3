// Where each worker stands in the picture of the network. There is no geography: the
// coordinator is in the middle, and a worker's distance from it is the measured round trip.
import type { Schemas } from '../../api/client';

type Worker = Schemas['Worker'];

/** Sides of the square picture, in its own units; at 360 px one is about a pixel. */
export const side = 340;
/** How far from the middle the nearest worker stands, the farthest, and one whose round trip is not known. */
export const near = 62;
export const far = 118;
export const unknown = 146;
/** Round trips from here on stand at `far`, in ms. */
export const longest = 1000;
/** More workers than this do not fit; those with the greatest stake are drawn. */
export const most = 60;

/** Distance from the middle of a round trip in ms: logarithmic. */
export function distance(ms: number | undefined): number {
  if (ms === undefined) return unknown;
  return near + (far - near) * Math.min(1, Math.log10(1 + Math.max(0, ms)) / Math.log10(1 + longest));
}

export interface Node {
  worker: Worker;
  x: number;
  y: number;
  /** Radius: the area is the stake's share of the greatest one. */
  r: number;
  /** Share of its places that answers take, 0 to 1. */
  load: number;
}

const smallest = 7;

function byStake(a: Worker, b: Worker): number {
  const d = BigInt(b.stake) - BigInt(a.stake);
  return d > 0n ? 1 : d < 0n ? -1 : a.peer.localeCompare(b.peer);
}

/** Places workers around the middle, in the order of their peers, so that nobody jumps when loads or stakes change. */
export function layout(workers: Worker[]): Node[] {
  const drawn = [...workers].sort(byStake).slice(0, most);
  const top = drawn.reduce((m, w) => (BigInt(w.stake) > m ? BigInt(w.stake) : m), 0n);
  const largest = Math.max(smallest + 1, Math.min(18, (Math.PI * near) / Math.max(1, drawn.length)));
  return drawn
    .sort((a, b) => a.peer.localeCompare(b.peer))
    .map((worker, i) => {
      const angle = (2 * Math.PI * i) / drawn.length - Math.PI / 2;
      const d = distance(worker.round_trip);
      const share = top === 0n ? 0 : Number((BigInt(worker.stake) * 10_000n) / top) / 10_000;
      return {
        worker,
        x: side / 2 + d * Math.cos(angle),
        y: side / 2 + d * Math.sin(angle),
        r: smallest + (largest - smallest) * Math.sqrt(share),
        load: worker.slots === 0 ? 0 : Math.min(1, worker.running / worker.slots),
      };
    });
}
