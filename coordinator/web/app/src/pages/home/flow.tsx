import { useEffect, useRef, useState } from 'react';
import { count } from '../../lib/format';

interface Counts {
  datanets: number | undefined;
  adapters: number | undefined;
  workers: number | undefined;
  receipts: number | undefined;
}

// The ring of the main job: data becomes adapters, workers answer with them, receipts pay
// those who brought the data. Each stop has its place in the picture.
const stops = [
  { key: 'datanets', label: 'Datanets', x: 130, y: 70 },
  { key: 'adapters', label: 'Adapters', x: 470, y: 70 },
  { key: 'workers', label: 'Workers', x: 470, y: 250 },
  { key: 'receipts', label: 'Receipts', x: 130, y: 250 },
] as const;

const edges = [
  { id: 'train', d: 'M 210 70 H 390', label: 'train', x: 300, y: 58, money: false },
  { id: 'serve', d: 'M 470 112 V 208', label: 'serve', x: 512, y: 165, money: false },
  { id: 'answer', d: 'M 390 250 H 210', label: 'answer', x: 300, y: 238, money: false },
  { id: 'pay', d: 'M 130 208 V 112', label: 'pay', x: 96, y: 165, money: true },
];

/**
 * The flow as a picture that lives: every new answer sends a mark along "answer" and
 * "pay", a running training one along "train". `answers` are the newest receipts' ids.
 */
export function Flow({ answers, counts, training }: { answers: string[]; counts: Counts; training: boolean }) {
  const seen = useRef<string | null>(null);
  const [pulses, setPulses] = useState<number[]>([]);
  const newest = answers[0];
  useEffect(() => {
    if (newest === undefined || newest === seen.current) return;
    const fresh = seen.current === null ? 0 : answers.indexOf(seen.current);
    seen.current = newest;
    if (fresh === 0) return;
    const n = Math.min(fresh < 0 ? answers.length : fresh, 6);
    const ids = Array.from({ length: n }, (_, i) => performance.now() + i);
    setPulses((p) => [...p, ...ids]);
    const timer = setTimeout(() => {
      setPulses((p) => p.filter((id) => !ids.includes(id)));
    }, 4000);
    return () => {
      clearTimeout(timer);
    };
  }, [newest, answers]);

  const said = (key: keyof Counts) => {
    const n = counts[key];
    return n === undefined ? '–' : count(n);
  };
  return (
    <svg className="flow" viewBox="0 0 600 320" role="img" aria-label={`Data of ${said('datanets')} datanets trains ${said('adapters')} adapters, which ${said('workers')} workers serve; ${said('receipts')} receipts pay those who brought the data.`}>
      {edges.map((e) => (
        <g key={e.id}>
          <path id={`edge-${e.id}`} className={`edge ${e.money ? 'money' : ''}`} d={e.d} />
          <text x={e.x} y={e.y}>
            {e.label}
          </text>
        </g>
      ))}
      {training && <Mark edge="train" repeat />}
      {pulses.map((id, i) => (
        <g key={id}>
          <Mark edge="answer" delay={i * 0.3} />
          <Mark edge="pay" delay={1.2 + i * 0.3} money />
        </g>
      ))}
      {stops.map((s) => (
        <g key={s.key}>
          <rect className={`node ${(counts[s.key] ?? 0) > 0 ? 'on' : ''}`} x={s.x - 80} y={s.y - 42} width="160" height="84" rx="14" />
          <text className="count" x={s.x} y={s.y - 2}>
            {said(s.key)}
          </text>
          <text x={s.x} y={s.y + 24}>
            {s.label}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Mark({ edge, delay = 0, repeat = false, money = false }: { edge: string; delay?: number; repeat?: boolean; money?: boolean }) {
  return (
    <circle className={`pulse ${money ? 'money' : ''}`} r="6" opacity="0">
      <animate attributeName="opacity" values="0;1;1;0" dur="1.2s" begin={`${delay}s`} repeatCount={repeat ? 'indefinite' : 1} />
      <animateMotion dur="1.2s" begin={`${delay}s`} repeatCount={repeat ? 'indefinite' : 1}>
        <mpath href={`#edge-${edge}`} />
      </animateMotion>
    </circle>
  );
}
