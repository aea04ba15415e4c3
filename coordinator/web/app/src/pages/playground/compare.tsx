import { useState } from 'react';
import { many } from '../../lib/format';
import { Link } from '@tanstack/react-router';
import { Amount, Empty, ErrorNote } from '../../ui/basic';
import { ask, randomSeed, type Settings, type Turn } from './conversation';
import { Ready } from './ready';
import { Ask } from './ask';

/** One question with the answers of both. */
interface Pair {
  question: string;
  base: Side;
  adapter: Side;
}

interface Side {
  turn: Turn | null;
  failed: unknown;
  running: boolean;
}

const waiting: Side = { turn: null, failed: null, running: true };

/** The same question to the base and to an adapter, side by side. Each question stands alone. */
export function Compare({ base, settings }: { base: string; settings: Settings }) {
  const [pairs, setPairs] = useState<Pair[]>([]);
  const [stop, setStop] = useState<AbortController | null>(null);
  const change = (i: number, side: 'base' | 'adapter', more: Partial<Side>) => {
    setPairs((list) => list.map((p, j) => (j === i ? { ...p, [side]: { ...p[side], ...more } } : p)));
  };
  const send = (apiKey: string, question: string) => {
    const controller = new AbortController();
    setStop(controller);
    const i = pairs.length;
    setPairs([...pairs, { question, base: waiting, adapter: waiting }]);
    // The same seed for both: what differs is the adapter.
    const seed = settings.seed.trim() === '' ? randomSeed() : settings.seed;
    const one = async (side: 'base' | 'adapter', model: string) => {
      try {
        await ask(apiKey, [{ role: 'user', content: question }], { ...settings, seed, model }, controller.signal, (turn) => { change(i, side, { turn }); });
      } catch (failed) {
        change(i, side, { failed });
      }
      change(i, side, { running: false });
    };
    void Promise.all([one('base', base), one('adapter', settings.model)]).then(() => { setStop(null); });
  };
  return (
    <>
      {pairs.length === 0 && <Empty title="Base and adapter, side by side">Both are asked the same question with the same seed. Both answers are paid for.</Empty>}
      <div className="stack" role="log" aria-label="Answers side by side" aria-live="polite" aria-busy={stop !== null}>
        {pairs.map((p, i) => (
          <div key={i} className="stack tight">
            <div className="said mine">
              <span className="visually-hidden">You: </span>
              {p.question}
            </div>
            <div className="pair">
              <Column name={base} side={p.base} />
              <Column name={settings.model} side={p.adapter} />
            </div>
          </div>
        ))}
      </div>
      <Ready>{(apiKey) => <Ask running={stop !== null} again={false} onStop={() => { stop?.abort(); }} onAsk={(text) => { if (text !== null) send(apiKey, text); }} />}</Ready>
    </>
  );
}

function Column({ name, side: { turn, failed, running } }: { name: string; side: Side }) {
  return (
    <section className="said" aria-label={`Answer of ${name}`}>
      <h3>{name}</h3>
      <div className="answer">{turn === null || turn.content === '' ? (running ? '…' : failed === null ? '(nothing)' : '') : turn.content}</div>
      {failed !== null && <ErrorNote error={failed} />}
      {turn?.receipt !== undefined && (
        <p className="row small dim">
          <span>
            <Amount wei={turn.fee ?? '0'} /> for {many(turn.tokens ?? 0, 'token')}
          </span>
          <Link to="/receipts/$id" params={{ id: turn.receipt }}>
            Receipt
          </Link>
        </p>
      )}
    </section>
  );
}
