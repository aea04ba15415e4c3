import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { count, many, percent } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Card, Empty, Id, Note, PageHead, Stat, When } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { byTier, roundTrip } from './held';
import { WhyNot } from './whynot';

const route = getRouteApi('/workers/$id');

/** One worker: what it can do, what it asks, what it holds, what it earned, and why it would not be chosen. */
export default function Worker() {
  const { id } = route.useParams();
  const query = useQuery({ queryKey: ['workers'], queryFn: () => data(api.GET('/api/v1/workers')), refetchInterval: 3000 });
  const now = useNow();
  return (
    <Fetched query={query} what="the worker" page="Worker">
      {({ workers }) => {
        const w = workers.find((x) => x.peer === id || x.worker.toLowerCase() === id.toLowerCase());
        if (w === undefined) {
          return (
            <>
              <PageHead title="Worker" sub={<Id value={id} label="worker" />} />
              <Empty title="This worker has not been heard of for a while">
                <p>A worker that is up announces itself twice a minute.</p>
                {id.startsWith('0x') && (
                  <p className="row">
                    <Link to="/receipts" search={{ tab: 'batches', worker: id }}>
                      What it settled
                    </Link>
                    <Link to="/rewards" search={{ account: id }}>
                      What its account earned
                    </Link>
                  </p>
                )}
                <Link to="/workers">All workers</Link>
              </Empty>
            </>
          );
        }
        return (
          <>
            <PageHead title={`Worker …${w.peer.slice(-10)}`} sub={<>heard of <When at={w.issued_at} now={now} /></>}>
              {w.trains && <Badge tone="accent">trains</Badge>}
              {w.reason === undefined ? <Badge tone="good">ready</Badge> : <Badge tone="warn">not chosen now</Badge>}
            </PageHead>
            {w.reason !== undefined && (
              <Note tone="warn">
                The scheduler would not choose it now: {w.reason}
              </Note>
            )}
            <div className="grid">
              <Stat label="Answers under way" value={`${w.running} / ${w.slots}`} hint={`${w.waiting} waiting`} />
              <Stat label="Tokens a second" value={count(Math.round(w.decode_tps))} hint={w.profile} />
              <Stat
                label="Room in the cache"
                value={w.total_kv === undefined || w.total_kv === 0 ? many(w.free_kv, 'token') : percent(w.free_kv / w.total_kv, 0)}
                hint={`${many(w.free_kv, 'token')} free`}
              />
              <Stat label="Round trip" value={roundTrip(w.round_trip)} hint="measured from this coordinator" />
              <Stat label="Stake" value={<Amount wei={w.stake} digits={2} />} hint="what it loses part of when it lies" />
              <Earned account={w.payout} />
            </div>
            <div className="grid two">
              <Card title="Ask">
                <dl className="facts">
                  <dt>1,000 tokens in</dt>
                  <dd>
                    <Amount wei={w.price.input_per_1k} />
                  </dd>
                  <dt>1,000 tokens out</dt>
                  <dd>
                    <Amount wei={w.price.output_per_1k} />
                  </dd>
                  <dt>Owner</dt>
                  <dd>
                    <AccountId value={w.worker} />
                  </dd>
                  <dt>Paid to</dt>
                  <dd>
                    <AccountId value={w.payout} />
                  </dd>
                  <dt>Hardware</dt>
                  <dd>{w.hardware === undefined ? 'not stated' : `${w.hardware}, as it says itself`}</dd>
                  <dt>Batches</dt>
                  <dd>
                    <Link to="/receipts" search={{ tab: 'batches', worker: w.worker }}>
                      what it settled
                    </Link>
                  </dd>
                  <dt>Peer</dt>
                  <dd>
                    <Id value={w.peer} label="peer" />
                  </dd>
                  <dt>Base</dt>
                  <dd>
                    <Id value={w.base} label="base" />
                  </dd>
                </dl>
              </Card>
              <Held worker={w} />
            </div>
            <WhyNot peer={w.peer} />
            <Card title="Where it is reached">
              <ul className="stack tight">
                {w.addresses.map((a) => (
                  <li key={a}>
                    <code>{a}</code>
                  </li>
                ))}
              </ul>
            </Card>
          </>
        );
      }}
    </Fetched>
  );
}

/** What the account that the worker's pay goes to has earned, whatever else it earns with. */
function Earned({ account }: { account: string }) {
  const query = useQuery({
    queryKey: ['earnings', account],
    queryFn: () => data(api.GET('/api/v1/accounts/{address}/earnings', { params: { path: { address: account } } })),
    refetchInterval: 10_000,
  });
  const e = query.data;
  return (
    <Stat
      label="Earned by its account"
      value={e === undefined ? '–' : <Amount wei={e.earned} />}
      hint={
        query.isError ? (
          query.error.message
        ) : (
          <>
            {e !== undefined && (
              <>
                <Amount wei={e.claimable} /> to be claimed:{' '}
              </>
            )}
            <Link to="/rewards" search={{ account }}>
              for what
            </Link>
          </>
        )
      }
    />
  );
}

function Held({ worker: w }: { worker: Schemas['Worker'] }) {
  const tiers = byTier(w.adapters ?? []);
  return (
    <Card title="Adapters at hand">
      {tiers.length === 0 ? (
        <p className="dim">None yet: it fetches an adapter when somebody asks for it.</p>
      ) : (
        <dl className="facts">
          {tiers.map(({ tier, adapters }) => (
            <div key={tier} style={{ display: 'contents' }}>
              <dt>
                {tier} ({adapters.length})
              </dt>
              <dd>
                <ul className="plain">
                  {adapters.map((a) => (
                    <li key={a.tag}>
                      {a.name === undefined ? (
                        <span className="dim">
                          one that the registry does not name, <code>{a.tag}</code>
                        </span>
                      ) : (
                        <Link to="/playground" search={{ model: a.name }}>
                          {a.name}
                        </Link>
                      )}{' '}
                      {a.cid !== undefined && <Id value={a.cid} label="CID" />}
                    </li>
                  ))}
                </ul>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  );
}
