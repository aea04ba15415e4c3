// What a key was used for, by day and model, as a picture shows it.
export interface UsageRow {
  /** UTC, like 2026-11-21. */
  day: string;
  model: string;
  requests: number;
  prompt_tokens: number;
  output_tokens: number;
  /** Wei. */
  fee: string;
}

export type Measure = 'fee' | 'tokens' | 'requests';

const measure = (r: UsageRow, by: Measure): number =>
  by === 'fee' ? Number(BigInt(r.fee) / 10n ** 9n) / 1e9 : by === 'tokens' ? r.prompt_tokens + r.output_tokens : r.requests;

/** Colours of the picture, less the one for what is left. */
const most = 3;

/**
 * A line for each of the models that make up most, and one for the others; a point for
 * each of so many UTC days up to the one of `now`, whether there is a row for it or not.
 * Fees are in OPEN.
 */
export function usageByDay(rows: UsageRow[], by: Measure, days: number, now: number) {
  const sums = new Map<string, number>();
  for (const r of rows) sums.set(r.model, (sums.get(r.model) ?? 0) + measure(r, by));
  const models = [...sums].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).map(([m]) => m);
  // One that is left over is no "others".
  const shown = models.length <= most + 1 ? models : models.slice(0, most);
  const series = shown.map((label, i) => ({ key: `m${i}`, label }));
  if (shown.length < models.length) series.push({ key: `m${most}`, label: `${models.length - most} others` });
  const today = Math.floor(now / 86_400_000);
  const points = Array.from({ length: days }, (_, i): Record<string, number> => {
    const at = (today - days + 1 + i) * 86_400_000;
    return { at, ...Object.fromEntries(series.map((s) => [s.key, 0])) };
  });
  for (const r of rows) {
    const point = points[Date.parse(`${r.day}T00:00:00Z`) / 86_400_000 - (today - days + 1)];
    const i = shown.indexOf(r.model);
    const key = `m${i < 0 ? most : i}`;
    if (point !== undefined) point[key] = (point[key] ?? 0) + measure(r, by);
  }
  return { series, points };
}

/** All rows together. */
export function usageTotal(rows: UsageRow[]): { requests: number; prompt_tokens: number; output_tokens: number; fee: bigint } {
  const sum = { requests: 0, prompt_tokens: 0, output_tokens: 0, fee: 0n };
  for (const r of rows) {
    sum.requests += r.requests;
    sum.prompt_tokens += r.prompt_tokens;
    sum.output_tokens += r.output_tokens;
    sum.fee += BigInt(r.fee);
  }
  return sum;
}
