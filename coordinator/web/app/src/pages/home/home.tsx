import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { count, many } from '../../lib/format';
import { useNow } from '../../lib/now';
import { useLive } from '../../live/events';
import { Amount, Badge, Card, Empty, PageHead, Stat } from '../../ui/basic';
import { Parts } from '../../ui/parts';
import { Fetched } from '../../ui/query';
import { ReceiptTable } from '../receipts/table';
import { Flow } from './flow';

// Events say when to read anew; these are for when none come.
const every = 30_000;
const shown = 8;

/** What the network does now, and the way in for each kind of visitor. */
export default function Home() {
  const live = useLive();
  const refetchInterval = live ? every : every / 6;
  const query = useQuery({ queryKey: ['stats'], queryFn: () => data(api.GET('/api/v1/stats')), refetchInterval });
  const receipts = useQuery({
    queryKey: ['receipts', shown],
    queryFn: () => data(api.GET('/api/v1/receipts', { params: { query: { limit: shown } } })),
    refetchInterval,
  });
  const now = useNow();
  const list = receipts.data?.receipts ?? [];
  const s = query.data;
  return (
    <>
      <PageHead title="OpenLedger" sub="Models whose data has owners: every answer says which records it came from, and pays them.">
        {live && <Badge tone="good">live</Badge>}
      </PageHead>
      <div className="grid">
        <Stat label="Workers" value={number(s?.workers)} hint={`${many(s?.running ?? 0, 'answer')} under way`} />
        <Stat label="Adapters" value={number(s?.adapters)} hint={s !== undefined && s.training > 0 ? `${count(s.training)} in training` : 'none in training'} />
        <Stat label="Records" value={number(s?.records)} hint={`in ${many(s?.datanets ?? 0, 'datanet')}`} />
        <Stat label="Answers" value={number(s?.total.requests)} hint={`${count(s?.day.requests ?? 0)} in the last 24 hours`} />
        <Stat label="OPEN paid" value={s === undefined ? '–' : <Amount wei={s.total.settled} digits={6} />} hint={<Today s={s} />} />
      </div>
      <WaysIn />
      <div className="grid two">
        <Card title="What happens now">
          <Flow
            answers={list.map((r) => r.receipt.id)}
            counts={{ datanets: s?.datanets, adapters: s?.adapters, workers: s?.workers, receipts: s?.total.requests }}
            training={s !== undefined && s.training > 0}
          />
        </Card>
        <Card title="Whom it was paid to">
          <Fetched query={query} what="what was paid">
            {({ total }) =>
              total.paid.length === 0 ? (
                <Empty title="Nothing has settled yet">
                  <p>Workers send their receipts to the chain together, some seconds or minutes after the answers.</p>
                </Empty>
              ) : (
                <>
                  <Parts paid={total.paid} />
                  <p className="dim small">
                    By {many(total.batches, 'batch', 'batches')} of {many(total.receipts, 'receipt')} since the first block.
                  </p>
                </>
              )
            }
          </Fetched>
        </Card>
      </div>
      <Card title="Latest answers" aside={<Link to="/receipts">All receipts</Link>}>
        <Fetched query={receipts} what="receipts">
          {() => (list.length === 0 ? <Empty title="No answers yet"><Link to="/playground">Ask a model</Link></Empty> : <ReceiptTable receipts={list} now={now} short />)}
        </Fetched>
      </Card>
    </>
  );
}

/** Where to begin, for each kind of visitor. */
function WaysIn() {
  return (
    <nav aria-label="Where to begin" className="grid ways">
      <Link to="/playground" className="card">
        <strong>Ask a model</strong>
        <span className="dim small">and see whose records its answer rests on</span>
      </Link>
      <Link to="/datanets" className="card">
        <strong>Give records</strong>
        <span className="dim small">to a datanet, and earn when answers use them</span>
      </Link>
      <Link to="/factory" className="card">
        <strong>Train an adapter</strong>
        <span className="dim small">on a datanet, in minutes and without code</span>
      </Link>
      <Link to="/workers" className="card">
        <strong>Look at the workers</strong>
        <span className="dim small">who answers, for how much, and how fast</span>
      </Link>
    </nav>
  );
}

function number(n: number | undefined): string {
  return n === undefined ? '–' : count(n);
}

function Today({ s }: { s: Schemas['Stats'] | undefined }) {
  if (s === undefined) return null;
  return (
    <>
      <Amount wei={s.day.settled} digits={6} /> in the last 24 hours
    </>
  );
}
