import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { type SubmitEvent, useDeferredValue, useState } from 'react';
import { api, ApiError, data, refusal, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { contract } from '../../chain/contract';
import { count, duration, many, wei } from '../../lib/format';
import { fieldsOf, render } from '../../lib/template';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { hyperHash } from '../../wallet/hyper';
import { base64, domain, type Order, randomHash, signOrder } from '../../wallet/typed';
import { Amount, Button, Card, ErrorNote, message, PageHead, Stat } from '../../ui/basic';
import { SelectField, TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { nameOf } from '../models/models';
import { check, fieldOf, hyperOf, type Options, type Plan, planOf } from './plan';

const route = getRouteApi('/factory/new');

/** How long an order may wait for its worker to register the adapter, in seconds. */
const orderLasts = 48 * 3600;

/** The form for a fine-tune. */
export default function NewTraining() {
  const options = useQuery({ queryKey: ['training_options'], queryFn: () => data(api.GET('/api/v1/training_options')), staleTime: Infinity });
  const samples = useQuery({ queryKey: ['samples'], queryFn: () => data(api.GET('/api/v1/samples')), staleTime: Infinity });
  return (
    <>
      <PageHead title="Train an adapter" sub="An adapter is a small addition to the base model. Training takes minutes on a small base, hours on a large one." />
      <Fetched query={options} what="what can be trained">
        {(o) => <Fetched query={samples} what="samples">{(s) => <Form options={o} samples={s.samples} />}</Fetched>}
      </Fetched>
    </>
  );
}

function Form({ options, samples }: { options: Options; samples: Schemas['Sample'][] }) {
  const search = route.useSearch();
  const { signer } = useWallet();
  const network = useNetwork().data;
  const navigate = useNavigate();
  const { busy, failed, run } = useAction();
  const [tried, setTried] = useState(false);
  const [plan, setPlan] = useState<Plan>(() => {
    const sample = samples.find((s) => s.name === search.sample);
    const p = { ...planOf(options), datanet: search.datanet ?? 0 };
    return sample === undefined ? p : { ...p, name: 'my-first-adapter', prompt: sample.prompt_template, answer: sample.answer_template };
  });
  const put = (more: Partial<Plan>) => {
    setPlan((p) => ({ ...p, ...more }));
  };
  const datanets = useQuery({ queryKey: ['datanets'], queryFn: () => data(api.GET('/api/v1/datanets')) });
  const versions = useQuery({
    queryKey: ['versions', plan.datanet],
    enabled: plan.datanet !== 0,
    queryFn: () => data(api.GET('/api/v1/datanets/{id}/versions', { params: { path: { id: plan.datanet } } })),
  });
  const list = versions.data?.versions ?? [];
  // Without a choice the newest version is meant.
  const chosen = list.find((v) => v.version === plan.version) ?? list.at(-1);
  const effective: Plan = { ...plan, version: chosen?.version ?? 0 };
  const local = check(effective, options);
  // The coordinator says what it comes to, and names what it would refuse, before anything is signed.
  const quotable = useDeferredValue(JSON.stringify(chosen === undefined || Object.keys(local).some((f) => f !== 'name' && f !== 'price') ? null : { datanet: chosen.datanet, version: chosen.version, hyper: hyperOf(effective, options) }));
  const quote = useQuery({
    queryKey: ['quote', quotable],
    enabled: quotable !== 'null',
    retry: false,
    staleTime: 10_000,
    placeholderData: keepPreviousData,
    queryFn: () => data(api.POST('/api/v1/quotes', { body: { kind: 'training', ...(JSON.parse(quotable) as { datanet: number; version: number; hyper: Schemas['Hyper'] }) } })),
  });
  const refused = quotable !== 'null' && quote.error instanceof ApiError ? quote.error : null;
  const at = refused === null ? null : fieldOf(refused.param);
  const wrong = refused === null || at === null ? local : { [at]: refused.message, ...local };
  const shown = (field: keyof Plan) => (tried || (field !== 'name' && field !== 'prompt' && field !== 'answer' && field !== 'datanet' && field !== 'version') ? wrong[field] : undefined);
  const text = (field: 'name' | 'price' | 'rank' | 'alpha' | 'rate' | 'batch' | 'epochs' | 'maxLength' | 'evalShare' | 'patience') => ({
    value: plan[field],
    wrong: shown(field),
    onChange: (e: { target: { value: string } }) => {
      put({ [field]: e.target.value });
    },
  });
  const start = (e: SubmitEvent) => {
    e.preventDefault();
    setTried(true);
    if (Object.keys(wrong).length > 0 || chosen === undefined || signer === null || network === undefined) return;
    run(async () => {
      const account = signer.account.address;
      const { models } = await data(api.GET('/api/v1/models'));
      const mine = models.filter((m) => m.cid !== undefined && m.owner.toLowerCase() === account.toLowerCase() && nameOf(m) === plan.name);
      const hyper = hyperOf(effective, options);
      const order: Order = {
        owner: account,
        name: plan.name,
        base: options.base,
        datanet: chosen.datanet,
        version: chosen.version,
        root: chosen.root,
        hyper_hash: hyperHash(hyper),
        access: wei(plan.price).toString(),
        royalty_bps: 0,
        revision: Math.max(0, ...mine.map((m) => m.revision ?? 1)) + 1,
        nonce: randomHash(),
        deadline: Math.floor(Date.now() / 1000) + orderLasts,
      };
      const signature = await signOrder(signer, domain(network.chain_id, contract(network, 'models')), order);
      const id = randomHash();
      await data(api.POST('/api/v1/training_jobs', { body: { id, order: order as Schemas['TrainingOrder'], signature: base64(signature), hyper } }));
      await navigate({ to: '/factory/$id', params: { id } });
    });
  };
  const faults = Object.keys(wrong).length;
  return (
    <form className="stack" onSubmit={start} noValidate>
      {signer === null && <NeedsAccount why="The adapter will belong to an account, which signs the order and earns its price." />}
      <Card title="What to teach">
        <div className="grid two">
          <SelectField
            label="Base model"
            hint="The model that learns. Where its weights are quantised (Q8_0, Q4_0), the workers train over them as they are, which is called QLoRA; else it is LoRA."
            defaultValue={options.base}
          >
            <option value={options.base}>{options.base_name}</option>
          </SelectField>
          <SelectField
            label="Datanet"
            hint="Its accepted records are the lessons. Their contributors earn when the adapter answers."
            value={plan.datanet}
            onChange={(e) => {
              put({ datanet: Number(e.target.value), version: 0 });
            }}
            wrong={shown('datanet')}
          >
            <option value={0}>Choose…</option>
            {(datanets.data?.datanets ?? []).map((d) => (
              <option key={d.id} value={d.id}>
                {d.id}: {d.name}
              </option>
            ))}
          </SelectField>
          <SelectField
            label="Version"
            value={effective.version}
            onChange={(e) => {
              put({ version: Number(e.target.value) });
            }}
            wrong={plan.datanet !== 0 && versions.isSuccess && list.length === 0 ? 'This datanet has no published version. Its owner publishes one on its page.' : shown('version')}
          >
            {list.length === 0 && <option value={0}>none</option>}
            {list.map((v) => (
              <option key={v.version} value={v.version}>
                {v.version}: {many(v.records, 'record')}
              </option>
            ))}
          </SelectField>
          <TextField label="Name of the adapter" hint="What requests ask for. Under a name that you used before, it becomes the next revision." placeholder="my-first-adapter" {...text('name')} />
        </div>
      </Card>
      <Templates plan={effective} put={put} wrong={{ prompt: shown('prompt'), answer: shown('answer') }} />
      <Card title="How to train">
        <p className="dim">The values below work well for some hundred short records. Leave them if you are unsure.</p>
        <div className="grid">
          <TextField label="Epochs" inputMode="numeric" hint="How often every record is learned. More remembers better, and takes longer." {...text('epochs')} />
          <TextField label="Learning rate" inputMode="decimal" hint="How large each correction is. Too large never settles, too small never arrives." {...text('rate')} />
          <TextField label="Held-out share, %" inputMode="decimal" hint="Records kept aside to see whether it understands rather than remembers. 10 is usual; 0 learns all of them." {...text('evalShare')} />
        </div>
        <details>
          <summary>More settings</summary>
          <div className="stack">
            <div className="grid">
              <TextField label="Rank" inputMode="numeric" hint="The adapter’s size. Larger holds more, and needs more memory." {...text('rank')} />
              <TextField label="Alpha" inputMode="decimal" hint="How strongly it speaks beside the base. Empty: in proportion to the rank." placeholder="in proportion to the rank" {...text('alpha')} />
              <TextField label="Batch" inputMode="numeric" hint="Records that are learned at a time." {...text('batch')} />
              <TextField label="Longest example, tokens" inputMode="numeric" hint="What is longer is cut there." {...text('maxLength')} />
              <SelectField
                label="Schedule"
                hint="How the learning rate falls."
                value={plan.schedule}
                onChange={(e) => {
                  put({ schedule: e.target.value });
                }}
              >
                {options.schedules.map((s) => (
                  <option key={s}>{s}</option>
                ))}
              </SelectField>
              <TextField label="Stop early after" inputMode="numeric" hint="So many checks of the held-out records without progress; 0 never stops early." {...text('patience')} />
            </div>
            <fieldset>
              <legend>Parts of the model that it adds to</legend>
              <div className="row">
                {options.targets.map((t) => (
                  <label key={t} className="row">
                    <input
                      type="checkbox"
                      checked={plan.targets.includes(t)}
                      onChange={(e) => {
                        put({ targets: e.target.checked ? [...plan.targets, t] : plan.targets.filter((o) => o !== t) });
                      }}
                    />
                    <code>{t}</code>
                  </label>
                ))}
              </div>
              {wrong.targets !== undefined && (
                <span className="wrong" role="alert">
                  {wrong.targets}
                </span>
              )}
            </fieldset>
          </div>
        </details>
      </Card>
      <Card title="Price and licence">
        <TextField label="Price per answer, OPEN" inputMode="decimal" hint="What whoever asks the adapter pays on top of the work. It is shared by you, those who stake on the worker, and the contributors." {...text('price')} />
        <p className="dim small">The adapter carries the licence of the datanet&apos;s version{chosen === undefined ? '' : `: ${chosen.license}`}.</p>
      </Card>
      <Estimate quote={quotable === 'null' || refused !== null ? undefined : quote.data} />
      {quote.error !== null && quotable !== 'null' && at === null && <ErrorNote error={quote.error} retry={() => void quote.refetch()} />}
      {failed !== null && <ErrorNote error={failed} />}
      {tried && faults > 0 && <ErrorNote error={new Error(`Mend what is marked above first: ${many(faults, 'field')}.`)} />}
      <div className="row">
        <Button type="submit" kind="primary" busy={busy} disabled={signer === null || network === undefined}>
          Sign and start training
        </Button>
        <Link to="/factory" className="button">
          Back
        </Link>
      </div>
    </form>
  );
}

/** What the coordinator expects of the training as it stands in the form. */
function Estimate({ quote: q }: { quote: Schemas['Quote'] | undefined }) {
  const t = q?.time;
  const able = q?.workers.filter((w) => w.eligible).length ?? 0;
  return (
    <div className="grid">
      <Stat label="Steps" value={q === undefined ? '–' : count(q.steps)} hint={q === undefined ? 'fill in what is above' : `${many(q.records, 'record')}, those held out included`} />
      <Stat
        label="Time"
        value={t?.expected === undefined ? '–' : t.expected < 1000 ? 'under a second' : `about ${duration(t.expected)}`}
        hint={t === undefined ? undefined : t.least !== undefined && t.most !== undefined && t.most >= 1000 ? `${duration(t.least)} to ${duration(t.most)}: ${t.basis}` : t.basis}
      />
      <Stat label="Cost" value={q === undefined ? '–' : BigInt(q.cost) === 0n ? 'none' : <Amount wei={q.cost} />} hint={q?.note} />
      <Stat label="Workers" value={q === undefined ? '–' : count(able)} hint={q === undefined ? undefined : able === 0 ? (q.workers[0]?.reason ?? 'no worker trains now: the job would wait') : 'would take it now'} />
    </div>
  );
}

/** Question and answer of a record, shown for a real one as they are written. */
function Templates({ plan, put, wrong }: { plan: Plan; put: (more: Partial<Plan>) => void; wrong: { prompt: string | undefined; answer: string | undefined } }) {
  const first = useQuery({
    queryKey: ['example', plan.datanet, plan.version],
    enabled: plan.datanet !== 0 && plan.version !== 0,
    staleTime: Infinity,
    queryFn: async () => {
      const { contributions } = await data(api.GET('/api/v1/datanets/{id}/contributions', { params: { path: { id: plan.datanet }, query: { status: 'accepted' } } }));
      const [c] = contributions;
      if (c === undefined) return null;
      // Canonical bytes: {"fields":{"name":"text"},"type":"text"}, or a record without text.
      const response = await fetch(`/api/v1/blocks/${c.contribution.record}`);
      if (!response.ok) throw await refusal(response);
      return (await response.json()) as { fields?: Record<string, string> };
    },
  });
  const fields = first.data?.fields;
  const names = fields === undefined ? [] : Object.keys(fields).sort();
  let shown: { prompt: string; answer: string } | null = null;
  let fault: string | null = null;
  if (fields !== undefined && plan.prompt !== '' && plan.answer !== '') {
    try {
      fieldsOf(plan.prompt);
      shown = { prompt: render(plan.prompt, fields), answer: render(plan.answer, fields) };
    } catch (error) {
      fault = message(error);
    }
  }
  return (
    <Card title="Question and answer">
      <p className="dim">
        Each record becomes a question and the answer to learn. Write <code>{'{field}'}</code> where a field of the record goes.
        {names.length > 0 && (
          <>
            {' '}
            These records have:{' '}
            {names.map((n) => (
              <code key={n}>{`{${n}} `}</code>
            ))}
          </>
        )}
      </p>
      <div className="grid two">
        <TextField
          label="Question"
          placeholder="{question}"
          value={plan.prompt}
          onChange={(e) => {
            put({ prompt: e.target.value });
          }}
          wrong={wrong.prompt}
        />
        <TextField
          label="Answer"
          placeholder="{answer}"
          value={plan.answer}
          onChange={(e) => {
            put({ answer: e.target.value });
          }}
          wrong={wrong.answer}
        />
      </div>
      {first.isError && <ErrorNote error={first.error} retry={() => void first.refetch()} />}
      {fault !== null && <ErrorNote error={new Error(fault)} />}
      {shown !== null && (
        <div className="stack tight" aria-live="polite">
          <strong className="small">One of its records becomes</strong>
          <pre className="note">{`Question: ${shown.prompt}\nAnswer:   ${shown.answer}`}</pre>
        </div>
      )}
    </Card>
  );
}
