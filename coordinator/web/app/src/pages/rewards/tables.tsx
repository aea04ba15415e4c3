// What was earned, added up, and batch by batch.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { digestOf } from '../../lib/cid';
import { type By, type Standing, standing, totals } from '../../lib/earnings';
import { count } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Empty, Id, When } from '../../ui/basic';
import { DatanetLink, RecordId, WorkerId } from '../../ui/names';
import { BatchLink } from '../receipts/link';

const roles: Record<Schemas['PayoutRole'], string> = {
  platform: 'the network',
  worker: 'worker',
  agent: 'agent',
  owner: 'owner of the adapter',
  royalty: 'royalty',
  datanet: 'datanet',
  staker: 'staker',
  contributor: 'contributor',
  pool: 'pool',
};

const none = `0x${'0'.repeat(64)}`;
const most = 200;

/** Shares added up by record, datanet or model. */
export function TotalTable({ earnings, by }: { earnings: Schemas['Earning'][]; by: By }) {
  const now = useNow();
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), enabled: by === 'adapter' });
  const rows = useMemo(() => totals(earnings, by), [earnings, by]);
  if (rows.length === 0) {
    return (
      <Empty title="No record of this account was in an answer yet">
        <p>What it earned in other roles is under the other tabs.</p>
      </Empty>
    );
  }
  const named = (adapter: string) => models.data?.models.find((m) => m.cid !== undefined && digestOf(m.cid) === adapter)?.id;
  return (
    <div className="card table">
      <table>
        <thead>
          <tr>
            <th>{by === 'record' ? 'Record' : by === 'datanet' ? 'Datanet' : 'Model'}</th>
            {by === 'record' && <th>Datanet</th>}
            <th>As</th>
            <th className="num">Answers</th>
            <th className="num">Earned</th>
            <th>Last</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, most).map((r) => (
            <tr key={r.key}>
              <td>
                {by === 'record' && <RecordId datanet={r.datanet} value={r.record} />}
                {by === 'datanet' && <DatanetLink id={r.datanet} />}
                {by === 'adapter' && (r.adapter === none ? 'the base' : (named(r.adapter) ?? <Id value={r.adapter} label="adapter" />))}
              </td>
              {by === 'record' && (
                <td>
                  <DatanetLink id={r.datanet} />
                </td>
              )}
              <td>{roles[r.role]}</td>
              <td className="num">{count(r.answers)}</td>
              <td className="num">
                <Amount wei={r.amount} digits={9} />
              </td>
              <td className="nowrap"><When at={r.last} now={now} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && <p className="dim small">The {most} that earned most of {count(rows.length)}.</p>}
    </div>
  );
}

const tones: Record<Standing, 'good' | 'accent' | 'plain' | 'bad'> = { claimed: 'good', claimable: 'accent', waiting: 'plain', 'in an epoch': 'plain', lost: 'bad' };

/** What single batches pay, the newest first. */
export function BatchTable({ earnings }: { earnings: Schemas['Earning'][] }) {
  const now = useNow();
  return (
    <div className="card table">
      <table>
        <thead>
          <tr>
            <th>Worker</th>
            <th className="num">Batch</th>
            <th className="num">Answers</th>
            <th className="num">Amount</th>
            <th>State</th>
            <th>Transaction</th>
          </tr>
        </thead>
        <tbody>
          {earnings
            .toReversed()
            .slice(0, most)
            .map((e) => (
              <tr key={`${e.claim.worker}-${e.claim.nonce}`}>
                <td>
                  <WorkerId value={e.claim.worker} />
                </td>
                <td className="num nowrap">
                  <BatchLink worker={e.claim.worker} nonce={e.claim.nonce} />
                </td>
                <td className="num">{count(new Set(e.shares.map((s) => s.receipt)).size)}</td>
                <td className="num">
                  <Amount wei={e.claim.amount} digits={9} />
                </td>
                <td>
                  <State earning={e} now={now} />
                </td>
                <td>
                  <Id value={e.tx} label="transaction" />
                </td>
              </tr>
            ))}
        </tbody>
      </table>
      {earnings.length > most && <p className="dim small">The newest {most} of {count(earnings.length)}.</p>}
    </div>
  );
}

function State({ earning: e, now }: { earning: Schemas['Earning']; now: number }) {
  const s = standing(e);
  if (s === 'lost') return <Badge tone="bad">rejected: pays nobody</Badge>;
  if (s === 'waiting' && e.status === 'disputed') return <Badge tone="warn">disputed</Badge>;
  if (s === 'waiting' && e.claimable_at * 1000 > now) return <Badge>claimable <When at={e.claimable_at * 1000} now={now} /></Badge>;
  return <Badge tone={tones[s]}>{s}</Badge>;
}
