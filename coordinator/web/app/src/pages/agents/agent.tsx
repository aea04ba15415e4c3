import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { setActive, stakeOn } from '../../chain/agents';
import { useTransact } from '../../chain/transact';
import { earnedBy, otherFields } from '../../lib/agents';
import { open, wei } from '../../lib/format';
import { Amount, Badge, Button, Card, Empty, ErrorNote, Id, Note, PageHead, Stat } from '../../ui/basic';
import { AccountId } from '../../ui/names';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { useNetwork, useWallet } from '../../wallet/context';

const route = getRouteApi('/agents/$id');

type Page = Schemas['AgentPage'];

/** An agent: what it is told, with what it answers, what it costs, and what became of it. */
export default function Agent() {
  const { id } = route.useParams();
  const query = useQuery({ queryKey: ['agent', id], queryFn: () => data(api.GET('/api/v1/agents/{id}', { params: { path: { id: Number(id) } } })), refetchInterval: 10_000 });
  const a = query.data;
  return (
    <>
      <PageHead title={a?.name ?? 'Agent'} sub={a?.description}>
        {a !== undefined && (a.active ? <Badge tone="good">on offer</Badge> : <Badge>not on offer</Badge>)}
        {a?.refused === undefined && a !== undefined && (
          <Link to="/playground" search={{ model: a.model }} className="button primary">
            Ask it
          </Link>
        )}
      </PageHead>
      <Fetched query={query} what="the agent">
        {(page) => <Whole page={page} />}
      </Fetched>
    </>
  );
}

function Whole({ page: a }: { page: Page }) {
  const { signer } = useWallet();
  const mine = signer !== null && signer.account.address.toLowerCase() === a.owner.toLowerCase();
  const earned = useQuery({
    queryKey: ['earnings', a.owner],
    queryFn: () => data(api.GET('/api/v1/accounts/{address}/earnings', { params: { path: { address: a.owner } } })),
    refetchInterval: 30_000,
  });
  return (
    <>
      {a.refused !== undefined && <Note tone="warn">It cannot be asked now: {a.refused}</Note>}
      <div className="grid">
        <Stat label="Price per request" value={a.price === '0' ? 'free' : <Amount wei={a.price} />} hint="on top of what its model costs" />
        <Stat label="Stake" value={<Amount wei={a.stake} digits={2} />} hint={<>at least <Amount wei={a.min_stake} digits={2} /> to be on offer</>} />
        <Stat label="Earned" value={earned.data === undefined ? '–' : <Amount wei={earnedBy(a.id, earned.data.earnings)} />} hint="by its owner, in settled batches" />
        <Stat label="Version" value={a.version} />
      </div>
      {mine && <Owner page={a} />}
      <Card title="What it is">
        {a.document === undefined ? (
          <Empty title="Nobody within reach has its manifest">
            <p>Its owner stores it again by publishing a version.</p>
          </Empty>
        ) : (
          <Manifest document={a.document} />
        )}
      </Card>
      <Card title="Whose it is">
        <dl className="facts">
          <dt>Asked as</dt>
          <dd>
            <code>{a.model}</code>
          </dd>
          <dt>Owner</dt>
          <dd>
            <AccountId value={a.owner} />
          </dd>
          {a.pending_owner !== undefined && (
            <>
              <dt>Offered to</dt>
              <dd>
                <AccountId value={a.pending_owner} />
              </dd>
            </>
          )}
          <dt>Registered</dt>
          <dd>{new Date(a.created * 1000).toLocaleString()}</dd>
          {a.leaving !== '0' && (
            <>
              <dt>Stake on its way out</dt>
              <dd>
                <Amount wei={a.leaving} />, from {new Date((a.release_at ?? 0) * 1000).toLocaleString()}
              </dd>
            </>
          )}
        </dl>
      </Card>
      <Card title="Versions">
        <div className="table">
          <table>
            <thead>
              <tr>
                <th className="num">Version</th>
                <th>Published</th>
                <th className="num">Price per request</th>
                <th>Manifest</th>
              </tr>
            </thead>
            <tbody>
              {a.versions.map((v) => (
                <tr key={v.version}>
                  <td className="num">{v.version}</td>
                  <td className="nowrap">{new Date(v.at * 1000).toLocaleString()}</td>
                  <td className="num">
                    <Amount wei={v.price} />
                  </td>
                  <td>
                    <Id value={v.manifest} label="manifest" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
      <p>
        <Link to="/agents">All agents</Link>
      </p>
    </>
  );
}

interface Tool {
  name: string;
  description?: string;
  parameters?: { name: string; type: string; description?: string; required?: boolean }[];
}

/** A manifest of somebody else's: its texts are shown as they are, never as markup. */
function Manifest({ document: d }: { document: Record<string, unknown> }) {
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')) });
  const network = useNetwork().data;
  const adapter = models.data?.models.find((m) => m.cid !== undefined && m.cid === d.adapter);
  const datanets = (d.datanets ?? []) as { datanet: number; version: number }[];
  const tools = (d.tools ?? []) as Tool[];
  return (
    <>
      <h3>Instructions</h3>
      <pre className="prose">{typeof d.instructions === 'string' && d.instructions !== '' ? d.instructions : 'none'}</pre>
      <dl className="facts">
        <dt>Answers with</dt>
        <dd>
          {typeof d.adapter === 'string' ? (
            adapter !== undefined ? (
              <>the adapter {adapter.id}</>
            ) : (
              <>
                the adapter <Id value={d.adapter} label="CID" />
              </>
            )
          ) : network !== undefined && d.base === network.base ? (
            <>the base {network.base_name}</>
          ) : (
            <>
              the base <Id value={String(d.base)} label="base" />
            </>
          )}
        </dd>
        <dt>Reads</dt>
        <dd>
          {datanets.length === 0
            ? 'no datanet'
            : datanets.map((r) => (
                <div key={r.datanet}>
                  <Link to="/datanets/$id" params={{ id: String(r.datanet) }}>
                    datanet {r.datanet}
                  </Link>
                  , version {r.version}
                </div>
              ))}
        </dd>
        {otherFields(d).map(([name, value]) => (
          <Field key={name} name={name} value={value} />
        ))}
      </dl>
      {tools.length > 0 && (
        <>
          <h3>Functions it may ask its requester for</h3>
          <ul className="plain">
            {tools.map((t) => (
              <li key={t.name}>
                <code>
                  {t.name}({(t.parameters ?? []).map((p) => `${p.name}${p.required === true ? '' : '?'}: ${p.type}`).join(', ')})
                </code>
                {t.description !== undefined && <p className="dim small">{t.description}</p>}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** A field that this page does not know. */
function Field({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{typeof value === 'string' ? value : <pre>{JSON.stringify(value, null, 1)}</pre>}</dd>
    </>
  );
}

/** What only the owner does. */
function Owner({ page: a }: { page: Page }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const missing = BigInt(a.min_stake) > BigInt(a.stake) ? BigInt(a.min_stake) - BigInt(a.stake) : 0n;
  const [text, setText] = useState(() => open(missing).replaceAll(',', ''));
  const [wrong, setWrong] = useState<string>();
  if (network === undefined) return null;
  const stake = () => {
    try {
      const amount = wei(text);
      if (amount === 0n) throw new Error('Write an amount such as 100.');
      setWrong(undefined);
      run(() => transact(stakeOn(network, a.id, amount)), 'Staked');
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Card title="It is yours">
      {failed !== null && <ErrorNote error={failed} />}
      <div className="row end">
        <Link to="/agents/new" search={{ agent: a.id }} className="button">
          Publish a new version
        </Link>
        <Button busy={busy} disabled={!a.active && missing > 0n} onClick={() => { run(() => transact(setActive(network, a.id, !a.active)), a.active ? 'It is not on offer any more' : 'It is on offer'); }}>
          {a.active ? 'Take it off offer' : 'Put it on offer'}
        </Button>
      </div>
      <form
        className="row end"
        onSubmit={(e) => {
          e.preventDefault();
          stake();
        }}
      >
        <TextField label="Add to its stake, in OPEN" inputMode="decimal" value={text} wrong={wrong} onChange={(e) => { setText(e.target.value); }} />
        <Button type="submit" busy={busy}>
          Stake
        </Button>
      </form>
      <p className="dim small">The stake is yours: you get it back after the agent is taken off offer and a wait is over, with <code>openledger agent unstake</code>. A dispute about the agent can cost part of it.</p>
    </Card>
  );
}
