// An order commits to its hyper-parameters by SHA2-256 of their JSON, as the Go type
// protocol.Hyper writes it: this order of the fields, these left out where they are not
// set, numbers as 32-bit floats. The tests hold it to vectors made there.
import { type Hex, sha256, stringToBytes } from 'viem';
import type { Schemas } from '../api/client';

export type Hyper = Omit<Schemas['Hyper'], 'merge'>;

/** A number as encoding/json writes a float32: the fewest digits that give it back. */
function float(v: number): string {
  const want = Math.fround(v);
  for (let digits = 1; digits <= 9; digits++) {
    const n = Number(want.toPrecision(digits));
    if (Math.fround(n) === want) return String(n);
  }
  return String(want);
}

/** A string as encoding/json writes it: safe inside HTML. */
function text(s: string): string {
  return JSON.stringify(s).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The JSON that is hashed. */
export function hyperJSON(h: Hyper): string {
  const out: string[] = [];
  const put = (name: keyof Hyper, json: string) => {
    out.push(`"${name}":${json}`);
  };
  const list = h.targets;
  put('rank', String(h.rank ?? 0));
  put('alpha', float(h.alpha ?? 0));
  put('targets', list === null || list === undefined ? 'null' : `[${list.map(text).join(',')}]`);
  put('learning_rate', float(h.learning_rate ?? 0));
  put('weight_decay', float(h.weight_decay ?? 0));
  put('epochs', String(h.epochs ?? 0));
  put('batch_size', String(h.batch_size ?? 0));
  put('max_length', String(h.max_length ?? 0));
  put('warmup_ratio', float(h.warmup_ratio ?? 0));
  put('seed', String(h.seed ?? 0));
  put('prompt_template', text(h.prompt_template ?? ''));
  put('answer_template', text(h.answer_template ?? ''));
  if (h.schedule !== undefined && h.schedule !== '') put('schedule', text(h.schedule));
  if (h.accumulation !== undefined && h.accumulation !== 0) put('accumulation', String(h.accumulation));
  if (h.clip_norm !== undefined && h.clip_norm !== 0) put('clip_norm', float(h.clip_norm));
  if (h.rslora === true) put('rslora', 'true');
  if (h.eval_ratio !== undefined && h.eval_ratio !== 0) put('eval_ratio', float(h.eval_ratio));
  if (h.eval_steps !== undefined && h.eval_steps !== 0) put('eval_steps', String(h.eval_steps));
  if (h.patience !== undefined && h.patience !== 0) put('patience', String(h.patience));
  if (h.held_out !== undefined && h.held_out !== '') put('held_out', text(h.held_out));
  return `{${out.join(',')}}`;
}

/** SHA2-256 of the hyper-parameters. */
export function hyperHash(h: Hyper): Hex {
  return sha256(stringToBytes(hyperJSON(h)));
}
