import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { api, data } from '../../api/client';
import { Amount, Card, Id, PageHead, Stat } from '../../ui/basic';
import { bytes } from '../../lib/format';
import { Fetched } from '../../ui/query';
import { StatusBadge } from './datanet';
import { Preview } from './preview';

const route = getRouteApi('/datanets/$id/records/$cid');

/** One record, whole. Its text is foreign: it is shown as text and nothing else. */
export default function Record() {
  const { id, cid } = route.useParams();
  const query = useQuery({ queryKey: ['record', cid], queryFn: () => data(api.GET('/api/v1/records/{cid}', { params: { path: { cid } } })) });
  return (
    <Fetched query={query} what="the record">
      {(r) => (
        <>
          <PageHead title={r.title} sub={<Id value={r.cid} label="CID" />}>
            <Link to="/datanets/$id" params={{ id }} className="button">
              Back to the datanet
            </Link>
          </PageHead>
          <div className="grid">
            <Stat label="Earned" value={<Amount wei={r.earned} />} hint="by receipts that this coordinator accepted" />
            <Stat label="Size" value={bytes(r.bytes)} hint={r.trainable ? 'has text to learn from' : 'has no text to learn from'} />
          </div>
          {r.media !== undefined && (
            <Card title="File">
              <Preview cid={r.cid} media={r.media} large />
            </Card>
          )}
          {Object.entries(r.fields).map(([name, value]) => (
            <Card key={name} title={name}>
              <pre>{value}</pre>
            </Card>
          ))}
          <Card title="Contributed">
            <ul>
              {r.contributions.map((c) => (
                <li key={`${c.datanet} ${c.contributor}`}>
                  <span className="row">
                    to datanet {c.datanet} by <Id value={c.contributor} label="account" /> on {new Date(c.at).toLocaleString()} <StatusBadge status={c.status} />
                    {c.reason}
                  </span>
                </li>
              ))}
            </ul>
          </Card>
        </>
      )}
    </Fetched>
  );
}
