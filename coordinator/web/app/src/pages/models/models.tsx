import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { many } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Card, Empty, Id, PageHead, When } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';

type Model = Schemas['Model'];

/** Every adapter that can be asked, with what it was made of and what it costs. */
export default function Models() {
  const [sought, setSought] = useState('');
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')), refetchInterval: 10_000 });
  const network = useQuery({ queryKey: ['network'], queryFn: () => data(api.GET('/api/v1/network')), staleTime: Infinity });
  const now = useNow();
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <>
      <PageHead title="Models" sub="Adapters: small additions to a base model, each trained on the records of a datanet.">
        <Link to="/factory" className="button primary">
          Train one
        </Link>
      </PageHead>
      <TextField
        label="Search"
        type="search"
        placeholder="Name, owner or datanet"
        value={sought}
        onChange={(e) => {
          setSought(e.target.value);
        }}
      />
      <Fetched query={models} what="models">
        {({ models: all }) => {
          const adapters = all.filter((m) => m.cid !== undefined);
          const found = adapters.filter((m) => words.every((w) => `${m.id} ${m.owner} datanet ${m.datanet ?? ''}`.toLowerCase().includes(w))).reverse();
          if (adapters.length === 0) {
            return (
              <Card>
                <Empty title="No adapter yet">
                  <p>
                    <Link to="/factory/new">Train the first one</Link>: it takes a <Link to="/datanets">datanet</Link> with a published version and some minutes.
                  </p>
                </Empty>
              </Card>
            );
          }
          if (found.length === 0) return <Empty title={`No adapter matches “${sought}”`} />;
          return (
            <div className="grid two">
              {found.map((m) => (
                <Adapter key={m.cid} model={m} all={adapters} base={network.data?.base_name} now={now} />
              ))}
            </div>
          );
        }}
      </Fetched>
    </>
  );
}

function Adapter({ model: m, all, base, now }: { model: Model; all: Model[]; base: string | undefined; now: number }) {
  const newest = all.every((o) => o.owner !== m.owner || nameOf(o) !== nameOf(m) || (o.revision ?? 1) <= (m.revision ?? 1));
  return (
    <Card title={m.id} aside={newest ? <Badge tone="good">newest revision</Badge> : <Badge>replaced by a newer one</Badge>}>
      <dl className="facts">
        <dt>Price per answer</dt>
        <dd>{m.access === '0' ? 'free, but for the work itself' : <Amount wei={m.access} />}</dd>
        <dt>Base</dt>
        <dd>{base ?? <Id value={m.base} label="base" />}</dd>
        <dt>Datanet</dt>
        <dd>
          {m.datanet === undefined ? (
            'none'
          ) : (
            <Link to="/datanets/$id" params={{ id: String(m.datanet) }}>
              number {m.datanet}, version {m.version ?? 1}
            </Link>
          )}
        </dd>
        <dt>Revision</dt>
        <dd>
          {m.revision ?? 1}, made <When at={m.created * 1000} now={now} />
        </dd>
        <dt>Made from</dt>
        <dd>
          {(m.parents ?? []).length === 0 ? 'the base alone' : many((m.parents ?? []).length, 'other adapter, whose owner is paid too', 'other adapters, whose owners are paid too')}
        </dd>
        {(m.royalty_bps ?? 0) > 0 && (
          <>
            <dt>Royalty</dt>
            <dd>asks {(m.royalty_bps ?? 0) / 100} % of what adapters made from it earn</dd>
          </>
        )}
        <dt>Owner</dt>
        <dd>
          <AccountId value={m.owner} />
        </dd>
        <dt>Content</dt>
        <dd>{m.cid !== undefined && <Id value={m.cid} label="CID" />}</dd>
      </dl>
      <div>
        <Link to="/playground" search={{ model: m.id }} className="button">
          Chat with it
        </Link>
      </div>
    </Card>
  );
}

/** A model's name without its revision. */
export function nameOf(m: Model): string {
  return m.id.replace(/@\d+$/, '');
}
