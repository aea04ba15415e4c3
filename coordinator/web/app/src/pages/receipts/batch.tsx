import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ApiError, data, type Schemas } from '../../api/client';
import { batchState } from '../../lib/disputes';
import { count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Button, Card, Empty, ErrorNote, Id, Loading, Note, PageHead, Stat } from '../../ui/basic';
import { WorkerId } from '../../ui/names';
import { Parts } from '../../ui/parts';
import { Fetched } from '../../ui/query';
import { Fact } from './link';
import { ReceiptTable } from './table';

const route = getRouteApi('/batches/$worker/$nonce');

/** One batch: where it stands, whom it pays, and the receipts that it settles. */
export default function Batch() {
  const { worker, nonce } = route.useParams();
  const now = useNow();
  const query = useQuery({
    queryKey: ['batch', worker, nonce],
    queryFn: () => data(api.GET('/api/v1/batches/{worker}/{nonce}', { params: { path: { worker, nonce: Number(nonce) } } })),
    refetchInterval: (q) => (q.state.data?.read === true && q.state.data.status !== 'pending' && q.state.data.status !== 'disputed' ? 30_000 : 5000),
  });
  return (
    <>
      <PageHead title={`Batch ${nonce}`} sub={<>of worker <WorkerId value={worker} /></>}>
        {query.data !== undefined && <State batch={query.data} now={now} />}
      </PageHead>
      <Fetched query={query} what="the batch">
        {(batch) => <Whole batch={batch} now={now} />}
      </Fetched>
      <p>
        <Link to="/receipts" search={{ tab: 'batches' }}>
          All batches
        </Link>
      </p>
    </>
  );
}

function State({ batch, now }: { batch: Schemas['BatchPage']; now: number }) {
  const s = batchState(batch, now);
  return <Badge tone={s.tone}>{s.text}</Badge>;
}

function Whole({ batch: b, now }: { batch: Schemas['BatchPage']; now: number }) {
  const s = batchState(b, now);
  return (
    <>
      <Note tone={s.tone === 'bad' ? 'error' : s.tone === 'warn' ? 'warn' : s.tone === 'good' ? 'good' : 'info'}>
        <span>{s.detail}</span>
        {b.dispute > 0 && (
          <span>
            <Link to="/disputes/$id" params={{ id: String(b.dispute) }}>
              Dispute {b.dispute}
            </Link>{' '}
            {b.disputes > 1 ? `is the latest of ${b.disputes} about it.` : 'is about it.'}
          </span>
        )}
      </Note>
      <div className="grid">
        <Stat label="Total" value={<Amount wei={b.total} />} />
        <Stat label="Claimed singly" value={<Amount wei={b.claimed} />} />
        <Stat label="Payees" value={count(b.leaves)} />
        <Stat label="Receipts" value={b.read ? count(b.receipts.length) : 'not known yet'} />
      </div>
      <div className="grid two">
        <Card title="Whom it pays">
          {b.status === 'rejected' ? (
            <p className="dim">Nobody: it was rejected.</p>
          ) : !b.read ? (
            <p className="dim">Its document has not been found yet. Whom it pays stands there.</p>
          ) : (
            <Parts paid={b.paid} />
          )}
        </Card>
        <Card title="On the chain">
          <dl className="facts">
            <Fact name="Submitted">{new Date(b.at * 1000).toLocaleString()}</Fact>
            <Fact name="Claimable">{new Date(b.opens_at * 1000).toLocaleString()}</Fact>
            <Fact name="Transaction">{b.tx === undefined ? <span className="dim">not noted here yet</span> : <Id value={b.tx} label="transaction" />}</Fact>
            {b.block !== undefined && <Fact name="Block">{count(b.block)}</Fact>}
            <Fact name="Root">
              <Id value={b.root} label="root" />
            </Fact>
            <Fact name="Document">
              <a href={`/api/v1/blocks/${b.document}`}>{b.document.slice(0, 14)}…</a>
            </Fact>
            <Fact name="Its CID">
              <Id value={b.document_cid} label="CID" />
            </Fact>
          </dl>
        </Card>
      </div>
      <Card title="Receipts in it">
        {b.read ? <Receipts ids={b.receipts} now={now} /> : <p className="dim">They stand in its document, which has not been found yet.</p>}
      </Card>
    </>
  );
}

const page = 20;

/** The receipts of a batch that this coordinator accepted, some at a time, and the names of others. */
function Receipts({ ids, now }: { ids: string[]; now: number }) {
  const [shown, setShown] = useState(page);
  const list = useQueries({
    queries: ids.slice(0, shown).map((id) => ({
      queryKey: ['receipt', id],
      queryFn: () => data(api.GET('/api/v1/receipts/{id}', { params: { path: { id } } })),
      staleTime: 60_000,
      retry: (n: number, e: Error) => n < 2 && !absent(e),
    })),
  });
  if (ids.length === 0) return <Empty title="It has none" />;
  const views = list.flatMap((q) => (q.data === undefined ? [] : [q.data]));
  const others = ids.slice(0, shown).filter((_, i) => absent(list[i]?.error));
  const failed = list.find((q) => q.isError && !absent(q.error));
  return (
    <>
      {views.length > 0 && <ReceiptTable receipts={views} now={now} />}
      {list.some((q) => q.isPending) && <Loading what="receipts" />}
      {failed !== undefined && <ErrorNote error={failed.error} retry={() => void failed.refetch()} />}
      {others.length > 0 && (
        <>
          <p className="dim small">Answers that went through another coordinator:</p>
          <ul className="plain">
            {others.map((id) => (
              <li key={id}>
                <Id value={id} label="receipt" />
              </li>
            ))}
          </ul>
        </>
      )}
      {shown < ids.length && (
        <div>
          <Button
            onClick={() => {
              setShown(shown + page);
            }}
          >
            Show more of {count(ids.length)}
          </Button>
        </div>
      )}
    </>
  );
}

function absent(e: unknown): boolean {
  return e instanceof ApiError && e.status === 404;
}
