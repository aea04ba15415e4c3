// One proposal: what it does, how its vote stands, and what can be done with it.
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { move, type Support, vote } from '../../chain/governance';
import { useTransact } from '../../chain/transact';
import { useVoice, useVoted } from '../../chain/voice';
import { ago } from '../../lib/format';
import { useNow } from '../../lib/now';
import { Amount, Badge, Button, Card, ErrorNote, Id } from '../../ui/basic';
import { TextField } from '../../ui/form';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';

type Proposal = Schemas['Proposal'];

const tones: Record<Proposal['state'], 'good' | 'warn' | 'bad' | 'accent' | 'plain'> = {
  pending: 'plain',
  active: 'accent',
  canceled: 'plain',
  defeated: 'bad',
  succeeded: 'good',
  queued: 'warn',
  expired: 'bad',
  executed: 'good',
};

export function ProposalCard({ proposal: p }: { proposal: Proposal }) {
  const now = useNow();
  const network = useNetwork().data;
  const { signer } = useWallet();
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const step = (to: 'queue' | 'execute', done: string) => {
    run(async () => {
      if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      await transact(move(network, p.id, to));
    }, done);
  };
  const due = p.executable_at !== undefined && p.executable_at * 1000 <= now;
  const [title = '', ...rest] = p.description.split('\n');
  return (
    <Card title={title === '' ? 'A proposal without words' : title} aside={<Badge tone={tones[p.state]}>{p.state}</Badge>}>
      {rest.length > 0 && <p className="prose">{rest.join('\n').trim()}</p>}
      {failed !== null && <ErrorNote error={failed} />}
      <Votes proposal={p} />
      <dl className="facts">
        <dt>Does</dt>
        <dd>
          <ul className="plain">
            {p.calls.map((c, i) => (
              <li key={i}>
                {c.words === undefined ? (
                  <>
                    calls <Id value={c.to} label="contract" /> with <code>{c.data.length > 74 ? `${c.data.slice(0, 74)}…` : c.data}</code>
                  </>
                ) : (
                  <code>{c.words}</code>
                )}
                {c.value !== '0' && (
                  <>
                    {' '}
                    and sends <Amount wei={c.value} digits={18} />
                  </>
                )}
              </li>
            ))}
          </ul>
        </dd>
        <dt>Vote</dt>
        <dd>
          {p.vote_start * 1000 > now ? 'begins' : 'began'} {ago(p.vote_start * 1000, now)}, {p.vote_end * 1000 > now ? 'ends' : 'ended'} {ago(p.vote_end * 1000, now)}
        </dd>
        {p.executable_at !== undefined && p.state === 'queued' && (
          <>
            <dt>Can be done</dt>
            <dd>{due ? 'now' : ago(p.executable_at * 1000, now)}</dd>
          </>
        )}
        <dt>By</dt>
        <dd>
          <Id value={p.proposer} label="account" />
        </dd>
        <dt>Number</dt>
        <dd>
          <Id value={p.id} label="proposal" />
        </dd>
      </dl>
      {p.state === 'active' && (signer === null ? <NeedsAccount why="Connect an account to vote." /> : <Cast id={p.id} />)}
      {signer !== null && p.state === 'succeeded' && (
        <div>
          <Button kind="primary" busy={busy} onClick={() => { step('queue', 'It waits in the timelock now'); }}>
            Hand it to the timelock
          </Button>
        </div>
      )}
      {signer !== null && p.state === 'queued' && (
        <div>
          <Button kind="primary" busy={busy} disabled={!due} onClick={() => { step('execute', 'Done'); }}>
            Do what it says
          </Button>
        </div>
      )}
    </Card>
  );
}

function Votes({ proposal: p }: { proposal: Proposal }) {
  const all = BigInt(p.for) + BigInt(p.against) + BigInt(p.abstain);
  const share = (wei: string) => (all === 0n ? 0 : Number((BigInt(wei) * 1000n) / all) / 10);
  const counted = BigInt(p.for) + BigInt(p.abstain);
  return (
    <dl className="facts">
      {(['for', 'against', 'abstain'] as const).map((k) => (
        <div key={k} style={{ display: 'contents' }}>
          <dt>{k}</dt>
          <dd>
            <Votecount wei={p[k]} /> ({share(p[k])} %)
          </dd>
        </div>
      ))}
      <dt>Quorum</dt>
      <dd>
        {p.quorum === '0' ? (
          'fixed when the vote begins'
        ) : (
          <>
            <Votecount wei={p.quorum} />, {counted >= BigInt(p.quorum) ? 'reached' : 'not reached'}
          </>
        )}
      </dd>
    </dl>
  );
}

function Votecount({ wei }: { wei: string }) {
  return <Amount wei={wei} digits={2} />;
}

function Cast({ id }: { id: string }) {
  const network = useNetwork().data;
  const transact = useTransact();
  const voice = useVoice();
  const voted = useVoted(id, true);
  const { busy, failed, run } = useAction();
  const [reason, setReason] = useState('');
  const cast = (s: Support) => {
    run(async () => {
      if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      await transact(vote(network, id, s, reason.trim()));
    }, 'Your votes are cast');
  };
  if (voted.data === true) return <p className="dim">You have voted.</p>;
  return (
    <div className="stack tight">
      {failed !== null && <ErrorNote error={failed} />}
      {voice.data?.votes === 0n && <p className="dim">This account has no votes. Only votes that were there when the vote began count.</p>}
      <TextField label="Why (on the chain for ever; may be left out)" maxLength={500} value={reason} onChange={(e) => { setReason(e.target.value); }} />
      <div className="row">
        <Button kind="primary" busy={busy} onClick={() => { cast('for'); }}>
          Vote for
        </Button>
        <Button kind="danger" busy={busy} onClick={() => { cast('against'); }}>
          Vote against
        </Button>
        <Button busy={busy} onClick={() => { cast('abstain'); }}>
          Abstain
        </Button>
      </div>
    </div>
  );
}
