import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../../api/client';
import { Badge, Card, Empty, PageHead } from '../../ui/basic';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';

/** Every datanet, newest first, and the ways to a new one. */
export default function Datanets() {
  const [sought, setSought] = useState('');
  const query = useQuery({ queryKey: ['datanets'], queryFn: () => data(api.GET('/api/v1/datanets')), refetchInterval: 10_000 });
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <>
      <PageHead title="Datanets" sub="Collections of records with an owner and a licence. Who contributed a record earns when a model uses it.">
        <Link to="/datanets/new" search={{ sample: true }} className="button">
          Start from sample records
        </Link>
        <Link to="/datanets/new" search={{}} className="button primary">
          Create a datanet
        </Link>
      </PageHead>
      <TextField
        label="Search"
        type="search"
        placeholder="Name, description, licence or owner"
        value={sought}
        onChange={(e) => {
          setSought(e.target.value);
        }}
      />
      <Fetched query={query} what="datanets">
        {({ datanets }) => {
          const found = datanets.filter((d) => words.every((w) => `${d.name} ${d.description} ${d.license} ${d.owner}`.toLowerCase().includes(w))).reverse();
          if (datanets.length === 0) {
            return (
              <Card>
                <Empty title="No datanet yet">
                  <p>Create one for your records, or start from sample records to see how it goes.</p>
                </Empty>
              </Card>
            );
          }
          if (found.length === 0) return <Empty title={`No datanet matches “${sought}”`} />;
          return (
            <div className="grid">
              {found.map((d) => (
                <Link key={d.id} to="/datanets/$id" params={{ id: String(d.id) }} className="card">
                  <strong>{d.name}</strong>
                  <span className="dim">{d.description === '' ? 'No description' : d.description}</span>
                  <span className="row">
                    <Badge tone="accent">{d.license}</Badge>
                    <span className="dim small">number {d.id}</span>
                  </span>
                  <span className="dim small">
                    by <code>{d.owner.slice(0, 10)}…</code>
                  </span>
                </Link>
              ))}
            </div>
          );
        }}
      </Fetched>
    </>
  );
}
