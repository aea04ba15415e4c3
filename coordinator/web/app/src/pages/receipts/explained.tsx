// Where an answer comes from: its text with what records repeat, the records, the money,
// and running it again. The receipt's page and the playground show the same.
import { useQuery } from '@tanstack/react-query';
import { CheckCircle2, OctagonAlert } from 'lucide-react';
import { useId, useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { count, many, percent } from '../../lib/format';
import { Amount, Badge, Button, Empty, ErrorNote, Note } from '../../ui/basic';
import { AccountId, DatanetLink, RecordLink } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { BatchLink } from './link';

type Explanation = Schemas['Explanation'];

/** What the weights of one attribution add up to, pool included. */
export const scale = 1_000_000_000;

/** An answer's explanation. It is asked for again until the answer's batch pays. */
export function useExplanation(receipt: string, enabled = true) {
  return useQuery({
    queryKey: ['explanation', receipt],
    enabled,
    retry: 3,
    queryFn: () => data(api.GET('/api/v1/receipts/{id}/attribution', { params: { path: { id: receipt } } })),
    refetchInterval: (q) => (q.state.data?.batch === undefined ? 15_000 : false),
  });
}

/** What a record has of the fee: by itself, or of the price of a datanet that was read. */
export function earned(of: Explanation, record: string, datanet?: number): bigint {
  return of.payments.filter((p) => p.record === record && p.datanet === datanet).reduce((n, p) => n + BigInt(p.amount), 0n);
}

/** The number, from 1, under which a record is shown. */
function numberOf(e: Explanation, record: string): number {
  return e.records.findIndex((r) => r.record === record) + 1;
}

/** The answer with what records repeat marked; a mark leads to its record. */
export function Highlighted({ of, chosen, onChoose }: { of: Explanation; chosen: string | null; onChoose: (record: string) => void }) {
  return (
    <div className="answer">
      {of.parts.map((p, i) => {
        const first = p.records[0];
        if (first === undefined) return <span key={i}>{p.text}</span>;
        const numbers = p.records.map((r) => numberOf(of, r));
        return (
          <mark
            key={i}
            role="button"
            tabIndex={0}
            className={`hit hit-${((numbers[0] ?? 1) - 1) % 4}`}
            data-chosen={chosen !== null && p.records.includes(chosen)}
            aria-label={`${p.text}: also in record ${numbers.join(' and ')}`}
            onClick={() => { onChoose(first); }}
            onKeyDown={(e) => {
              if (e.key !== 'Enter' && e.key !== ' ') return;
              e.preventDefault();
              onChoose(first);
            }}
          >
            {p.text}
          </mark>
        );
      })}
    </div>
  );
}

/** The records behind an answer, by weight. */
export function Behind({ of, chosen }: { of: Explanation; chosen: string | null }) {
  if (of.records.length === 0) {
    return <Empty title="No record is behind this answer">It comes from the base model itself, or every record was below the threshold.</Empty>;
  }
  return (
    <ol className="behind">
      {of.records.map((r, i) => (
        <li key={r.record} className={`hit-${i % 4}`} data-chosen={r.record === chosen} ref={(el) => { if (r.record === chosen) el?.scrollIntoView({ block: 'nearest' }); }}>
          <div className="row spread">
            <strong>
              {i + 1}. {r.title ?? 'A record'}
            </strong>
            <Badge tone="accent">{percent(r.weight / scale, 1)}</Badge>
          </div>
          <div className="meter" role="presentation">
            <span style={{ width: `${(r.weight / scale) * 100}%` }} />
          </div>
          <Fields record={r} />
          <p className="small dim row">
            by <AccountId value={r.contributor} />
            {of.datanet !== 0 && <RecordLink datanet={of.datanet} record={r.record} />}
            {r.repeated > 0 && <span>{many(r.repeated, 'token')} word for word</span>}
            <Earned of={of} record={r.record} />
          </p>
        </li>
      ))}
      {of.pool > 0 && <li className="small dim">{of.pool * 1000 < scale ? 'Less than 0.1 %' : percent(of.pool / scale, 1)} was below the threshold: the datanet&apos;s public pool has it.</li>}
    </ol>
  );
}

function Fields({ record }: { record: Explanation['records'][number] }) {
  const fields = Object.entries(record.fields ?? {}).filter(([name, text]) => name !== 'title' || text !== record.title);
  if (record.missing !== undefined) return <p className="small dim">Its text is not shown: {record.missing}.</p>;
  if (fields.length === 0) return null;
  return (
    <details>
      <summary className="small">{clip(longest(fields.map(([, text]) => text)))}</summary>
      <dl className="stack tight small">
        {fields.map(([name, text]) => (
          <div key={name}>
            <dt className="dim">{name}</dt>
            <dd className="prose">{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Of a record's fields, such as a page's number and its text, the one that says most. */
function longest(texts: string[]): string {
  return texts.reduce((a, b) => (b.length > a.length ? b : a), '');
}

function clip(text: string): string {
  return text.length > 90 ? `${text.slice(0, 90)}…` : text;
}

function Earned({ of, record }: { of: Explanation; record: string }) {
  return <Earns wei={earned(of, record)} />;
}

function Earns({ wei }: { wei: bigint }) {
  if (wei === 0n) return null;
  return (
    <span>
      earns <Amount wei={wei} />
    </span>
  );
}

/** What the answer was given to read, numbered as it cites it. */
export function Read({ of }: { of: Explanation }) {
  return (
    <ol className="behind" aria-label="Records that it read">
      {of.read.map((c, i) => (
        <li key={c.number} className={`hit-${i % 4}`}>
          <div className="row spread">
            <strong>
              [{c.number}] {c.title === '' ? 'A record' : c.title}
            </strong>
            <Badge tone="accent">{percent(c.weight / scale, 1)}</Badge>
          </div>
          <div className="meter" role="presentation">
            <span style={{ width: `${(c.weight / scale) * 100}%` }} />
          </div>
          <details>
            <summary className="small">{clip(c.excerpt)}</summary>
            <p className="prose small">{c.excerpt}</p>
          </details>
          <p className="small dim row">
            by <AccountId value={c.contributor} />
            <RecordLink datanet={c.datanet} record={c.record} />
            <span>
              datanet <DatanetLink id={c.datanet} />, version {c.version}
            </span>
            {c.used.length > 0 && <span>cited or repeated {c.used.length === 1 ? 'once' : `${count(c.used.length)} times`}</span>}
            <Earns wei={earned(of, c.record, c.datanet)} />
          </p>
        </li>
      ))}
    </ol>
  );
}

const roles: Record<Explanation['payments'][number]['role'], string> = {
  platform: 'Treasury',
  worker: 'Worker that computed it',
  agent: 'Owner of the agent',
  owner: 'Owner of the adapter',
  royalty: 'Owner of a model it is made from',
  datanet: 'Owner of a datanet it read',
  staker: 'Staker of the worker',
  contributor: 'Contributor of a record',
  pool: 'Public pool of the datanet',
};

/** Which record or datanet a payment is for. */
function whose(of: Explanation, p: Explanation['payments'][number]): string {
  if (p.datanet === undefined) return p.record === undefined ? '' : ` ${numberOf(of, p.record)}`;
  const read = of.read.find((c) => c.datanet === p.datanet && c.record === p.record);
  return read === undefined ? ` ${p.datanet}` : ` [${read.number}]`;
}

/** Who has what of the fee. */
export function Payments({ of }: { of: Explanation }) {
  if (of.payments.length === 0) return <Empty title="This answer cost nothing" />;
  return (
    <>
      <div className="table">
        <table>
          <thead>
            <tr>
              <th>For what</th>
              <th>Account</th>
              <th className="num">Amount</th>
            </tr>
          </thead>
          <tbody>
            {of.payments.map((p, i) => (
              <tr key={i}>
                <td>
                  {roles[p.role]}
                  {whose(of, p)}
                </td>
                <td>
                  <AccountId value={p.account} />
                </td>
                <td className="num">
                  <Amount wei={p.amount} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="small dim">
        {of.batch === undefined ? (
          'As the rules and stakes stand now: the batch that pays it takes those of its own block.'
        ) : (
          <>
            Paid by <BatchLink worker={of.batch.worker} nonce={of.batch.nonce} /> of the worker.
          </>
        )}
      </p>
    </>
  );
}

/** Has the coordinator run the answer again, and shows what agrees. */
export function Verify({ receipt }: { receipt: string }) {
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const [report, setReport] = useState<Schemas['Verification'] | null>(null);
  const run = () => {
    setBusy(true);
    setFailed(null);
    data(api.POST('/api/v1/receipts/{id}/verify', { params: { path: { id: receipt } } }))
      .then(setReport, setFailed)
      .finally(() => { setBusy(false); });
  };
  return (
    <div className="stack tight" aria-live="polite">
      <div className="row">
        <Button busy={busy} onClick={run} aria-describedby={id}>
          {report === null ? 'Verify' : 'Verify again'}
        </Button>
        <span className="small dim" id={id}>
          The coordinator runs it again and compares every bit.
        </span>
      </div>
      {failed !== null && <ErrorNote error={failed} retry={run} />}
      {report !== null && (
        <Note tone={report.ok ? 'good' : 'error'}>
          <strong>{report.ok ? `Every bit is the same (${(report.took_ms / 1000).toFixed(1)} s)` : 'It does not come out the same'}</strong>
          <ul className="checks">
            {report.steps.map((s) => (
              <li key={s.name}>
                {s.ok ? <CheckCircle2 size={16} aria-label="holds:" /> : <OctagonAlert size={16} aria-label="fails:" />} {s.name}
                {s.detail !== undefined && `: ${s.detail}`}
              </li>
            ))}
          </ul>
        </Note>
      )}
    </div>
  );
}

/** All of it, as one block under an answer. */
export function Explained({ receipt }: { receipt: string }) {
  const query = useExplanation(receipt);
  const [chosen, setChosen] = useState<string | null>(null);
  return (
    <Fetched query={query} what="where the answer comes from">
      {(e) => (
        <div className="stack">
          <Highlighted of={e} chosen={chosen} onChoose={setChosen} />
          <div className="grid two">
            <div className="stack tight">
              <h3>Records behind it</h3>
              <Behind of={e} chosen={chosen} />
              {e.read.length > 0 && (
                <>
                  <h3>What it read</h3>
                  <Read of={e} />
                </>
              )}
            </div>
            <div className="stack tight">
              <h3>Who earns what</h3>
              <Payments of={e} />
            </div>
          </div>
          <Verify receipt={receipt} />
        </div>
      )}
    </Fetched>
  );
}
