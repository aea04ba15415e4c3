import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { api, data } from '../../api/client';
import { useKey } from '../../chain/key';
import { count, many, open } from '../../lib/format';
import { useNow } from '../../lib/now';
import { type Measure, usageByDay, type UsageRow, usageTotal } from '../../lib/usage';
import { Amount, Button, Card, Empty, Loading } from '../../ui/basic';
import { SelectField, TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';

const Chart = lazy(() => import('../../ui/chart'));

/** What a key was used for; only who has its secret can ask. */
export function useUsage(secret: string | null, days: number) {
  return useQuery({
    queryKey: ['usage', secret, days],
    enabled: secret !== null,
    // A key that was not used yet may be any moment.
    refetchInterval: (q) => (q.state.data?.usage.length === 0 ? 5000 : false),
    queryFn: () => data(api.GET('/api/v1/usage', { params: { query: { days } }, headers: { Authorization: `Bearer ${secret ?? ''}` } })),
  });
}

/** Usage by day and model, of this browser's key or of one that is pasted in. */
export function Usage({ account }: { account: string }) {
  const [kept, keep] = useKey(account);
  const [pasted, setPasted] = useState('');
  const [other, setOther] = useState<string | null>(null);
  const [days, setDays] = useState(30);
  const secret = other ?? kept;
  const usage = useUsage(secret, days);
  return (
    <Card title="Usage">
      <div className="row end">
        <SelectField label="Days" value={days} onChange={(e) => { setDays(Number(e.target.value)); }}>
          {[7, 30, 90, 365].map((d) => (
            <option key={d} value={d}>
              the last {d}
            </option>
          ))}
        </SelectField>
        <form
          className="row end"
          onSubmit={(e) => {
            e.preventDefault();
            setOther(pasted.trim() === '' ? null : pasted.trim());
          }}
        >
          <TextField label="Secret of another key" type="password" autoComplete="off" placeholder="ol-…" value={pasted} onChange={(e) => { setPasted(e.target.value); }} />
          <Button type="submit">Show</Button>
        </form>
      </div>
      <p className="dim small">
        {other !== null ? 'Of the key that you pasted, which is not kept.' : kept !== null ? 'Of the key that this browser keeps, which the playground uses.' : ''} Days are of UTC.
        {other === null && kept !== null && (
          <>
            {' '}
            <Button small onClick={() => { keep(null); }}>
              Forget this browser&apos;s key
            </Button>
          </>
        )}
      </p>
      {secret === null ? (
        <Empty title="This browser keeps no key">
          <p>A key is known by its secret only: paste one to see its usage, or make one above and use it here.</p>
        </Empty>
      ) : (
        <Fetched query={usage} what="usage">
          {(u) => <Used rows={u.usage} days={days} />}
        </Fetched>
      )}
    </Card>
  );
}

const measures: Record<Measure, string> = { fee: 'OPEN paid', tokens: 'tokens', requests: 'requests' };
const day = (at: number) => new Date(at).toLocaleDateString(undefined, { month: 'short', day: 'numeric', timeZone: 'UTC' });

function Used({ rows, days }: { rows: UsageRow[]; days: number }) {
  const [by, setBy] = useState<Measure>('fee');
  const now = useNow(60_000);
  if (rows.length === 0) {
    return (
      <Empty title="No answers in these days">
        <Link to="/playground">Ask a model</Link>
      </Empty>
    );
  }
  const { series, points } = usageByDay(rows, by, days, now);
  const sum = usageTotal(rows);
  return (
    <>
      <SelectField label="Show" value={by} onChange={(e) => { setBy(e.target.value as Measure); }}>
        {Object.entries(measures).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </SelectField>
      <Suspense fallback={<Loading what="the chart" lines={6} />}>
        <Chart
          data={points}
          x={{ key: 'at', label: '' }}
          series={series}
          formatX={day}
          format={(v) => (by === 'fee' ? v.toPrecision(3).replace(/\.?0+(e|$)/, '$1') : count(v))}
          summary={`${many(sum.requests, 'request')} in ${days} days for ${open(sum.fee, 6)} OPEN; the table has every number.`}
        />
      </Suspense>
      <div className="table" role="region" aria-label="Usage by day and model" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th>Day</th>
              <th>Model</th>
              <th className="num">Requests</th>
              <th className="num">Tokens in</th>
              <th className="num">Tokens out</th>
              <th className="num">Paid</th>
            </tr>
          </thead>
          <tbody>
            {rows.toReversed().map((r) => (
              <tr key={`${r.day} ${r.model}`}>
                <td className="nowrap">{r.day}</td>
                <td>{r.model}</td>
                <td className="num">{count(r.requests)}</td>
                <td className="num">{count(r.prompt_tokens)}</td>
                <td className="num">{count(r.output_tokens)}</td>
                <td className="num">
                  <Amount wei={r.fee} />
                </td>
              </tr>
            ))}
            <tr>
              <th scope="row" colSpan={2}>
                In all
              </th>
              <td className="num">{count(sum.requests)}</td>
              <td className="num">{count(sum.prompt_tokens)}</td>
              <td className="num">{count(sum.output_tokens)}</td>
              <td className="num">
                <Amount wei={sum.fee} />
              </td>
            </tr>
          </tbody>
        </table>
      </div>
    </>
  );
}
