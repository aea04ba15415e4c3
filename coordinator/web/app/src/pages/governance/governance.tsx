import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { ago, duration, open } from '../../lib/format';
import { Amount, Badge, Card, Empty, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { type Proposal, states, titled, tones, useChainTime, useGovernance } from './query';
import { Voice } from './voice';

/** What is proposed, and the votes of the connected account. */
export default function Governance() {
  const query = useGovernance();
  return (
    <>
      <PageHead title="Governance" sub="Parameters, roles and the treasury change by votes of GOPEN, which is OPEN put aside for voting.">
        <Link to="/governance/new" className="button primary">
          Propose a change
        </Link>
      </PageHead>
      <Fetched query={query} what="proposals">
        {(g) => (
          <>
            <Rules rules={g.rules} />
            <Proposals all={g} />
            <Voice />
          </>
        )}
      </Fetched>
    </>
  );
}

function Proposals({ all }: { all: Schemas['Governance'] }) {
  const now = useChainTime(all.time);
  return (
    <Card title="Proposals">
      {all.proposals.length === 0 ? (
        <Empty title="Nothing was proposed yet">
          <p>
            Who has <Amount wei={all.rules.proposal_threshold} digits={0} /> of votes can propose a change.
          </p>
        </Empty>
      ) : (
        <div className="table">
          <table>
            <thead>
              <tr>
                <th>Proposal</th>
                <th>State</th>
                <th className="num">For</th>
                <th className="num">Against</th>
                <th>Vote</th>
              </tr>
            </thead>
            <tbody>
              {all.proposals.toReversed().map((p) => (
                <tr key={p.id}>
                  <td>
                    <Link to="/governance/$id" params={{ id: p.id }}>
                      {titled(p)[0]}
                    </Link>
                  </td>
                  <td>
                    <Badge tone={tones[p.state]}>{states[p.state]}</Badge>
                  </td>
                  <td className="num">{open(p.for, 2)}</td>
                  <td className="num">{open(p.against, 2)}</td>
                  <td className="nowrap">{voting(p, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

function voting(p: Proposal, now: number): string {
  if (p.state === 'canceled') return 'never begun';
  if (p.vote_start * 1000 > now) return `begins ${ago(p.vote_start * 1000, now)}`;
  return `${p.vote_end * 1000 > now ? 'ends' : 'ended'} ${ago(p.vote_end * 1000, now)}`;
}

function Rules({ rules: r }: { rules: Schemas['Governance']['rules'] }) {
  return (
    <div className="grid">
      <Stat label="A vote begins after" value={duration(r.voting_delay_seconds * 1000)} />
      <Stat label="and lasts" value={duration(r.voting_period_seconds * 1000)} />
      <Stat label="Quorum" value={`${r.quorum_percent} %`} hint="of all GOPEN" />
      <Stat label="Done at the earliest after" value={duration(r.timelock_seconds * 1000)} hint="in the timelock" />
    </div>
  );
}
