import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, data } from '../../api/client';
import { disputeBadge, reasonText, subject } from '../../lib/disputes';
import { Amount, Badge, Button, Empty, ErrorNote, Id, Loading } from '../../ui/basic';
import { BatchLink } from './link';

/** Challenges of batches and epochs, the newest first. */
export function DisputeList() {
  const query = useInfiniteQuery({
    queryKey: ['disputes'],
    initialPageParam: '',
    queryFn: ({ pageParam }) => data(api.GET('/api/v1/disputes', { params: { query: { limit: 50, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (last) => (last.next === '' ? undefined : last.next),
    refetchInterval: 10_000,
  });
  const disputes = query.data?.pages.flatMap((p) => p.disputes);
  if (disputes === undefined) return query.isError ? <ErrorNote error={query.error} retry={() => void query.refetch()} /> : <Loading what="disputes" />;
  if (disputes.length === 0) {
    return (
      <Empty title="Nothing was ever disputed">
        <p>Validators run a part of every batch again. Who finds a fault challenges the batch with a bond, and a committee decides.</p>
      </Empty>
    );
  }
  return (
    <div className="card">
      {query.isError && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      <div className="table">
        <table>
          <thead>
            <tr>
              <th>Dispute</th>
              <th>About</th>
              <th>Challenged by</th>
              <th>Because</th>
              <th className="num">Bond</th>
              <th>State</th>
            </tr>
          </thead>
          <tbody>
            {disputes.map((d) => (
              <tr key={d.id}>
                <td className="nowrap">
                  <Link to="/disputes/$id" params={{ id: String(d.id) }}>
                    number {d.id}
                  </Link>
                </td>
                <td>
                  {d.epoch === 0 ? (
                    <span className="row">
                      <BatchLink worker={d.worker} nonce={d.nonce} /> of <Id value={d.worker} label="account" />
                    </span>
                  ) : (
                    subject(d)
                  )}
                </td>
                <td>
                  <Id value={d.challenger} label="account" />
                </td>
                <td>{reasonText(d.reason)}</td>
                <td className="num">
                  <Amount wei={d.bond} />
                </td>
                <td>
                  <Badge tone={disputeBadge[d.status].tone}>{disputeBadge[d.status].text}</Badge>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {query.hasNextPage && (
        <div>
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show older ones
          </Button>
        </div>
      )}
    </div>
  );
}
