import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data } from '../../api/client';
import { ago, count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Empty, Id, PageHead } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';
import { useLive } from '../../live/events';
import { ReceiptTable } from './table';

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
          <Empty title="No receipts yet" />
        ) : (
          <div className="card">
            <ReceiptTable receipts={receipts} now={now} />
          </div>
        )
      }
    </Fetched>
  );
}

function BatchList() {
  const live = useLive();
  const now = useNow();
  const query = useQuery({ queryKey: ['batches'], queryFn: () => data(api.GET('/api/v1/batches')), refetchInterval: live ? 30_000 : 5000 });
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
