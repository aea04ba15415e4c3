import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';
import { api, ApiError, data, type Schemas } from '../../api/client';
import { useKey } from '../../chain/key';
import { count, many } from '../../lib/format';
import { Amount, Badge, Button, Card, Empty, ErrorNote, PageHead } from '../../ui/basic';
import { SelectField, TextArea, TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { useWallet } from '../../wallet/context';
import { Explained } from '../receipts/explained';
import { Ask } from './ask';
import { Compare } from './compare';
import { ask, defaults, keep, kept, maxDatanets, type Settings, type Turn } from './conversation';
import { Purse, Ready } from './ready';

const route = getRouteApi('/playground');

/** Chat with any model, and see where each answer comes from. */
export default function Playground() {
  const models = useQuery({ queryKey: ['models'], queryFn: () => data(api.GET('/api/v1/models')) });
  return (
    <>
      <PageHead title="Playground" sub="Ask a model, and see whose records each answer rests on and who earns by it." />
      <Fetched query={models} what="models">
        {({ models }) => (models.length === 0 ? <Empty title="There is no model yet" /> : <Chat models={models} />)}
      </Fetched>
    </>
  );
}

function Chat({ models }: { models: Schemas['Model'][] }) {
  const { model: wanted, compare = false } = route.useSearch();
  const navigate = useNavigate();
  const [state, setState] = useState(() => {
    const was = kept();
    const has = (id: string | undefined) => id !== undefined && models.some((m) => m.id === id);
    const model = has(wanted) ? wanted : has(was.settings.model) ? was.settings.model : models[0]?.id;
    return { turns: was.turns, settings: { ...was.settings, model: model ?? '' } };
  });
  const { turns, settings } = state;
  const [failed, setFailed] = useState<unknown>(null);
  const [stop, setStop] = useState<AbortController | null>(null);
  const { signer } = useWallet();
  const [, keepKey] = useKey(signer?.account.address);
  useEffect(() => {
    keep(turns, settings);
  }, [turns, settings]);
  const setTurns = (turns: Turn[]) => { setState((s) => ({ ...s, turns })); };
  const setSettings = (settings: Settings) => { setState((s) => ({ ...s, settings })); };

  const send = (apiKey: string, said: Turn[]) => {
    const controller = new AbortController();
    setStop(controller);
    setFailed(null);
    setTurns(said);
    ask(apiKey, said, settings, controller.signal, (t) => { setTurns([...said, t]); })
      .catch((error: unknown) => {
        setFailed(error);
        if (error instanceof ApiError && error.status === 401) keepKey(null);
      })
      .finally(() => { setStop(null); });
  };
  const chosen = models.find((m) => m.id === settings.model);
  const base = models.find((m) => m.cid === undefined && m.agent === undefined);
  const comparable = base !== undefined && chosen?.cid !== undefined && chosen.agent === undefined;
  const comparing = compare && comparable;
  return (
    <div className="chat">
      <div className="stack">
        {comparing ? (
          <Compare key={settings.model} base={base.id} settings={settings} />
        ) : (
          <>
            {turns.length === 0 && <Empty title="Nothing has been said yet">Choose a model and ask it something.</Empty>}
            <div className="stack" role="log" aria-label="Conversation" aria-live="polite" aria-busy={stop !== null}>
              {turns.map((t, i) => (
                <Said key={i} turn={t} last={i === turns.length - 1} running={stop !== null && i === turns.length - 1} />
              ))}
            </div>
            {failed !== null && <ErrorNote error={failed} />}
            <Ready>
              {(apiKey) => (
                <Ask
                  running={stop !== null}
                  again={stop === null && turns.at(-1)?.role === 'user'}
                  onStop={() => { stop?.abort(); }}
                  onAsk={(text) => { send(apiKey, text === null ? turns : [...turns, { role: 'user', content: text }]); }}
                />
              )}
            </Ready>
          </>
        )}
      </div>
      <div className="stack">
        <Card title="Model">
          <Choose models={models} settings={settings} onChange={setSettings} />
          {chosen !== undefined && <Price model={chosen} />}
          {comparable && (
            <label className="row">
              <input
                type="checkbox"
                checked={comparing}
                disabled={stop !== null}
                onChange={(e) => { void navigate({ to: '/playground', search: e.target.checked ? { compare: true } : {} }); }}
              />
              Beside the base
            </label>
          )}
          <details>
            <summary>{settings.datanets.length === 0 ? 'Search datanets' : `Searches ${count(settings.datanets.length)} of the datanets`}</summary>
            <Reads settings={settings} onChange={setSettings} />
          </details>
          <details>
            <summary>How it answers</summary>
            <Knobs settings={settings} onChange={setSettings} />
          </details>
          {!comparing && (
            <Button
              disabled={stop !== null || turns.length === 0}
              onClick={() => {
                setTurns([]);
                setFailed(null);
              }}
            >
              New conversation
            </Button>
          )}
        </Card>
        {signer !== null && <Purse />}
      </div>
    </div>
  );
}

/** One turn; an answer with what it cost, and on demand where it comes from. */
function Said({ turn, last, running }: { turn: Turn; last: boolean; running: boolean }) {
  const [shown, setShown] = useState<boolean | null>(null);
  const open = shown ?? (last && turn.receipt !== undefined);
  if (turn.role === 'user') {
    return (
      <div className="said mine">
        <span className="visually-hidden">You: </span>
        {turn.content}
      </div>
    );
  }
  return (
    <div className="said">
      <span className="visually-hidden">Answer: </span>
      {open && turn.receipt !== undefined && !running ? <Explained receipt={turn.receipt} /> : <div className="answer">{turn.content === '' && running ? '…' : turn.content}</div>}
      {!running && (
        <p className="row small dim">
          {turn.fee !== undefined && (
            <span>
              <Amount wei={turn.fee} /> for {many(turn.tokens ?? 0, 'token')}
            </span>
          )}
          {turn.ended === 'stopped' && <Badge>stopped by you</Badge>}
          {turn.ended === 'length' && <Badge>the longest you allow</Badge>}
          {turn.ended === 'broken off' && <Badge tone="warn">broken off</Badge>}
          {turn.receipt !== undefined && (
            <>
              <Link to="/receipts/$id" params={{ id: turn.receipt }}>
                Receipt
              </Link>
              <Button small aria-expanded={open} onClick={() => { setShown(!open); }}>
                {open ? 'Hide where it comes from' : 'Where it comes from'}
              </Button>
            </>
          )}
        </p>
      )}
    </div>
  );
}

function Choose({ models, settings, onChange }: { models: Schemas['Model'][]; settings: Settings; onChange: (s: Settings) => void }) {
  const groups = useMemo(
    () =>
      [
        { name: 'Agents', list: models.filter((m) => m.agent !== undefined) },
        { name: 'Adapters', list: models.filter((m) => m.agent === undefined && m.cid !== undefined) },
        { name: 'Base', list: models.filter((m) => m.agent === undefined && m.cid === undefined) },
      ].filter((g) => g.list.length > 0),
    [models],
  );
  return (
    <SelectField label="Model" value={settings.model} onChange={(e) => { onChange({ ...settings, model: e.target.value }); }}>
      {groups.map((g) => (
        <optgroup key={g.name} label={g.name}>
          {g.list.map((m) => (
            <option key={m.id}>{m.id}</option>
          ))}
        </optgroup>
      ))}
    </SelectField>
  );
}

function Price({ model }: { model: Schemas['Model'] }) {
  const markup = BigInt(model.agent?.markup ?? '0');
  const access = BigInt(model.access);
  return (
    <p className="small dim">
      {access + markup === 0n ? 'You pay for the tokens only.' : <><Amount wei={access + markup} /> an answer, and the tokens.</>}
    </p>
  );
}

/** Which datanets every answer reads. */
function Reads({ settings, onChange }: { settings: Settings; onChange: (s: Settings) => void }) {
  const query = useQuery({ queryKey: ['datanets'], queryFn: () => data(api.GET('/api/v1/datanets')) });
  const chosen = settings.datanets;
  return (
    <Fetched query={query} what="datanets">
      {({ datanets }) =>
        datanets.length === 0 && chosen.length === 0 ? (
          <Empty title="There is no datanet yet" />
        ) : (
          <fieldset className="stack tight" style={{ marginTop: '0.75rem' }}>
            <legend>Search these datanets</legend>
            <p className="small dim">What fits your question is found in their newest versions and given to the model to read and cite; their contributors are paid for it. At most {maxDatanets}.</p>
            {datanets.map((d) => (
              <label key={d.id} className="row">
                <input
                  type="checkbox"
                  checked={chosen.includes(d.id)}
                  disabled={!chosen.includes(d.id) && chosen.length >= maxDatanets}
                  onChange={(e) => { onChange({ ...settings, datanets: e.target.checked ? [...chosen, d.id] : chosen.filter((id) => id !== d.id) }); }}
                />
                {d.name}
              </label>
            ))}
            {chosen.filter((id) => !datanets.some((d) => d.id === id)).map((id) => (
              <label key={id} className="row">
                <input type="checkbox" checked onChange={() => { onChange({ ...settings, datanets: chosen.filter((o) => o !== id) }); }} />
                datanet {id}, which is not there any more
              </label>
            ))}
          </fieldset>
        )
      }
    </Fetched>
  );
}

function Knobs({ settings, onChange }: { settings: Settings; onChange: (s: Settings) => void }) {
  const number = (name: 'temperature' | 'topP' | 'maxTokens', min: number, max: number) => (e: React.ChangeEvent<HTMLInputElement>) => {
    const v = e.target.valueAsNumber;
    if (!Number.isNaN(v)) onChange({ ...settings, [name]: Math.min(Math.max(v, min), max) });
  };
  return (
    <div className="stack" style={{ marginTop: '0.75rem' }}>
      <TextArea label="Instructions" hint="What the model should keep to in the whole conversation." rows={2} value={settings.system} onChange={(e) => { onChange({ ...settings, system: e.target.value }); }} />
      <TextField label="Temperature" type="number" min={0} max={2} step={0.1} hint="0: always the likeliest word. 1 and more: more variety." value={settings.temperature} onChange={number('temperature', 0, 2)} />
      <TextField label="Top-p" type="number" min={0} max={1} step={0.05} hint="Leaves out unlikely words. 1: none." value={settings.topP} onChange={number('topP', 0, 1)} />
      <TextField label="Longest answer in tokens" type="number" min={1} max={65536} step={1} hint="A token is about three quarters of a word." value={settings.maxTokens} onChange={number('maxTokens', 1, 65536)} />
      <TextField label="Seed" inputMode="numeric" hint="The same seed gives the same answer. Empty: another one each time." value={settings.seed} onChange={(e) => { onChange({ ...settings, seed: e.target.value.replace(/\D/g, '').slice(0, 15) }); }} />
      <Button small onClick={() => { onChange({ ...defaults, model: settings.model }); }}>
        Back to the defaults
      </Button>
    </div>
  );
}
