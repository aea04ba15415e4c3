import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { open } from '../../lib/format';
import { Card } from '../../ui/basic';
import { roundTrip } from './held';
import { distance, far, layout, most, type Node, side } from './network';

const rings = [1, 30, 1000];
const middle = side / 2;

/** The coordinator and its workers as a graph. All that it shows is in the table of workers too. */
export function NetworkPicture({ workers }: { workers: Schemas['Worker'][] }) {
  const nodes = layout(workers);
  const between = Math.PI / Math.max(2, nodes.length) - Math.PI / 2; // halfway from the first worker to the second, where nobody stands
  const half = nodes.some((n) => n.worker.round_trip === undefined) ? middle : far + 24;
  return (
    <Card title="The network from here">
      <svg className="network" viewBox={`${middle - half} ${middle - half} ${2 * half} ${2 * half}`} role="group" aria-label={`This coordinator and ${nodes.length} workers around it. The table below says the same in words.`}>
        {rings.map((ms, i) => (
          <g key={ms} aria-hidden="true">
            <circle className="ring" cx={middle} cy={middle} r={distance(ms)} />
            <text className="scale" x={middle + distance(ms) * Math.cos(between + (i - 1) / 5)} y={middle + distance(ms) * Math.sin(between + (i - 1) / 5) + 3}>
              {ms >= 1000 ? '1 s' : `${ms} ms`}
            </text>
          </g>
        ))}
        {nodes.map((n) => (
          <line key={n.worker.peer} className={n.worker.round_trip === undefined ? 'edge unknown' : 'edge'} x1={middle} y1={middle} x2={n.x} y2={n.y} />
        ))}
        <g aria-hidden="true">
          <rect className="here" x={middle - 41} y={middle - 15} width="82" height="30" rx="8" />
          <text x={middle} y={middle + 4}>
            coordinator
          </text>
        </g>
        {nodes.map((n) => (
          <Mark key={n.worker.peer} node={n} />
        ))}
        {nodes.length <= 8 &&
          nodes.map((n) => (
            <text key={n.worker.peer} x={n.x} y={n.y + (n.y < middle ? -n.r - 5 : n.r + 13)} aria-hidden="true">
              …{n.worker.peer.slice(-5)}
            </text>
          ))}
      </svg>
      <p className="dim small">
        There is no map: nobody says where a worker stands. Distance from the middle is the measured round trip, outside the rings where none is measured yet; the larger a worker, the more it has staked; the filled part of its
        rim is how much of its places is taken.
        {nodes.some((n) => n.worker.reason !== undefined) && ' One with a dashed rim would not be chosen now.'}
        {workers.length > most && ` The ${most} with the greatest stake are drawn.`}
      </p>
    </Card>
  );
}

function Mark({ node: n }: { node: Node }) {
  const w = n.worker;
  const said = `Worker …${w.peer.slice(-10)}: round trip ${roundTrip(w.round_trip)}, ${w.running} of ${w.slots} places taken, ${open(w.stake, 0)} OPEN staked${w.reason === undefined ? '' : `, not chosen now: ${w.reason}`}`;
  const rim = 2 * Math.PI * n.r;
  return (
    <Link to="/workers/$id" params={{ id: w.peer }} aria-label={said} className={w.reason === undefined ? 'mark' : 'mark resting'}>
      <title>{said}</title>
      <circle className="body" cx={n.x} cy={n.y} r={n.r} />
      {n.load > 0 && <circle className="load" cx={n.x} cy={n.y} r={n.r} strokeDasharray={`${rim * n.load} ${rim}`} transform={`rotate(-90 ${n.x} ${n.y})`} />}
    </Link>
  );
}
