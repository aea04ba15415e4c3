import { CartesianGrid, Legend, Line, LineChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';

export interface Series {
  key: string;
  label: string;
}

/**
 * Lines over one axis. `summary` says in words what the picture shows, for those who do
 * not see it. Loaded by itself: import it with React.lazy.
 */
export default function Chart({ data, x, series, summary, format = String, formatX = String }: {
  data: Record<string, number | null>[];
  x: Series;
  series: Series[];
  summary: string;
  format?: (v: number) => string;
  formatX?: (v: number) => string;
}) {
  return (
    <figure className="stack tight" style={{ margin: 0 }}>
      <div className="chart" aria-hidden="true">
        <ResponsiveContainer width="100%" height="100%">
          <LineChart accessibilityLayer={false} data={data} margin={{ top: 8, right: 12, bottom: 4, left: 0 }}>
            <CartesianGrid stroke="var(--border)" strokeDasharray="3 4" />
            <XAxis dataKey={x.key} type="number" domain={['dataMin', 'dataMax']} stroke="var(--text-2)" tickFormatter={formatX} />
            <YAxis stroke="var(--text-2)" width="auto" tickFormatter={(v: number) => format(v)} domain={['auto', 'auto']} />
            <Tooltip
              contentStyle={{ background: 'var(--surface)', border: '1px solid var(--border)', borderRadius: 8 }}
              labelFormatter={(v) => `${x.label} ${typeof v === 'number' ? formatX(v) : ''}`}
              formatter={(v) => (typeof v === 'number' ? format(v) : '')}
            />
            {series.length > 1 && <Legend />}
            {series.map((s, i) => (
              <Line key={s.key} dataKey={s.key} name={s.label} stroke={`var(--series-${(i % 4) + 1})`} strokeWidth={2} dot={false} connectNulls isAnimationActive={false} />
            ))}
          </LineChart>
        </ResponsiveContainer>
      </div>
      <figcaption className="dim small">{summary}</figcaption>
    </figure>
  );
}
