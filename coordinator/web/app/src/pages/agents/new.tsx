import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type SubmitEvent, useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { type Manifest, publishAgent } from '../../chain/agents';
import { useTransact } from '../../chain/transact';
import { without } from '../../lib/agents';
import { open, wei } from '../../lib/format';
import { Button, Card, ErrorNote, Note, PageHead } from '../../ui/basic';
import { SelectField, TextArea, TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { NeedsAccount } from '../../wallet/account';
import { type Network, useNetwork, useReader, useWallet } from '../../wallet/context';

const route = getRouteApi('/agents/new');

/** Creates an agent, or publishes the next version of one. */
export default function NewAgent() {
  const { agent } = route.useSearch();
  const network = useNetwork();
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')) });
  const datanets = useQuery({ queryKey: ['datanets'], queryFn: () => data(api.GET('/api/v1/datanets')) });
  const was = useQuery({
    queryKey: ['agent', String(agent ?? '')],
    queryFn: () => data(api.GET('/api/v1/agents/{id}', { params: { path: { id: agent ?? 0 } } })),
    enabled: agent !== undefined,
  });
  return (
    <>
      <PageHead
        title={agent === undefined ? 'Create an agent' : `A new version of ${was.data?.name ?? 'the agent'}`}
        sub="It answers as you tell it, with the model and the datanets that you choose. You earn its price for each request."
      />
      <Fetched query={network} what="the network">
        {(n) => (
          <Fetched query={models} what="models">
            {(m) => (
              <Fetched query={datanets} what="datanets">
                {(d) =>
                  agent === undefined ? (
                    <Form network={n} adapters={m.models.filter((a) => a.cid !== undefined)} datanets={d.datanets} />
                  ) : (
                    <Fetched query={was} what="the agent">
                      {(a) =>
                        a.document === undefined ? (
                          <Note tone="warn">Nobody within reach has the agent&apos;s manifest, so there is nothing to start from. Publish the version with <code>openledger agent update FILE</code>.</Note>
                        ) : (
                          <Form network={n} adapters={m.models.filter((x) => x.cid !== undefined)} datanets={d.datanets} was={a} />
                        )
                      }
                    </Fetched>
                  )
                }
              </Fetched>
            )}
          </Fetched>
        )}
      </Fetched>
    </>
  );
}

interface Read {
  datanet: number;
  version: number;
}

const most = 4; // datanets that an answer reads

function Form({ network, adapters, datanets, was }: { network: Network; adapters: Schemas['Model'][]; datanets: Schemas['Datanet'][]; was?: Schemas['AgentPage'] }) {
  const { signer } = useWallet();
  const reader = useReader();
  const transact = useTransact();
  const navigate = useNavigate();
  const { busy, failed, run } = useAction();
  const old = was?.document ?? {};
  const text = (name: string) => (typeof old[name] === 'string' ? old[name] : '');
  const [name, setName] = useState(was?.name ?? '');
  const [description, setDescription] = useState(text('description'));
  const [instructions, setInstructions] = useState(text('instructions'));
  const [adapter, setAdapter] = useState(text('adapter'));
  const [price, setPrice] = useState(was === undefined ? '0.01' : open(was.price).replaceAll(',', ''));
  const [stake, setStake] = useState('100');
  const [reads, setReads] = useState<Read[]>((old.datanets ?? []) as Read[]);
  const [tools, setTools] = useState(old.tools === undefined ? '' : JSON.stringify(old.tools, null, 2));
  const [tried, setTried] = useState(false);
  const size = (s: string) => new TextEncoder().encode(s).length;

  const wrongName = /^[a-z0-9._-]{1,64}$/.test(name) ? undefined : 'It has 1 to 64 of a-z, 0-9, dot, underscore and hyphen.';
  const wrongText = size(instructions) > 32 << 10 ? 'It is too long: up to 32 KiB.' : instructions.trim() === '' ? 'Say what it is to do.' : undefined;
  const wrongPrice = wrongAmount(price);
  const wrongStake = was === undefined ? wrongAmount(stake) : undefined;
  const wrongTools = tools.trim() === '' || isList(tools) ? undefined : 'Write a JSON list: [{"name": "…", "description": "…", "parameters": [{"name": "…", "type": "string", "required": true}]}].';

  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    setTried(true);
    if ([wrongName, wrongText, wrongPrice, wrongStake, wrongTools].some((w) => w !== undefined)) return;
    run(async () => {
      if (signer === null || reader === null) throw new Error('Connect an account first.');
      // What this page does not know of an older version stays as it is.
      const manifest: Manifest = {
        ...without(old, 'adapter', 'base', 'datanets', 'description', 'tools'),
        name,
        instructions,
        price: String(wei(price)),
        ...(adapter === '' ? { base: network.base } : { adapter }),
        ...(description.trim() === '' ? {} : { description: description.trim() }),
        ...(reads.length === 0 ? {} : { datanets: reads }),
        ...(tools.trim() === '' ? {} : { tools: JSON.parse(tools) as unknown }),
      };
      const id = await publishAgent(network, signer, reader, transact, manifest, was?.id ?? 0, (was?.version ?? 0) + 1, was === undefined ? wei(stake) : 0n);
      await navigate({ to: '/agents/$id', params: { id: String(id) } });
    }, was === undefined ? 'The agent is registered.' : 'The version is published.');
  };
  return (
    <>
      {signer === null && <NeedsAccount why="An agent is registered on the chain in the name of an account." />}
      {was !== undefined && signer !== null && signer.account.address.toLowerCase() !== was.owner.toLowerCase() && (
        <Note tone="warn">It is another account&apos;s agent: only its owner publishes versions of it.</Note>
      )}
      <Card>
        <form className="stack" onSubmit={submit} noValidate>
          {was === undefined && (
            <TextField label="Name" hint={`It is asked as agent/${name === '' ? 'NAME' : name}. It cannot be changed later.`} value={name} onChange={(e) => { setName(e.target.value); }} wrong={tried ? wrongName : undefined} />
          )}
          <TextField label="Description" hint="For people: what it is good for." value={description} onChange={(e) => { setDescription(e.target.value); }} maxLength={1000} />
          <TextArea label="Instructions" hint="What the model is told before every chat. Everybody can read them." rows={6} value={instructions} onChange={(e) => { setInstructions(e.target.value); }} wrong={tried ? wrongText : undefined} />
          <SelectField label="Answers with" hint="The base, or an adapter that knows its subject; the adapter's price is its requester's, too." value={adapter} onChange={(e) => { setAdapter(e.target.value); }}>
            <option value="">the base {network.base_name}</option>
            {adapters.map((m) => (
              <option key={m.cid} value={m.cid}>
                {m.id}
                {m.access === '0' ? '' : ` (${open(m.access, 6)} OPEN per answer)`}
              </option>
            ))}
          </SelectField>
          <Reads reads={reads} onChange={setReads} datanets={datanets} />
          <TextField label="Price per request, in OPEN" hint="Nine tenths are yours, each time it is asked. 0 is free." inputMode="decimal" value={price} onChange={(e) => { setPrice(e.target.value); }} wrong={wrongPrice} />
          {was === undefined && (
            <TextField label="Stake, in OPEN" hint="It answers for what the agent does, and comes back to you when you retire it. An agent below the network's least stake is registered, but not on offer." inputMode="decimal" value={stake} onChange={(e) => { setStake(e.target.value); }} wrong={wrongStake} />
          )}
          <details>
            <summary>Functions (for programs that ask it)</summary>
            <TextArea label="Functions as JSON" hint="The model may ask its requester to call them. Leave it empty for none." rows={4} value={tools} onChange={(e) => { setTools(e.target.value); }} wrong={wrongTools} spellCheck={false} />
          </details>
          {failed !== null && <ErrorNote error={failed} />}
          <div className="row">
            <Button type="submit" kind="primary" busy={busy} disabled={signer === null}>
              {was === undefined ? 'Sign and register' : 'Sign and publish'}
            </Button>
            <span className="dim small">One signature over the manifest, and one transaction{was === undefined ? ' with the stake' : ''}.</span>
          </div>
        </form>
      </Card>
    </>
  );
}

function wrongAmount(text: string): string | undefined {
  try {
    wei(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

/** The datanets that the agent reads before each answer, each in its newest version when it was chosen. */
function Reads({ reads, onChange, datanets }: { reads: Read[]; onChange: (r: Read[]) => void; datanets: Schemas['Datanet'][] }) {
  const { busy, failed, run } = useAction();
  const add = (id: number) => {
    run(async () => {
      const { versions } = await data(api.GET('/api/v1/datanets/{id}/versions', { params: { path: { id } } }));
      const newest = versions.at(-1);
      if (newest === undefined) throw new Error('This datanet has no published version yet: choose another one.');
      onChange([...reads.filter((r) => r.datanet !== id), { datanet: id, version: Math.max(...versions.map((v) => v.version)) }]);
    });
  };
  const left = datanets.filter((d) => !reads.some((r) => r.datanet === d.id));
  return (
    <div className="stack tight">
      {reads.map((r) => (
        <div key={r.datanet} className="row spread">
          <span>
            Reads {datanets.find((d) => d.id === r.datanet)?.name ?? `datanet ${r.datanet}`}, version {r.version}
          </span>
          <Button small onClick={() => { onChange(reads.filter((o) => o.datanet !== r.datanet)); }} aria-label={`Do not read datanet ${r.datanet}`}>
            Remove
          </Button>
        </div>
      ))}
      {failed !== null && <ErrorNote error={failed} />}
      {left.length > 0 && reads.length < most && (
        <SelectField label="Reads a datanet" hint="Before each answer it gets the records that fit the question, and cites them. Their contributors are paid." value="" disabled={busy} onChange={(e) => { add(Number(e.target.value)); }}>
          <option value="">{reads.length === 0 ? 'none' : 'no other'}</option>
          {left.map((d) => (
            <option key={d.id} value={d.id}>
              {d.name}
            </option>
          ))}
        </SelectField>
      )}
    </div>
  );
}
