import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { bytes, count } from '../../lib/format';
import { useWallet } from '../../wallet/context';
import { Badge, Button, Card, Empty, Id, PageHead } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';
import { Review } from './review';
import type { DatanetTab } from './tabs';
import { Versions } from './versions';

const route = getRouteApi('/datanets/$id');

/** One datanet: its records, who gave them, what waits for its owner, its versions. */
export default function Datanet() {
  const id = Number(route.useParams().id);
  const { tab = 'records' } = route.useSearch();
  const navigate = useNavigate();
  const { signer } = useWallet();
  const datanet = useQuery({ queryKey: ['datanet', id], queryFn: () => data(api.GET('/api/v1/datanets/{id}', { params: { path: { id } } })) });
  const versions = useQuery({
    queryKey: ['versions', id],
    queryFn: () => data(api.GET('/api/v1/datanets/{id}/versions', { params: { path: { id } } })),
    refetchInterval: 10_000,
  });
  const newest = versions.data?.versions.at(-1);
  return (
    <Fetched query={datanet} what="the datanet">
      {(d) => {
        const owner = signer !== null && signer.account.address.toLowerCase() === d.owner.toLowerCase();
        return (
          <>
            <PageHead title={d.name} sub={d.description}>
              {newest !== undefined && (
                <Link to="/factory/new" search={{ datanet: id }} className="button primary">
                  Train an adapter
                </Link>
              )}
            </PageHead>
            <div className="row">
              <Badge tone="accent">{d.license}</Badge>
              <span className="dim small">number {d.id}</span>
              <span className="dim small">
                {newest === undefined ? 'nothing published yet' : `version ${newest.version}, ${count(newest.records)} records`}
              </span>
              <span className="row small dim">
                owner <Id value={d.owner} label="owner" /> {owner && <Badge tone="good">you</Badge>}
              </span>
            </div>
            <Tabs<DatanetTab>
              label="Parts of the datanet"
              value={tab}
              onChange={(key) => void navigate({ to: '/datanets/$id', params: { id: String(id) }, search: { tab: key }, replace: true, resetScroll: false })}
              tabs={[
                { key: 'records', label: 'Records', panel: () => <Records id={id} /> },
                { key: 'review', label: 'Review', panel: () => <Review datanet={d} owner={owner} /> },
                { key: 'versions', label: 'Versions', panel: () => <Versions datanet={d} owner={owner} versions={versions.data?.versions ?? []} /> },
              ]}
            />
          </>
        );
      }}
    </Fetched>
  );
}

const tones = { pending: 'plain', accepted: 'good', rejected: 'warn', abusive: 'bad' } as const;

/** How a contribution stands. */
export function StatusBadge({ status }: { status: Schemas['ReviewStatus'] }) {
  return <Badge tone={tones[status]}>{status === 'pending' ? 'waits for review' : status}</Badge>;
}

function Records({ id }: { id: number }) {
  const query = useQuery({
    queryKey: ['contributions', id, 'all'],
    queryFn: () => data(api.GET('/api/v1/datanets/{id}/contributions', { params: { path: { id } } })),
  });
  const [most, setMost] = useState(50);
  return (
    <Fetched query={query} what="records">
      {({ contributions: list }) =>
        list.length === 0 ? (
          <Empty title="No records yet">
            <p>
              Contribute the first ones: <code>{`openledger datanet contribute ${id} FILE`}</code>
            </p>
          </Empty>
        ) : (
          <>
            <div className="grid two">
              {list.slice(0, most).map((c) => (
                <Card key={c.cid} title={c.title} aside={<StatusBadge status={c.status} />}>
                  {c.reason !== undefined && c.reason !== '' && <p className="small">The owner says: {c.reason}</p>}
                  <div className="row small dim">
                    <span>{bytes(c.bytes)}</span>
                    <span className="row">
                      by <Id value={c.contribution.contributor} label="account" />
                    </span>
                    <Id value={c.cid} label="CID" />
                  </div>
                </Card>
              ))}
            </div>
            {list.length > most && (
              <div>
                <Button
                  onClick={() => {
                    setMost(most + 200);
                  }}
                >
                  {`Show more of ${count(list.length)}`}
                </Button>
              </div>
            )}
          </>
        )
      }
    </Fetched>
  );
}
