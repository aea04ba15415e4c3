import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { count } from '../../lib/format';
import { feeOf } from '../../lib/roles';
import { Amount, Badge, Card, Id, PageHead, Stat } from '../../ui/basic';
import { AccountId, DatanetLink, WorkerId } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { Explained, useExplanation } from './explained';
import { BatchLink, Fact } from './link';

const route = getRouteApi('/receipts/$id');

/** One receipt, whole: what was asked and answered, what it cost, whose records it rests on. */
export default function Receipt() {
  const { id } = route.useParams();
  const query = useQuery({
    queryKey: ['receipt', id],
    queryFn: () => data(api.GET('/api/v1/receipts/{id}', { params: { path: { id } } })),
    refetchInterval: (q) => (q.state.data?.settled === true ? false : 5000),
  });
  return (
    <>
      <PageHead title="Receipt" sub={<Id value={id} label="receipt" />}>
        {query.data !== undefined && (query.data.settled ? <Badge tone="good">settled on chain</Badge> : <Badge>not settled yet</Badge>)}
      </PageHead>
      <Fetched query={query} what="the receipt">
        {(view) => <Whole view={view} />}
      </Fetched>
    </>
  );
}

function Whole({ view }: { view: Schemas['ReceiptView'] }) {
  const { receipt: r, evidence: e } = view;
  const prompt = e.job.prompt ?? e.job.messages?.map((m) => `${m.role}: ${m.content}`).join('\n') ?? '';
  return (
    <>
      <div className="grid">
        <Stat label="Fee" value={<Amount wei={feeOf(r)} />} />
        <Stat label="Compute" value={<Amount wei={r.compute} />} hint="to the worker" />
        <Stat label="Access" value={<Amount wei={r.access} />} hint="to owner, stakers and contributors" />
        <Stat label="Tokens in / out" value={`${count(r.prompt_tokens)} / ${count(r.output_tokens)}`} hint={`ended by ${e.finished_by}`} />
      </div>
      <Card title="Asked">
        <pre>{prompt}</pre>
      </Card>
      <Card title="Answered">
        <Explained receipt={r.id} />
        <p className="dim small">Algorithm of the attribution: {e.attribution.algorithm}</p>
      </Card>
      <Card title="What the worker signed">
        <dl className="facts">
          <Fact name="Finished">{new Date(r.finished_at).toLocaleString()}</Fact>
          <Fact name="Asked by">
            <AccountId value={r.requester} />
          </Fact>
          <Fact name="Worker">
            <WorkerId value={r.worker} />
          </Fact>
          <Fact name="Node key">
            <Id value={view.node_key} label="account" />
          </Fact>
          <Fact name="Base">
            <Id value={r.base} label="base" />
          </Fact>
          <Fact name="Adapter">
            <Id value={r.adapter} label="adapter" />
          </Fact>
          <Fact name="Datanet"><DatanetLink id={r.datanet} /></Fact>
          <Fact name="Hash of the answer's tokens">
            <Id value={r.output_hash} label="hash" />
          </Fact>
          <Fact name="Hash of the attribution">
            <Id value={r.attribution_root} label="hash" />
          </Fact>
          <Fact name="Evidence">
            <a href={`/api/v1/blocks/${r.evidence}`}>{r.evidence.slice(0, 14)}…</a>
          </Fact>
          <Batch receipt={r.id} />
          <Fact name="Numeric profile">{e.profile}</Fact>
        </dl>
      </Card>
      <p>
        <Link to="/receipts">All receipts</Link>
      </p>
    </>
  );
}

/** The batch that settles it, once that was seen. */
function Batch({ receipt }: { receipt: string }) {
  const batch = useExplanation(receipt).data?.batch;
  return <Fact name="Settled by">{batch === undefined ? <span className="dim">no batch yet</span> : <BatchLink worker={batch.worker} nonce={batch.nonce} />}</Fact>;
}
