// What a form for a fine-tune holds, what is wrong with it, and how long it may take.
import type { Schemas } from '../../api/client';
import { wei } from '../../lib/format';
import { fieldsOf } from '../../lib/template';
import type { Hyper } from '../../wallet/hyper';

export type Options = Schemas['TrainingOptions'];

/** The form, as written: numbers stay text until they are read. */
export interface Plan {
  name: string;
  datanet: number;
  version: number;
  prompt: string;
  answer: string;
  price: string;
  rank: string;
  alpha: string;
  targets: string[];
  rate: string;
  schedule: string;
  batch: string;
  epochs: string;
  maxLength: string;
  evalShare: string;
  patience: string;
}

export function planOf(o: Options): Plan {
  const d = o.defaults;
  return {
    name: '',
    datanet: 0,
    version: 0,
    prompt: '',
    answer: '',
    price: '0.01',
    rank: String(d.rank ?? ''),
    alpha: '',
    targets: d.targets ?? [],
    rate: String(d.learning_rate ?? ''),
    schedule: o.schedules[0] ?? '',
    batch: String(d.batch_size ?? ''),
    epochs: String(d.epochs ?? ''),
    maxLength: String(d.max_length ?? ''),
    evalShare: '0',
    patience: '0',
  };
}

export type Wrong = Partial<Record<keyof Plan, string>>;

function whole(text: string, least: number, most: number): string | undefined {
  const n = Number(text);
  return /^\d+$/.test(text.trim()) && n >= least && n <= most ? undefined : `Write a whole number from ${least} to ${most}.`;
}

/** What is wrong, field by field, with what to do. */
export function check(p: Plan, o: Options): Wrong {
  const out: Wrong = {};
  const set = (field: keyof Plan, wrong: string | undefined) => {
    if (wrong !== undefined) out[field] = wrong;
  };
  if (!/^[a-z0-9._-]{1,64}$/.test(p.name)) set('name', 'Use 1 to 64 small letters, digits, dots, lines: my-first-adapter.');
  if (p.datanet === 0) set('datanet', 'Choose a datanet.');
  if (p.version === 0) set('version', 'Choose a published version.');
  for (const [field, source] of [['prompt', p.prompt], ['answer', p.answer]] as const) {
    try {
      if (field === 'answer' && fieldsOf(source).length === 0) set(field, 'Name at least one field of the record, such as {answer}: else every answer would be the same.');
      else if (source.trim() === '') set(field, 'Write what the model is asked, with fields such as {question}.');
      else fieldsOf(source);
    } catch (error) {
      set(field, error instanceof Error ? error.message : String(error));
    }
  }
  try {
    wei(p.price);
  } catch (error) {
    set('price', error instanceof Error ? error.message : String(error));
  }
  set('rank', whole(p.rank, 1, o.limits.rank));
  if (p.alpha.trim() !== '' && !(Number(p.alpha) > 0 && Number(p.alpha) < 1e6)) set('alpha', 'Write a number above 0, or leave it empty.');
  if (p.targets.length === 0) set('targets', 'Choose at least one part of the model.');
  if (!(Number(p.rate) > 0 && Number(p.rate) <= 1)) set('rate', 'Write a number above 0 and up to 1, such as 0.001.');
  set('batch', whole(p.batch, 1, o.limits.batch));
  set('epochs', whole(p.epochs, 1, o.limits.epochs));
  set('maxLength', whole(p.maxLength, 2, 1_000_000));
  const share = Number(p.evalShare);
  if (!(p.evalShare.trim() !== '' && share >= 0 && share <= o.limits.eval_ratio * 100)) set('evalShare', `Write a share from 0 to ${o.limits.eval_ratio * 100} %.`);
  set('patience', whole(p.patience, 0, o.limits.patience));
  if (out.patience === undefined && Number(p.patience) > 0 && share === 0) set('patience', 'Stopping early needs records that are held out: set the share above 0.');
  return out;
}

/** The hyper-parameters of a plan without faults. */
export function hyperOf(p: Plan, o: Options): Hyper {
  const d = o.defaults;
  const rank = Number(p.rank);
  // The trainer's own default: as many times the rank as its defaults have it.
  const scale = (d.alpha ?? 0) / (d.rank ?? 1);
  return {
    rank,
    alpha: p.alpha.trim() === '' ? scale * rank : Number(p.alpha),
    targets: o.targets.filter((t) => p.targets.includes(t)) as NonNullable<Hyper['targets']>,
    learning_rate: Number(p.rate),
    weight_decay: d.weight_decay ?? 0,
    epochs: Number(p.epochs),
    batch_size: Number(p.batch),
    max_length: Number(p.maxLength),
    warmup_ratio: d.warmup_ratio ?? 0,
    seed: d.seed ?? 0,
    prompt_template: p.prompt,
    answer_template: p.answer,
    ...(p.schedule === '' ? {} : { schedule: p.schedule as NonNullable<Hyper['schedule']> }),
    ...(Number(p.evalShare) > 0 ? { eval_ratio: Number(p.evalShare) / 100 } : {}),
    ...(Number(p.patience) > 0 ? { patience: Number(p.patience) } : {}),
  };
}

/** The fields of the form that hold hyper-parameters, by the names that a refusal has. */
const fields: Record<string, keyof Plan> = {
  rank: 'rank', alpha: 'alpha', targets: 'targets', learning_rate: 'rate', schedule: 'schedule', batch_size: 'batch', epochs: 'epochs',
  max_length: 'maxLength', eval_ratio: 'evalShare', patience: 'patience', prompt_template: 'prompt', answer_template: 'answer',
};

/** Which field of the form a refusal is about, if it is one of these. */
export function fieldOf(param: string | null): keyof Plan | null {
  const at = param ?? '';
  if (at === 'datanet' || at === 'version') return at;
  return fields[at.replace(/^hyper\./, '')] ?? null;
}
