// One proposal: what it does, how its vote stands, and what can be done with it.
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { useAction } from '../../chain/action';
import { move, type Support, vote } from '../../chain/governance';
import { useTransact } from '../../chain/transact';
import { useVoice, useVoted } from '../../chain/voice';
import { ago } from '../../lib/format';
import { Amount, Badge, Button, Card, Empty, ErrorNote, Id, Note, PageHead } from '../../ui/basic';
import { TextField } from '../../ui/form';
import { Fetched } from '../../ui/query';
import { NeedsAccount } from '../../wallet/account';
import { useNetwork, useWallet } from '../../wallet/context';
import { type Proposal, states, titled, tones, useChainTime, useGovernance } from './query';

const route = getRouteApi('/governance/$id');

/** A proposal's page. */
export default function ProposalPage() {
  const { id } = route.useParams();
  const query = useGovernance();
  const found = query.data?.proposals.find((p) => p.id.toLowerCase() === id.toLowerCase());
  const [title, text] = found === undefined ? ['Proposal', ''] : titled(found);
  return (
    <>
      <PageHead title={title} sub={found === undefined ? undefined : <>Proposal <Id value={found.id} label="proposal" /> by <Id value={found.proposer} label="account" /></>}>
        {found !== undefined && <Badge tone={tones[found.state]}>{states[found.state]}</Badge>}
      </PageHead>
      <Fetched query={query} what="the proposal">
        {(g) =>
          found === undefined ? (
            <Empty title="No proposal has this number">
              <p>One that was made a moment ago appears here within seconds.</p>
            </Empty>
          ) : (
            <>
              {text !== '' && (
                <Card title="Why">
                  <p className="prose">{text}</p>
                </Card>
              )}
              <div className="grid two">
                <Does calls={found.calls} />
                <Standing proposal={found} time={g.time} />
              </div>
              <Next proposal={found} time={g.time} />
            </>
          )
        }
      </Fetched>
      <p>
        <Link to="/governance">All proposals</Link>
      </p>
    </>
  );
}

/** What a proposal calls, to the letter. */
export function Does({ calls }: { calls: Schemas['ProposedCall'][] }) {
  return (
    <Card title="What it does">
      <ol className="stack tight">
        {calls.map((c, i) => (
          <li key={i}>
            {c.words !== undefined && (
              <p>
                <code>{c.words}</code>
              </p>
            )}
            <p className="small dim">
              calls <Id value={c.to} label="contract" />
              {c.value !== '0' && (
                <>
                  {' '}
                  and sends <Amount wei={c.value} digits={18} />
                </>
              )}
            </p>
            <details>
              <summary className="small">Its bytes</summary>
              <code className="small">{c.data}</code>
            </details>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Standing({ proposal: p, time }: { proposal: Proposal; time: number }) {
  const now = useChainTime(time);
  const at = (unix: number) => (
    <>
      {ago(unix * 1000, now)}, <time dateTime={new Date(unix * 1000).toISOString()}>{new Date(unix * 1000).toLocaleString()}</time>
    </>
  );
  return (
    <Card title="The vote">
      <Votes proposal={p} />
      <dl className="facts">
        <dt>{p.vote_start * 1000 > now ? 'Begins' : 'Began'}</dt>
        <dd>{at(p.vote_start)}</dd>
        <dt>{p.vote_end * 1000 > now ? 'Ends' : 'Ended'}</dt>
        <dd>{at(p.vote_end)}</dd>
        {p.executable_at !== undefined && (
          <>
            <dt>Can be done</dt>
            <dd>{at(p.executable_at)}</dd>
          </>
        )}
      </dl>
    </Card>
  );
}

/** What comes next, and the button for it. */
function Next({ proposal: p, time }: { proposal: Proposal; time: number }) {
  const now = useChainTime(time);
  const network = useNetwork().data;
  const { signer } = useWallet();
  const transact = useTransact();
  const { busy, failed, run } = useAction();
  const step = (to: 'queue' | 'execute' | 'cancel', done: string) => {
    run(async () => {
      if (network === undefined) throw new Error('The network is not known yet: wait a moment and try again.');
      await transact(move(network, p.id, to));
    }, done);
  };
  const due = p.executable_at !== undefined && p.executable_at * 1000 <= now;
  const own = signer?.account.address.toLowerCase() === p.proposer.toLowerCase();
  const account = signer === null ? <NeedsAccount why="Anybody may do this: connect an account." /> : undefined;
  switch (p.state) {
    case 'pending':
      return (
        <Card title="What comes next">
          {failed !== null && <ErrorNote error={failed} />}
          <p>The vote begins {ago(p.vote_start * 1000, now)}. The votes that accounts have then count: until then GOPEN can be wrapped and delegated.</p>
          {own && (
            <div>
              <Button busy={busy} onClick={() => { step('cancel', 'It is taken back'); }}>
                Take it back
              </Button>
            </div>
          )}
        </Card>
      );
    case 'active':
      return <Card title="Your vote">{signer === null ? <NeedsAccount why="Connect an account to vote." /> : <Cast id={p.id} />}</Card>;
    case 'succeeded':
      return (
        <Card title="What comes next">
          {failed !== null && <ErrorNote error={failed} />}
          <p>It has the votes. Handed to the timelock, it waits there, so that whoever disagrees can leave before it is done.</p>
          {account ?? (
            <div>
              <Button kind="primary" busy={busy} onClick={() => { step('queue', 'It waits in the timelock now'); }}>
                Hand it to the timelock
              </Button>
            </div>
          )}
        </Card>
      );
    case 'queued':
      return (
        <Card title="What comes next">
          {failed !== null && <ErrorNote error={failed} />}
          <p>{due ? 'Its time in the timelock is over.' : `It can be done ${ago((p.executable_at ?? 0) * 1000, now)}.`}</p>
          {account ?? (
            <div>
              <Button kind="primary" busy={busy} disabled={!due} onClick={() => { step('execute', 'Done'); }}>
                Do what it says
              </Button>
            </div>
          )}
        </Card>
      );
    case 'executed':
      return <Note tone="good">It is done: what it says was called.</Note>;
    case 'defeated':
      return <Note>It did not get the votes, or too few took part. The same can be proposed again in other words.</Note>;
    case 'canceled':
      return <Note>Its proposer took it back.</Note>;
    case 'expired':
      return <Note>Nobody did it in time.</Note>;
  }
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
