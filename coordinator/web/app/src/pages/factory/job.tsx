import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { count, duration, many, percent } from '../../lib/format';
import { useNow } from '../../lib/now';
import { useWallet } from '../../wallet/context';
import { Amount, Button, Card, ErrorNote, Id, Loading, Note, PageHead, Stat, When } from '../../ui/basic';
import { AccountId, DatanetLink } from '../../ui/names';
import { Fetched } from '../../ui/query';
import { curves, settings, verdict } from './curves';
import { Evaluation } from './evaluation';
import { StateBadge } from './factory';

const Chart = lazy(() => import('../../ui/chart'));
const route = getRouteApi('/factory/$id');

type Status = Schemas['TrainingStatus'];

const phases: Record<string, string> = {
  '': 'waiting for a worker',
  fetch: 'fetching the records',
  train: 'learning',
  evaluate: 'asking base and adapter what was held out',
  index: 'indexing the records, so that answers can be traced to them',
  publish: 'publishing the adapter',
  register: 'registering the adapter on the chain',
  done: 'done',
};
const order = ['fetch', 'train', 'evaluate', 'index', 'publish', 'register'];

/** One training, as it goes, and what came of it. */
export default function Job() {
  const { id } = route.useParams();
  const query = useQuery({
    queryKey: ['training', id],
    queryFn: () => data(api.GET('/api/v1/training_jobs/{id}', { params: { path: { id } } })),
    refetchInterval: (q) => (q.state.data === undefined || q.state.data.state === 'queued' || q.state.data.state === 'running' ? 1000 : q.state.data.state === 'paused' ? 5000 : false),
  });
  return <Fetched query={query} what="the training" page="Training">{(s) => <Dashboard status={s} />}</Fetched>;
}

type Action = 'cancel' | 'pause' | 'resume';

/** The text that a job's owner signs: coordinator/api has the same. */
export function controlText(action: Action, id: string, at: number): string {
  return `${action.charAt(0).toUpperCase()}${action.slice(1)} an OpenLedger training job\njob: ${id}\nat: ${at}`;
}

function Dashboard({ status: s }: { status: Status }) {
  const live = s.state === 'queued' || s.state === 'running';
  const p = s.progress;
  const evals = s.evals ?? [];
  const evaluated = s.result?.eval ?? p.eval;
  const base = evals[0]?.step === 0 ? evals[0] : undefined;
  // Without held-out records nothing is asked of base and adapter.
  const steps = order.filter((phase) => phase !== 'evaluate' || evaluated !== undefined || (live && p.steps === 0));
  return (
    <>
      <PageHead title={s.name} sub={live ? (phases[p.phase] ?? p.phase) : undefined}>
        <StateBadge state={s.state} />
        {(live || s.state === 'paused') && <Controls id={s.id} state={s.state} />}
      </PageHead>
      {live && <Note>The training runs on a worker of the network. You can close this tab: nothing is lost, and this page shows it again, as does ModelFactory. If the worker fails, it goes on from its last checkpoint, or another worker starts over.</Note>}
      {s.state === 'failed' && <ErrorNote error={new Error(s.error ?? 'The training failed.')} />}
      {s.state === 'paused' && <Note tone="warn">The training waits: its worker keeps what it has learned so far, and it goes on from there when its owner says so.</Note>}
      {s.state === 'cancelled' && <Note tone="warn">The training was stopped. Nothing was registered.</Note>}
      {live && (
        <div className="stack tight" role="status">
          <progress className="progress" {...(p.steps > 0 ? { max: p.steps, value: p.step } : {})} aria-label="Steps done" />
          <span className="small dim">{p.steps > 0 ? `step ${count(p.step)} of ${count(p.steps)}` : (phases[p.phase] ?? p.phase)}</span>
        </div>
      )}
      <div className="grid">
        <Stat label="Loss" value={(s.result?.loss_last ?? p.loss).toFixed(4)} hint="how surprised it still is by the answers: lower is better" />
        {evaluated !== undefined && <Stat label="Held-out loss" value={evaluated.loss.toFixed(4)} hint={`on ${many(evaluated.records, 'record')} that it did not learn, at step ${count(evaluated.step)}${base === undefined ? '' : `; the base: ${base.loss.toFixed(4)}`}`} />}
        {evaluated !== undefined && <Stat label="Exact answers" value={evaluated.records === 0 ? '–' : percent(evaluated.exact / evaluated.records, 0)} hint={`${count(evaluated.exact)} of ${many(evaluated.records, 'held-out answer')} word for word`} />}
        {live && <Stat label="Speed" value={`${count(Math.round(p.tokens_per_second))} tokens/s`} />}
        {live && <Stat label="Time left" value={p.eta_ms > 0 ? `about ${duration(p.eta_ms)}` : '–'} hint="of learning" />}
        {s.result !== undefined && <Stat label="Took" value={duration(s.result.seconds * 1000)} hint={`${many(s.result.steps, 'step')} over ${many(s.result.records, 'record')}`} />}
      </div>
      <Curves status={s} evals={evals} />
      {s.result !== undefined && <Result status={s} result={s.result} />}
      {s.result?.report !== undefined && <Evaluation adapter={s.result.adapter} />}
      <Card title="What happens">
        <ol>
          {steps.map((phase) => {
            const at = steps.indexOf(p.phase);
            const i = steps.indexOf(phase);
            const done = s.state === 'succeeded' || (at >= 0 && i < at);
            const now = live && i === at;
            return (
              <li key={phase} aria-current={now ? 'step' : undefined}>
                {phases[phase]} <span className="dim small">{done ? 'done' : now ? 'under way' : ''}</span>
              </li>
            );
          })}
        </ol>
        <dl className="facts">
          <dt>Job</dt>
          <dd>
            <Id value={s.id} label="job" />
          </dd>
          {s.worker !== undefined && s.worker !== '' && (
            <>
              <dt>Worker</dt>
              <dd>
                <Link to="/workers/$id" params={{ id: s.worker }}>
                  …{s.worker.slice(-10)}
                </Link>
              </dd>
            </>
          )}
        </dl>
      </Card>
      {s.terms !== undefined && <Terms terms={s.terms} />}
      <Log events={s.events ?? []} />
    </>
  );
}

/** What the training was ordered with. */
function Terms({ terms: t }: { terms: NonNullable<Status['terms']> }) {
  const now = useNow();
  const h = t.hyper;
  return (
    <Card title="What was ordered">
      <dl className="facts">
        <dt>Datanet</dt>
        <dd>
          <DatanetLink id={t.datanet} />, version {t.version}
        </dd>
        <dt>By</dt>
        <dd>
          <AccountId value={t.owner} />
        </dd>
        <dt>Ordered</dt>
        <dd>
          <When at={t.at} now={now} />
        </dd>
        {(h.prompt_template ?? '') !== '' && (
          <>
            <dt>Question</dt>
            <dd>
              <code>{h.prompt_template}</code>
            </dd>
            <dt>Answer</dt>
            <dd>
              <code>{h.answer_template}</code>
            </dd>
          </>
        )}
        <dt>Settings</dt>
        <dd>{settings(h).join(', ')}</dd>
      </dl>
    </Card>
  );
}

function Curves({ status: s, evals }: { status: Status; evals: Schemas['TrainingEval'][] }) {
  const rows = curves(s, evals);
  const learned = rows.flatMap((r) => r.learned ?? []);
  if (rows.length < 2) return null;
  const lasting = evals.at(-1);
  const said = verdict(evals, s.result?.eval);
  const words = [
    learned.length > 0 ? `The loss went from ${(learned[0] ?? 0).toFixed(3)} to ${(learned.at(-1) ?? 0).toFixed(3)} on what it learns` : '',
    lasting !== undefined && evals[0] !== undefined ? `from ${evals[0].loss.toFixed(3)} to ${lasting.loss.toFixed(3)} on held-out records` : '',
  ].filter((w) => w !== '');
  return (
    <Card title="Loss">
      <Suspense fallback={<Loading what="the curves" lines={4} />}>
        <Chart
          data={rows}
          x={{ key: 'step', label: 'step' }}
          series={[{ key: 'learned', label: 'on what it learns' }, ...(evals.length > 0 ? [{ key: 'held', label: 'on held-out records' }] : [])]}
          summary={`${words.join(', and ')}.`}
          format={(v) => v.toFixed(2)}
        />
      </Suspense>
      {said !== null && <Note>{said}</Note>}
      {evals.length > 0 ? (
        <details>
          <summary>What is overfitting?</summary>
          <p className="dim">
            The loss says how surprised the model is by the right answer: lower is better. While both curves fall, it learns what the records have in common. When the curve of what it learns goes on falling and
            that of the held-out records rises, it has begun to learn its lessons by heart: that is overfitting. Of all steps that were looked at, the adapter with the lowest held-out loss is kept.
          </p>
        </details>
      ) : (
        <p className="dim small">No records were held out, so nothing here says whether it understands or remembers: train with a held-out share to see that.</p>
      )}
    </Card>
  );
}

/** What happened, the newest first. */
function Log({ events }: { events: Schemas['TrainingNote'][] }) {
  if (events.length === 0) return null;
  return (
    <Card title="Log">
      <div className="log" role="log" aria-label="What happened, the newest first" tabIndex={0}>
        <ol reversed>
          {events.toReversed().map((e, i) => (
            <li key={events.length - i}>
              <time dateTime={new Date(e.at).toISOString()}>{new Date(e.at).toLocaleTimeString()}</time> <span>{e.message}</span>
            </li>
          ))}
        </ol>
      </div>
    </Card>
  );
}

function Result({ status: s, result }: { status: Status; result: NonNullable<Status['result']> }) {
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')) });
  const model = models.data?.models.find((m) => m.cid === result.adapter);
  return (
    <Card title="The adapter">
      <dl className="facts">
        <dt>Ask for it as</dt>
        <dd>
          <code>{model?.id ?? s.name}</code>
        </dd>
        {model !== undefined && (
          <>
            <dt>Price per answer</dt>
            <dd>
              <Amount wei={model.access} />
            </dd>
            <dt>Revision</dt>
            <dd>{model.revision ?? 1}</dd>
          </>
        )}
        <dt>Content</dt>
        <dd>
          <Id value={result.adapter} label="CID" />
        </dd>
        <dt>Registered in</dt>
        <dd>
          <Id value={result.tx_hash} label="transaction" />
        </dd>
      </dl>
      <div className="row">
        <Link to="/playground" search={{ model: model?.id ?? s.name }} className="button primary">
          Chat with it
        </Link>
        <Link to="/playground" search={{ model: model?.id ?? s.name, compare: true }} className="button">
          Compare with the base
        </Link>
        <Link to="/models" className="button">
          All models
        </Link>
      </div>
    </Card>
  );
}

/** What a job's owner can do with it. */
function Controls({ id, state }: { id: string; state: Status['state'] }) {
  const { signer } = useWallet();
  const queries = useQueryClient();
  const { busy, failed, run } = useAction();
  if (signer === null) return <span className="dim small">Its owner can pause or stop it: connect that account.</span>;
  const act = (action: Action, done: string) => {
    run(async () => {
      const at = Date.now();
      const signature = await signer.signMessage({ message: controlText(action, id, at) });
      await data(api.POST(`/api/v1/training_jobs/{id}/${action}`, { params: { path: { id } }, body: { at, signature } }));
      await queries.invalidateQueries();
    }, done);
  };
  return (
    <>
      {state === 'paused' ? (
        <Button kind="primary" busy={busy} onClick={() => { act('resume', 'The training goes on.'); }}>
          Resume
        </Button>
      ) : (
        <Button busy={busy} onClick={() => { act('pause', 'The training waits.'); }}>
          Pause
        </Button>
      )}
      <Button kind="danger" busy={busy} onClick={() => { act('cancel', 'The training is stopped.'); }}>
        Stop training
      </Button>
      {failed !== null && <ErrorNote error={failed} />}
    </>
  );
}
