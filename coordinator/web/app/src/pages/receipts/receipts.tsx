import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../../api/client';
import { ago, count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Empty, Id, PageHead } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';

/** The explorer: receipts of answers, and the batches that settled them. */
export default function Receipts() {
  const [tab, setTab] = useState<'receipts' | 'batches'>('receipts');
  return (
    <>
      <PageHead title="Receipts" sub="Every answer has a receipt, signed by its worker; batches of them settle on the chain." />
      <Tabs
        label="Explorer"
        value={tab}
        onChange={setTab}
        tabs={[
          { key: 'receipts', label: 'Receipts', panel: () => <ReceiptList /> },
          { key: 'batches', label: 'Batches', panel: () => <BatchList /> },
        ]}
      />
    </>
  );
}

function ReceiptList() {
  const now = useNow();
  const query = useQuery({
    queryKey: ['receipts', 100],
    queryFn: () => data(api.GET('/api/v1/receipts', { params: { query: { limit: 100 } } })),
    refetchInterval: 5000,
  });
  return (
    <Fetched query={query} what="receipts">
      {({ receipts }) =>
        receipts.length === 0 ? (
          <Empty title="No receipts yet" />
        ) : (
          <div className="card table">
            <table>
              <thead>
                <tr>
                  <th>Receipt</th>
                  <th>Asked by</th>
                  <th>Worker</th>
                  <th className="num">Tokens in / out</th>
                  <th className="num">Fee</th>
                  <th className="num">Records</th>
                  <th>When</th>
                  <th>Settled</th>
                </tr>
              </thead>
              <tbody>
                {receipts.map((r) => (
                  <tr key={r.receipt.id}>
                    <td>
                      <Link to="/receipts/$id" params={{ id: r.receipt.id }}>
                        <code>{r.receipt.id.slice(0, 12)}</code>
                      </Link>
                    </td>
                    <td>
                      <Id value={r.receipt.requester} label="account" />
                    </td>
                    <td>
                      <Id value={r.receipt.worker} label="account" />
                    </td>
                    <td className="num">
                      {count(r.receipt.prompt_tokens)} / {count(r.receipt.output_tokens)}
                    </td>
                    <td className="num">
                      <Amount wei={BigInt(r.receipt.compute) + BigInt(r.receipt.access)} />
                    </td>
                    <td className="num">{count(r.evidence.attribution.shares?.length ?? 0)}</td>
                    <td className="nowrap">{ago(r.receipt.finished_at, now)}</td>
                    <td>{r.settled ? <Badge tone="good">on chain</Badge> : <Badge>not yet</Badge>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Fetched>
  );
}

function BatchList() {
  const now = useNow();
  const query = useQuery({ queryKey: ['batches'], queryFn: () => data(api.GET('/api/v1/batches')), refetchInterval: 5000 });
  return (
    <Fetched query={query} what="batches">
      {({ batches }) =>
        batches.length === 0 ? (
          <Empty title="Nothing has settled yet">
            <p>Workers send their receipts to the chain together, some seconds or minutes after the answers.</p>
          </Empty>
        ) : (
          <div className="card table">
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
                {batches.toReversed().map((b) => (
                  <tr key={`${b.worker}-${b.nonce}`}>
                    <td>
                      <Id value={b.worker} label="account" />
                    </td>
                    <td className="num">{b.nonce}</td>
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
                    <td className="nowrap">{b.opens_at * 1000 > now ? <>ends {ago(b.opens_at * 1000, now)}</> : <Badge tone="good">over</Badge>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Fetched>
  );
}
