// Values of governed parameters, as people write and read them: whole numbers of a unit on
// the chain; amounts of OPEN, lengths of time and percentages here.
import type { Schemas } from '../api/client';
import { open, wei } from './format';

export type Field = Schemas['GovernedSetting']['fields'][number];
type Unit = Field['unit'];

const spans: [string, bigint][] = [
  ['d', 86400n],
  ['h', 3600n],
  ['min', 60n],
  ['s', 1n],
];

/** A value as it can be edited: `parse` reads it back. */
export function written(unit: Unit, value: bigint): string {
  switch (unit) {
    case 'wei':
      return open(value).replaceAll(',', '');
    case 'basis points':
      return hundredths(value);
    case 'account':
      return `0x${value.toString(16).padStart(40, '0')}`;
    case 'seconds':
      return time(value);
    default:
      return String(value);
  }
}

/** What stands behind an edited value. */
export const suffix: Record<Unit, string> = { wei: 'OPEN', 'basis points': '%', percent: '%', account: '', seconds: '', blocks: 'blocks', number: '' };

/** A value in words. */
export function shown(unit: Unit, value: bigint): string {
  const text = unit === 'wei' ? open(value) : written(unit, value);
  return suffix[unit] === '' ? text : `${text} ${suffix[unit]}`;
}

/** The value that somebody wrote. Throws with what to write. */
export function parse(unit: Unit, text: string): bigint {
  const t = text.trim();
  switch (unit) {
    case 'wei':
      return wei(t);
    case 'basis points': {
      const m = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(t);
      if (m === null) throw new Error('Write a percentage such as 12.5, with up to two digits after the point.');
      return BigInt(m[1] ?? '0') * 100n + BigInt((m[2] ?? '').padEnd(2, '0'));
    }
    case 'account':
      if (!/^0x[0-9a-fA-F]{40}$/.test(t)) throw new Error('Write an account: 0x and 40 hex digits.');
      return BigInt(t);
    case 'seconds':
      return seconds(t);
    default:
      if (!/^\d{1,78}$/.test(t)) throw new Error('Write a whole number.');
      return BigInt(t);
  }
}

/** What is wrong with a value for a field; undefined: nothing. */
export function wrong(field: Field, value: bigint): string | undefined {
  if (value < BigInt(field.min)) return `It has to be at least ${shown(field.unit, BigInt(field.min))}.`;
  if (value > BigInt(field.max)) return `It can be at most ${shown(field.unit, BigInt(field.max))}.`;
  return undefined;
}

/** Between what a field's contract takes it; undefined: anything. */
export function bounds(field: Field): string | undefined {
  if (field.unit === 'account') return undefined;
  const [min, max] = [BigInt(field.min), BigInt(field.max)];
  if (field.bounded) return `${shown(field.unit, min)} to ${shown(field.unit, max)}`;
  return min === 0n || field.unit === 'wei' || field.unit === 'seconds' ? (min === 0n ? undefined : 'above 0') : `at least ${shown(field.unit, min)}`;
}

function hundredths(value: bigint): string {
  const rest = String(value % 100n).padStart(2, '0').replace(/0+$/, '');
  return String(value / 100n) + (rest === '' ? '' : `.${rest}`);
}

/** Seconds in all the units that it takes, such as "1 d 12 h". */
function time(value: bigint): string {
  const parts: string[] = [];
  let rest = value;
  for (const [name, size] of spans) {
    if (rest >= size) parts.push(`${String(rest / size)} ${name}`);
    rest %= size;
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

function seconds(text: string): bigint {
  if (!/^\d{1,20}\s*(d|h|min|s)(\s*\d{1,20}\s*(d|h|min|s))*$/.test(text)) throw new Error('Write a length of time such as 7 d, 36 h, 90 min or 1 d 12 h.');
  let sum = 0n;
  for (const m of text.matchAll(/(\d+)\s*(d|h|min|s)/g)) sum += BigInt(m[1] ?? '0') * (spans.find(([name]) => name === m[2])?.[1] ?? 0n);
  return sum;
}
