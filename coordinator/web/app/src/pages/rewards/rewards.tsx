import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { isAddress } from 'viem';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { claimCalls } from '../../chain/claims';
import { useTransact } from '../../chain/transact';
import { overTime } from '../../lib/earnings';
import { many, open } from '../../lib/format';
import { Amount, Button, Card, Empty, ErrorNote, Id, Loading, Note, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { BatchTable, TotalTable } from './tables';

const Chart = lazy(() => import('../../ui/chart'));
const route = getRouteApi('/rewards');

/** What an account earned, for which records, and claiming it. */
export default function Rewards() {
  const { account: asked } = route.useSearch();
  const { signer } = useWallet();
  const account = asked !== undefined && isAddress(asked, { strict: false }) ? asked : signer?.account.address;
  return (
    <>
      <PageHead title="Rewards" sub={account === undefined ? 'What your records, adapters, agents and workers earned.' : <>of <Id value={account} label="account" /></>} />
      {asked !== undefined && account !== asked && <Note tone="warn">“{asked.slice(0, 64)}” is no account: it has 0x and 40 hex digits.</Note>}
      {account === undefined ? <NeedsAccount why="Connect an account to see what it earned, and to claim it." /> : <Earned key={account} account={account} />}
    </>
  );
}

function Earned({ account }: { account: string }) {
  const query = useQuery({
    queryKey: ['earnings', account],
    queryFn: () => data(api.GET('/api/v1/accounts/{address}/earnings', { params: { path: { address: account } } })),
    refetchInterval: 5000,
  });
  return (
    <Fetched query={query} what="what was earned">
      {(e) => (
        <>
          <div className="grid">
            <Stat label="Earned" value={<Amount wei={e.earned} />} hint="in all settled answers" />
            <Stat label="To be claimed" value={<Amount wei={e.claimable} />} hint="now" />
            <Stat label="Waiting" value={<Amount wei={e.waiting} />} hint="until challenge windows end" />
            <Stat label="Claimed" value={<Amount wei={e.claimed} />} />
          </div>
          {e.unreadable > 0 && <Note tone="warn">{many(e.unreadable, 'batch', 'batches')} could not be read: nobody within reach has them now. What they owe is not lost, and shows here once somebody has them again.</Note>}
          <ClaimCard earned={e} />
          {e.earnings.length === 0 ? (
            <Card>
              <Empty title="Nothing earned yet">
                <p>Answers that rest on your records, use your adapter or run on your worker pay you when their batch settles on the chain.</p>
              </Empty>
            </Card>
          ) : (
            <Details earned={e} />
          )}
        </>
      )}
    </Fetched>
  );
}

/** Sends what pays out all that is due. Whoever sends it pays the gas; the money goes to the account that earned it. */
function ClaimCard({ earned: e }: { earned: Schemas['Earnings'] }) {
  const network = useNetwork().data;
  const { signer } = useWallet();
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const [sent, setSent] = useState<{ wei: string; hashes: string[] } | null>(null);
  const nothing = BigInt(e.claimable) === 0n;
  const claim = () => {
    run(async () => {
      if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      const hashes: string[] = [];
      for (const call of claimCalls(network, e)) hashes.push(await transact(call));
      setSent({ wei: e.claimable, hashes });
    }, `${open(e.claimable, 6)} OPEN claimed`);
  };
  const other = signer !== null && signer.account.address.toLowerCase() !== e.account.toLowerCase();
  return (
    <Card title="Claim">
      {failed !== null && <ErrorNote error={failed} />}
      {sent !== null && (
        <Note tone="good">
          <span>
            Claimed <Amount wei={sent.wei} digits={18} />
          </span>
          {sent.hashes.map((h) => (
            <span key={h}>
              Transaction <Id value={h} label="transaction" />
            </span>
          ))}
        </Note>
      )}
      <p className="dim">
        {nothing
          ? 'Nothing can be claimed now. What a batch pays can be claimed when the window in which it can be challenged is over.'
          : 'What finished epochs owe is paid in one transaction, what single batches owe in another for every 200 of them.'}
        {other && ' The gas is paid by the connected account; the money goes to the account that earned it.'}
      </p>
      {signer === null ? (
        <NeedsAccount why="Connect an account that sends the claim and pays its gas. The money goes to the account that earned it, whoever sends." />
      ) : (
        <div>
          <Button kind="primary" busy={busy} disabled={nothing} onClick={claim}>
            {nothing ? 'Claim' : `Claim ${open(e.claimable, 6)} OPEN`}
          </Button>
        </div>
      )}
    </Card>
  );
}

function Details({ earned: e }: { earned: Schemas['Earnings'] }) {
  const [tab, setTab] = useState<'record' | 'datanet' | 'adapter' | 'batch'>('record');
  const points = overTime(e.earnings);
  const last = points.at(-1);
  const day = (at: number) => new Date(at).toLocaleString(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
  return (
    <>
      {last !== undefined && (
        <Card title="Over time">
          <Suspense fallback={<Loading what="the chart" lines={6} />}>
            <Chart
              data={points}
              x={{ key: 'at', label: '' }}
              series={[{ key: 'earned', label: 'OPEN earned' }]}
              formatX={day}
              format={(v) => v.toPrecision(3).replace(/\.?0+(e|$)/, '$1')}
              summary={`Earned in all, answer by answer: ${open(e.earned, 6)} OPEN up to ${day(last.at)}.`}
            />
          </Suspense>
        </Card>
      )}
      <Tabs
        label="Earnings"
        value={tab}
        onChange={setTab}
        tabs={[
          { key: 'record', label: 'By record', panel: () => <TotalTable earnings={e.earnings} by="record" /> },
          { key: 'datanet', label: 'By datanet', panel: () => <TotalTable earnings={e.earnings} by="datanet" /> },
          { key: 'adapter', label: 'By model', panel: () => <TotalTable earnings={e.earnings} by="adapter" /> },
          { key: 'batch', label: 'By batch', panel: () => <BatchTable earnings={e.earnings} /> },
        ]}
      />
    </>
  );
}
