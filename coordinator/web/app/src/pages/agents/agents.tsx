import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { Amount, Badge, Card, Empty, PageHead } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';

/** Agents: models with instructions, tools and datanets of somebody's, who is paid for each request. */
export default function Agents() {
  const [sought, setSought] = useState('');
  const query = useQuery({ queryKey: ['agents'], queryFn: () => data(api.GET('/api/v1/agents')), refetchInterval: 10_000 });
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <>
      <PageHead title="Agents" sub="Models that were told what to do and what to read. Their owners earn a price for each request.">
        <Link to="/agents/new" className="button primary">
          Create an agent
        </Link>
      </PageHead>
      <TextField
        label="Search"
        type="search"
        placeholder="Name, description or owner"
        value={sought}
        onChange={(e) => {
          setSought(e.target.value);
        }}
      />
      <Fetched query={query} what="agents">
        {({ agents }) => {
          const found = agents.filter((a) => words.every((w) => `${a.model} ${a.owner} ${a.description ?? ''}`.toLowerCase().includes(w))).reverse();
          if (agents.length === 0) {
            return (
              <Card>
                <Empty title="No agent yet">
                  <p>The first one needs a name, some instructions and a stake.</p>
                </Empty>
              </Card>
            );
          }
          if (found.length === 0) return <Empty title={`No agent matches “${sought}”`} />;
          return (
            <div className="grid two">
              {found.map((a) => (
                <One key={a.id} agent={a} />
              ))}
            </div>
          );
        }}
      </Fetched>
    </>
  );
}

function One({ agent: a }: { agent: Schemas['AgentView'] }) {
  return (
    <Card
      title={
        <Link to="/agents/$id" params={{ id: String(a.id) }}>
          {a.name}
        </Link>
      }
      aside={a.active ? <Badge tone="good">on offer</Badge> : <Badge>not on offer</Badge>}
    >
      {a.description !== undefined && <p className="prose">{a.description}</p>}
      <dl className="facts">
        <dt>Asked as</dt>
        <dd>
          <code>{a.model}</code>
        </dd>
        <dt>Price per request</dt>
        <dd>{a.price === '0' ? 'free, but for the model itself' : <Amount wei={a.price} />}</dd>
        <dt>Stake</dt>
        <dd>
          <Amount wei={a.stake} digits={2} />
        </dd>
        <dt>Owner</dt>
        <dd>
          <AccountId value={a.owner} />
        </dd>
      </dl>
      {a.active && (
        <div>
          <Link to="/playground" search={{ model: a.model }} className="button">
            Ask {a.name}
          </Link>
        </div>
      )}
    </Card>
  );
}
