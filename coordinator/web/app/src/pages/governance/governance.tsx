import { useQuery } from '@tanstack/react-query';
import { api, data, type Schemas } from '../../api/client';
import { duration } from '../../lib/format';
import { Amount, Card, Empty, PageHead, Stat } from '../../ui/basic';
import { Fetched } from '../../ui/query';
import { ProposalCard } from './proposal';
import { Voice } from './voice';

/** What is proposed, voting on it, and the votes of the connected account. */
export default function Governance() {
  const query = useQuery({ queryKey: ['governance'], queryFn: () => data(api.GET('/api/v1/governance')), refetchInterval: 5000 });
  return (
    <>
      <PageHead title="Governance" sub="Parameters, roles and the treasury change by votes of GOPEN, which is OPEN put aside for voting." />
      <Fetched query={query} what="proposals">
        {(g) => (
          <>
            <Rules rules={g.rules} />
            <Voice />
            {g.proposals.length === 0 ? (
              <Card title="Proposals">
                <Empty title="Nothing was proposed yet">
                  <p>
                    Propose with <code>openledger gov propose</code>; it takes <Amount wei={g.rules.proposal_threshold} digits={0} /> of votes.
                  </p>
                </Empty>
              </Card>
            ) : (
              g.proposals.toReversed().map((p) => <ProposalCard key={p.id} proposal={p} />)
            )}
          </>
        )}
      </Fetched>
    </>
  );
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
