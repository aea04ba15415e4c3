import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api, data } from '../../api/client';
import { count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Empty, Id, PageHead, When } from '../../ui/basic';
import { WorkerId } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';
import { useLive } from '../../live/events';
import { DisputeList } from './disputes';
import { BatchLink } from './link';
import { ReceiptTable } from './table';

const route = getRouteApi('/receipts');

/** The explorer: receipts of answers, the batches that settled them, and disputes about batches. */
export default function Receipts() {
  const { tab = 'receipts', worker } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <>
      <PageHead title="Receipts" sub="Every answer has a receipt, signed by its worker; batches of them settle on the chain, where anybody can dispute them." />
      <Tabs
        label="Explorer"
        value={tab}
        onChange={(to) => void navigate({ search: to === 'receipts' ? {} : { tab: to }, replace: true })}
        tabs={[
          { key: 'receipts', label: 'Receipts', panel: () => <ReceiptList /> },
          { key: 'batches', label: 'Batches', panel: () => <BatchList worker={worker} /> },
          { key: 'disputes', label: 'Disputes', panel: () => <DisputeList /> },
        ]}
      />
    </>
  );
}

function ReceiptList() {
  const live = useLive();
  const now = useNow();
  const query = useQuery({
    queryKey: ['receipts', 100],
    queryFn: () => data(api.GET('/api/v1/receipts', { params: { query: { limit: 100 } } })),
    refetchInterval: live ? 30_000 : 5000,
  });
  return (
    <Fetched query={query} what="receipts">
      {({ receipts }) =>
        receipts.length === 0 ? (
          <Empty title="No receipts yet">
            <p>
              <Link to="/playground">Ask a model</Link>: its answer will be the first.
            </p>
          </Empty>
        ) : (
          <div className="card">
            <ReceiptTable receipts={receipts} now={now} />
          </div>
        )
      }
    </Fetched>
  );
}

const most = 200;

function BatchList({ worker }: { worker: string | undefined }) {
  const live = useLive();
  const now = useNow();
  const query = useQuery({ queryKey: ['batches'], queryFn: () => data(api.GET('/api/v1/batches')), refetchInterval: live ? 30_000 : 5000 });
  return (
    <Fetched query={query} what="batches">
      {({ batches: all }) => {
        const batches = all.filter((b) => worker === undefined || b.worker.toLowerCase() === worker.toLowerCase()).toReversed();
        return batches.length === 0 ? (
          <Empty title="Nothing has settled yet">
            <p>Workers send their receipts to the chain together, some seconds or minutes after the answers.</p>
            {worker !== undefined && <Link to="/receipts" search={{ tab: 'batches' }}>Batches of all workers</Link>}
          </Empty>
        ) : (
          <div className="card table">
            {worker !== undefined && (
              <p className="row">
                Of worker <WorkerId value={worker} />
                <Link to="/receipts" search={{ tab: 'batches' }}>
                  all workers
                </Link>
              </p>
            )}
            <table>
              <thead>
                <tr>
                  <th>Worker</th>
                  <th className="num">Batch</th>
                  <th className="num">Total</th>
                  <th className="num">Payees</th>
                  <th>Root</th>
                  <th>Document</th>
                  <th>Challenge window</th>
                </tr>
              </thead>
              <tbody>
                {batches.slice(0, most).map((b) => (
                  <tr key={`${b.worker}-${b.nonce}`}>
                    <td>
                      <WorkerId value={b.worker} />
                    </td>
                    <td className="num nowrap">
                      <BatchLink worker={b.worker} nonce={b.nonce} />
                    </td>
                    <td className="num">
                      <Amount wei={b.total} />
                    </td>
                    <td className="num">{count(b.leaves)}</td>
                    <td>
                      <Id value={b.root} label="root" />
                    </td>
                    <td>
                      <Id value={b.document} label="document" />
                    </td>
                    <td className="nowrap">{b.opens_at * 1000 > now ? <>ends <When at={b.opens_at * 1000} now={now} /></> : <Badge tone="good">over</Badge>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {batches.length > most && <p className="dim small">The newest {most} of {count(batches.length)}.</p>}
          </div>
        );
      }}
    </Fetched>
  );
}
