import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { disputeBadge, outcome, reasonText, subject } from '../../lib/disputes';
import { useNow } from '../../lib/now';
import { Amount, Badge, Card, Id, Note, PageHead } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { BatchLink, Fact } from './link';

const route = getRouteApi('/disputes/$id');

/** One dispute: who challenged what and why, who judges it, and what became of it. */
export default function Dispute() {
  const { id } = route.useParams();
  const now = useNow();
  const query = useQuery({
    queryKey: ['dispute', id],
    queryFn: () => data(api.GET('/api/v1/disputes/{id}', { params: { path: { id: Number(id) } } })),
    refetchInterval: (q) => (q.state.data?.status === 'waiting' || q.state.data?.status === 'voting' ? 5000 : 30_000),
  });
  const badge = query.data === undefined ? undefined : disputeBadge[query.data.status];
  return (
    <>
      <PageHead title={`Dispute ${id}`} sub={query.data === undefined ? undefined : <>about {subject(query.data)}</>}>
        {badge !== undefined && <Badge tone={badge.tone}>{badge.text}</Badge>}
      </PageHead>
      <Fetched query={query} what="the dispute">
        {(d) => <Whole dispute={d} now={now} />}
      </Fetched>
      <p>
        <Link to="/receipts" search={{ tab: 'disputes' }}>
          All disputes
        </Link>
      </p>
    </>
  );
}

const none = `0x${'0'.repeat(64)}`;
const tones = { waiting: 'warn', voting: 'warn', guilty: 'error', upheld: 'good', undecided: 'info' } as const;

function Whole({ dispute: d, now }: { dispute: Schemas['DisputePage']; now: number }) {
  const first = d.steps.find((s) => s.what === 'challenged')?.reason ?? d.reason;
  return (
    <>
      <Note tone={tones[d.status]}>
        <span>{outcome(d, now)}</span>
      </Note>
      <div className="grid two">
        <Card title="What is disputed">
          <p>
            The challenger says of {d.epoch === 0 ? <BatchLink worker={d.worker} nonce={d.nonce} /> : subject(d)}: {reasonText(first)}.
          </p>
          {d.status === 'guilty' && d.reason !== first && <p>The committee found: {reasonText(d.reason)}.</p>}
          <dl className="facts">
            {d.epoch === 0 && (
              <Fact name="Worker">
                <Id value={d.worker} label="account" />
              </Fact>
            )}
            <Fact name="Challenged by">
              <Id value={d.challenger} label="account" />
            </Fact>
            <Fact name="Bond">
              <Amount wei={d.bond} />
            </Fact>
            <Fact name="Document">
              <a href={`/api/v1/blocks/${d.document}`}>{d.document.slice(0, 14)}…</a>
            </Fact>
            {d.evidence !== none && (
              <Fact name="Digest of the evidence">
                <Id value={d.evidence} label="digest" />
              </Fact>
            )}
          </dl>
        </Card>
        <Card title="Committee" aside={d.quorum > 0 ? <span className="dim small">{d.quorum} of a kind decide</span> : undefined}>
          {d.seats.length === 0 ? (
            <p className="dim">{d.status === 'waiting' ? 'It is yet to be drawn from the validators, by stake.' : 'Nobody sits in this round any more.'}</p>
          ) : (
            <div className="table">
              <table>
                <thead>
                  <tr>
                    <th>Validator</th>
                    <th>Says</th>
                  </tr>
                </thead>
                <tbody>
                  {d.seats.map((s, i) => (
                    <tr key={i}>
                      <td>
                        <Id value={s.member} label="account" />
                      </td>
                      <td>
                        <Vote vote={s.vote} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Card>
      </div>
      <Card title="What happened">
        <div className="table">
          <table>
            <thead>
              <tr>
                <th>When</th>
                <th>What</th>
                <th>Transaction</th>
              </tr>
            </thead>
            <tbody>
              {d.steps.map((s, i) => (
                <tr key={i}>
                  <td>
                    <time dateTime={new Date(s.at * 1000).toISOString()}>{new Date(s.at * 1000).toLocaleString()}</time>
                  </td>
                  <td>
                    <Step step={s} />
                  </td>
                  <td>
                    <Id value={s.tx} label="transaction" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </>
  );
}

function Vote({ vote }: { vote: 'none' | 'upheld' | 'guilty' }) {
  if (vote === 'none') return <Badge>nothing yet</Badge>;
  return vote === 'guilty' ? <Badge tone="bad">wrong</Badge> : <Badge tone="good">right</Badge>;
}

/** One thing that happened, in a sentence. */
function Step({ step: s }: { step: Schemas['DisputeStep'] }) {
  const who = s.account !== undefined && <Id value={s.account} label="account" />;
  const amount = s.amount !== undefined && <Amount wei={s.amount} />;
  const why = s.reason === undefined ? '' : reasonText(s.reason);
  switch (s.what) {
    case 'challenged':
      return (
        <>
          {who} challenged it with a bond of {amount}: {why}.
        </>
      );
    case 'drawn':
      return (
        <>
          A committee of {s.members?.length} was drawn for round {s.round}.
        </>
      );
    case 'verdict':
      return s.vote === 'guilty' ? (
        <>
          {who} says that it is wrong: {why}.
        </>
      ) : (
        <>{who} says that it is right.</>
      );
    case 'slashed':
      return (
        <>
          {who} lost {amount} of stake: {why}.
        </>
      );
    case 'jailed':
      return (
        <>
          {who} may not work until {new Date((s.until ?? 0) * 1000).toLocaleString()}.
        </>
      );
    case 'resolved':
      return <>Decided: {s.outcome === undefined ? 'over' : disputeBadge[s.outcome].text}.</>;
  }
}
