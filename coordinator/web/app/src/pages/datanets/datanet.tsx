import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { api, data, type Schemas } from '../../api/client';
import { bytes, count, many, percent } from '../../lib/format';
import { useWallet } from '../../wallet/context';
import { Amount, Badge, Button, Card, Empty, ErrorNote, Loading, PageHead } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { Tabs } from '../../ui/tabs';
import { Contribute } from './contribute';
import { Preview } from './preview';
import { Reading } from './reading';
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
    <Fetched query={datanet} what="the datanet" page={`Datanet ${id}`}>
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
                {newest === undefined ? 'nothing published yet' : `version ${newest.version}, ${many(newest.records, 'record')}`}
              </span>
              <span className="row small dim">
                owner <AccountId value={d.owner} /> {owner && <Badge tone="good">you</Badge>}
              </span>
            </div>
            <Tabs<DatanetTab>
              label="Parts of the datanet"
              value={tab}
              onChange={(key) => void navigate({ to: '/datanets/$id', params: { id: String(id) }, search: { tab: key }, replace: true, resetScroll: false })}
              tabs={[
                { key: 'records', label: 'Records', panel: () => <Records id={id} /> },
                { key: 'contribute', label: 'Contribute', panel: () => <Contribute datanet={d} /> },
                { key: 'review', label: 'Review', panel: () => <Review datanet={d} owner={owner} /> },
                { key: 'versions', label: 'Versions', panel: () => (
                  <>
                    <Versions datanet={d} owner={owner} versions={versions.data?.versions ?? []} />
                    <Reading id={d.id} owner={owner} />
                  </>
                ) },
                { key: 'contributors', label: 'Contributors', panel: () => <Contributors id={id} /> },
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
  const query = useInfiniteQuery({
    queryKey: ['contributions', id, 'all'],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      data(api.GET('/api/v1/datanets/{id}/contributions', { params: { path: { id }, query: { limit: 50, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (last) => (last.next === '' ? undefined : last.next),
  });
  if (query.isPending) return <Loading what="records" />;
  if (query.isError) return <ErrorNote error={query.error} retry={() => void query.refetch()} />;
  const list = query.data.pages.flatMap((p) => p.contributions);
  if (list.length === 0) {
    return (
      <Empty title="No records yet">
        <p>
          <Link to="/datanets/$id" params={{ id: String(id) }} search={{ tab: 'contribute' }}>
            Contribute the first ones
          </Link>
        </p>
      </Empty>
    );
  }
  return (
    <>
      <div className="grid two">
        {list.map((c) => (
          <Card key={c.cid} title={c.title} aside={<StatusBadge status={c.status} />}>
            <Preview cid={c.cid} preview={c.preview} media={c.media} />
            {c.reason !== undefined && c.reason !== '' && <p className="small">The owner says: {c.reason}</p>}
            <div className="row small dim">
              <Link to="/datanets/$id/records/$cid" params={{ id: String(id), cid: c.cid }}>
                Whole record
              </Link>
              <span>{bytes(c.bytes)}</span>
              <span className="row">
                by <AccountId value={c.contribution.contributor} />
              </span>
            </div>
          </Card>
        ))}
      </div>
      {query.hasNextPage && (
        <div>
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

function Contributors({ id }: { id: number }) {
  const query = useQuery({ queryKey: ['contributors', id], queryFn: () => data(api.GET('/api/v1/datanets/{id}/contributors', { params: { path: { id } } })) });
  return (
    <Fetched query={query} what="contributors">
      {({ contributors }) =>
        contributors.length === 0 ? (
          <Empty title="Nobody has contributed yet">
            <Link to="/datanets/$id" params={{ id: String(id) }} search={{ tab: 'contribute' }}>
              Contribute the first records
            </Link>
          </Empty>
        ) : (
          <Card title="Who gave records">
            <div className="table">
              <table>
                <thead>
                  <tr>
                    <th>Contributor</th>
                    <th className="num">Accepted</th>
                    <th className="num">Rejected</th>
                    <th className="num">Waiting</th>
                    <th className="num">Acceptance</th>
                    <th className="num">Earned</th>
                  </tr>
                </thead>
                <tbody>
                  {contributors.map((c) => (
                    <tr key={c.account}>
                      <td>
                        <AccountId value={c.account} />
                      </td>
                      <td className="num">{count(c.accepted)}</td>
                      <td className="num">{count(c.rejected)}</td>
                      <td className="num">{count(c.pending)}</td>
                      <td className="num">{c.accepted + c.rejected === 0 ? 'not reviewed' : percent(c.ratio, 0)}</td>
                      <td className="num">
                        <Amount wei={c.earned} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <p className="dim small">Earned counts the answers whose receipts this coordinator has accepted.</p>
          </Card>
        )
      }
    </Fetched>
  );
}
