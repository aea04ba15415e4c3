// Proposing other values for governed parameters: which, why, and the calls that would be
// made, before anything is sent.
import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type SubmitEvent, useState } from 'react';
import { api, data, type Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { proposalId, propose } from '../../chain/governance';
import { useTransact } from '../../chain/transact';
import { useVoice } from '../../chain/voice';
import { duration, open } from '../../lib/format';
import { Amount, Button, Card, ErrorNote, Note, PageHead } from '../../ui/basic';
import { TextArea, TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { assess, ChangeOf, type Change, changeTo } from './change';
import { Does } from './proposal';
import { useGovernance } from './query';
import { Voice } from './voice';

const route = getRouteApi('/governance/new');

/** The form of a proposal. */
export default function Propose() {
  const rules = useGovernance();
  const settings = useQuery({ queryKey: ['settings'], queryFn: () => data(api.GET('/api/v1/governance/settings')), refetchInterval: 30_000 });
  return (
    <>
      <PageHead title="Propose a change" sub="Choose what should have another value, and say why. Holders of GOPEN vote; what they decide is done after the timelock, by anybody." />
      <Fetched query={rules} what="the rules of votes">
        {(g) => (
          <Fetched query={settings} what="what can be changed">
            {(s) => (
              <>
                <Eligible rules={g.rules} />
                <Form rules={g.rules} settings={s.settings} />
              </>
            )}
          </Fetched>
        )}
      </Fetched>
    </>
  );
}

/** Whether the connected account has the votes that it takes, and what to do if not. */
function Eligible({ rules }: { rules: Schemas['Governance']['rules'] }) {
  const { signer } = useWallet();
  const voice = useVoice();
  const needed = BigInt(rules.proposal_threshold);
  if (signer === null) return <NeedsAccount why={`It takes ${open(needed, 2)} votes to propose. Connect an account to see its votes.`} />;
  return (
    <Fetched query={voice} what="your votes">
      {(v) => {
        if (v.votes >= needed) {
          return (
            <Note tone="good">
              <span>
                You have <Amount wei={v.votes} digits={2} /> of votes; it takes <Amount wei={needed} digits={2} /> to propose.
              </span>
            </Note>
          );
        }
        const missing = needed - v.votes;
        return (
          <>
            <Note tone="warn">
              <span>
                It takes <Amount wei={needed} digits={2} /> of votes to propose, and you have <Amount wei={v.votes} digits={2} />.{' '}
                {v.delegate === null && v.balance > 0n
                  ? 'Your GOPEN votes for nobody yet: delegate it, to yourself for instance.'
                  : `Wrap ${open(missing)} OPEN and delegate it to yourself, or have others delegate their GOPEN to you: here, both at any time back.`}
              </span>
            </Note>
            <Voice wanted={missing > v.balance ? missing - (v.delegate === null ? v.balance : 0n) : missing} />
          </>
        );
      }}
    </Fetched>
  );
}

function Form({ rules, settings }: { rules: Schemas['Governance']['rules']; settings: Schemas['GovernedSetting'][] }) {
  const { setting } = route.useSearch();
  const network = useNetwork().data;
  const { signer } = useWallet();
  const voice = useVoice();
  const transact = useTransact();
  const navigate = useNavigate();
  const { busy, failed, run } = useAction();
  const [changes, setChanges] = useState<Change[]>(() => [changeTo(settings, setting ?? '')]);
  const [title, setTitle] = useState('');
  const [why, setWhy] = useState('');
  const [tried, setTried] = useState(false);

  const assessed = changes.map((c) => assess(settings, c));
  const calls = useQueries({
    queries: changes.map((c, i) => {
      const values = assessed[i]?.values;
      return {
        queryKey: ['setting-call', c.name, values?.map(String)],
        enabled: values !== undefined,
        retry: false,
        queryFn: () => data(api.GET('/api/v1/governance/settings/{name}/call', { params: { path: { name: c.name }, query: { values: (values ?? []).join(',') } } })),
      };
    }),
  });
  const ready = calls.flatMap((q, i) => (assessed[i]?.values === undefined || q.data === undefined ? [] : [q.data]));
  const whole = ready.length === changes.length;
  const enough = voice.data !== undefined && voice.data.votes >= BigInt(rules.proposal_threshold);
  const wrongTitle = title.trim() === '' ? 'Say in a line what it changes.' : undefined;
  const description = why.trim() === '' ? title.trim() : `${title.trim()}\n\n${why.trim()}`;

  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    setTried(true);
    if (wrongTitle !== undefined || !whole) return;
    run(async () => {
      if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      const proposed = ready.map((r) => r.call);
      await transact(propose(network, proposed, description));
      await navigate({ to: '/governance/$id', params: { id: proposalId(proposed, description) } });
    }, 'It is proposed');
  };
  const set = (i: number, to: Change | null) => {
    setChanges(to === null ? changes.filter((_, k) => k !== i) : changes.map((c, k) => (k === i ? to : c)));
  };
  return (
    <form className="stack" onSubmit={submit} noValidate>
      {changes.map((c, i) => (
        <ChangeOf
          key={c.key}
          settings={settings.filter((s) => s.name === c.name || !changes.some((o) => o.name === s.name))}
          change={c}
          assessed={assessed[i]}
          call={calls[i]}
          tried={tried}
          onChange={(to) => { set(i, to); }}
          onRemove={changes.length > 1 ? () => { set(i, null); } : undefined}
        />
      ))}
      <div>
        <Button small disabled={!whole || changes.length >= most} onClick={() => { setChanges([...changes, changeTo(settings, '')]); }}>
          Change another parameter with it
        </Button>
      </div>
      <Card title="In words">
        <TextField label="Title" hint="What everybody sees in the list." maxLength={120} value={title} wrong={tried ? wrongTitle : undefined} onChange={(e) => { setTitle(e.target.value); }} />
        <TextArea label="Why" hint="What is wrong now, and what gets better. It is on the chain for ever." rows={5} maxLength={4000} value={why} onChange={(e) => { setWhy(e.target.value); }} />
      </Card>
      {whole && <Does calls={ready.map((r) => r.call)} />}
      {failed !== null && <ErrorNote error={failed} />}
      <div className="row">
        <Button type="submit" kind="primary" busy={busy} disabled={signer === null || !enough}>
          Propose it
        </Button>
        <span className="dim small">
          {signer !== null && !enough && 'You do not have the votes for it yet. '}
          One transaction. The vote begins {duration(rules.voting_delay_seconds * 1000)} later and lasts {duration(rules.voting_period_seconds * 1000)}.
        </span>
      </div>
    </form>
  );
}

const most = 8; // parameters of one proposal
