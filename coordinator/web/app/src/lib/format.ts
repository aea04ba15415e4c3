// What the network counts, as people read it.

/** Wei in one OPEN. */
export const OPEN = 10n ** 18n;

/**
 * An amount of wei as OPEN: exact when `digits` is left out, else cut (never rounded up,
 * so that nobody is promised more than there is) with "<" before what is too small to show.
 */
export function open(wei: bigint | string, digits?: number): string {
  const value = typeof wei === 'string' ? BigInt(wei) : wei;
  const sign = value < 0n ? '-' : '';
  const abs = value < 0n ? -value : value;
  const whole = (abs / OPEN).toLocaleString('en-US');
  const fraction = (abs % OPEN).toString().padStart(18, '0');
  if (digits === undefined) {
    const exact = fraction.replace(/0+$/, '');
    return sign + whole + (exact === '' ? '' : `.${exact}`);
  }
  const shown = fraction.slice(0, digits);
  if (abs > 0n && abs / OPEN === 0n && /^0*$/.test(shown)) {
    return `<${sign}0.${'0'.repeat(Math.max(digits - 1, 0))}1`;
  }
  const cut = shown.replace(/0+$/, '');
  return sign + whole + (cut === '' ? '' : `.${cut}`);
}

/** Wei of an amount of OPEN that a person wrote. Throws with what to do. */
export function wei(text: string): bigint {
  const m = /^(\d+)(?:\.(\d{1,18}))?$/.exec(text.trim().replaceAll(',', ''));
  if (m === null) throw new Error('Write an amount such as 12.5, with up to 18 digits after the point.');
  return BigInt(m[1] ?? '0') * OPEN + BigInt((m[2] ?? '').padEnd(18, '0') || '0');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes with a binary unit. */
export function bytes(n: number): string {
  let unit = 0;
  let v = n;
  while (v >= 1024 && unit < units.length - 1) {
    v /= 1024;
    unit++;
  }
  return `${unit === 0 || v >= 100 ? Math.round(v) : v.toFixed(1)} ${units[unit] ?? 'B'}`;
}

/** A count with separators. */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** A count with what is counted, in the singular or the plural. */
export function many(n: number, one: string, more = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : more}`;
}

/** A share of one as a percentage. */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** A length of time in its two largest units; `ms` in milliseconds. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const parts: [number, string][] = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const i = parts.findIndex(([size]) => s >= size);
  const [size, name] = parts[i] ?? [1, 's'];
  const next = parts[i + 1];
  const rest = s % size;
  const second = next === undefined ? 0 : Math.floor(rest / next[0]);
  return `${Math.floor(s / size)} ${name}${second > 0 && next !== undefined ? ` ${second} ${next[1]}` : ''}`;
}

/** How long ago, or how far ahead, a Unix time in milliseconds is. */
export function ago(at: number, now: number): string {
  const d = now - at;
  if (Math.abs(d) < 1500) return 'now';
  return d > 0 ? `${duration(d)} ago` : `in ${duration(-d)}`;
}

/** A hash, account or CID in the middle of a sentence. */
export function short(id: string): string {
  return id.length <= 14 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`;
}
