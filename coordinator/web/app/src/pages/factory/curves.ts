// The curves of a training, as rows of one chart.
import type { Schemas } from '../../api/client';
import { many } from '../../lib/format';

type Status = Schemas['TrainingStatus'];
type Eval = Schemas['TrainingEval'];

export interface Point {
  [key: string]: number | null;
  step: number;
  learned: number | null;
  held: number | null;
}

/** Hyper-parameters in words; those that are not set are left to the trainer. */
export function settings(h: Schemas['Hyper']): string[] {
  const out: string[] = [];
  const put = (value: number | undefined, text: (n: number) => string) => {
    if (value !== undefined && value !== 0) out.push(text(value));
  };
  put(h.epochs, (n) => many(n, 'epoch'));
  put(h.learning_rate, (n) => `learning rate ${n}${(h.schedule ?? '') === '' ? '' : `, ${h.schedule ?? ''}`}`);
  put(h.rank, (n) => `rank ${n}`);
  put(h.alpha, (n) => `alpha ${n}`);
  put(h.batch_size, (n) => `batches of ${n}`);
  put(h.max_length, (n) => `examples of up to ${many(n, 'token')}`);
  put(h.eval_ratio, (n) => `${Math.round(n * 1000) / 10} % held out`);
  put(h.patience, (n) => `stops after ${many(n, 'check')} without progress`);
  if (h.targets !== null && h.targets !== undefined && h.targets.length > 0) out.push(`adds to ${h.targets.join(', ')}`);
  return out;
}

/** Points of one curve that are drawn: more are not told apart. */
const drawn = 400;

/** Every so many-th of a list, with its last. */
function thin<T>(list: T[]): T[] {
  const every = Math.ceil(list.length / drawn);
  return list.filter((_, i) => i % every === 0 || i === list.length - 1);
}

/** One row a step that has something: the loss on what it learns, and on what is held out. */
export function curves(s: Pick<Status, 'losses' | 'steps'>, evals: Eval[]): Point[] {
  const rows = new Map<number, Point>();
  const at = (step: number) => {
    const row = rows.get(step) ?? { step, learned: null, held: null };
    rows.set(step, row);
    return row;
  };
  // Jobs of earlier days have losses without their steps.
  for (const { step, loss } of thin((s.losses ?? []).map((loss, i) => ({ step: s.steps?.[i] ?? i + 1, loss })))) at(step).learned = loss;
  for (const e of thin(evals)) at(e.step).held = e.loss;
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

/** What the held-out curve says, in words. `best` is the evaluation of the adapter that is kept. */
export function verdict(evals: Eval[], best: Eval | undefined): string | null {
  const [base] = evals;
  const last = evals.at(-1);
  if (base === undefined || last === undefined || best === undefined || evals.length < 2) return null;
  if (best.loss >= base.loss) return 'On held-out records it does no better than the base: the records may have nothing in common, or there are too few of them. It remembers what it learned, and little more.';
  if (last.loss > best.loss * 1.02) return `From step ${best.step} on it was overfitting: it still got better at what it learns and worse at what it does not. The adapter of step ${best.step} was kept.`;
  if (last.step === best.step) return 'The held-out loss fell to the end: it is not overfitting, and more epochs may still help.';
  return `The held-out loss has been level since step ${best.step}, whose adapter was kept: more epochs would not help.`;
}
