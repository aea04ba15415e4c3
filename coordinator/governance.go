package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/openledger/openledger/coordinator/api"
)

// governanceFor is how long proposals are taken for current: reading them all asks the
// chain's node for a lot, and anybody may ask.
const governanceFor = 3 * time.Second

// proposals are those read last.
type proposals struct {
	turn chan struct{} // who reads them
	mu   sync.Mutex
	at   time.Time
	last api.Governance
}

func (p *proposals) current() (api.Governance, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, !p.at.IsZero() && time.Since(p.at) < governanceFor
}

// Governance reads the rules of votes and all proposals. They may be three seconds old.
func (c *Coordinator) Governance(ctx context.Context) (api.Governance, error) {
	p := &c.proposals
	if v, ok := p.current(); ok {
		return v, nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return api.Governance{}, ctx.Err()
	}
	if v, ok := p.current(); ok {
		return v, nil
	}
	rules, err := c.chain.VotingRules(ctx)
	if err != nil {
		return api.Governance{}, err
	}
	all, err := c.chain.Proposals(ctx)
	if err != nil {
		return api.Governance{}, err
	}
	v := api.Governance{Rules: api.VotingRules{VotingDelay: rules.VotingDelay, VotingPeriod: rules.VotingPeriod, TimelockDelay: rules.TimelockDelay,
		QuorumPercent: rules.QuorumPercent, ProposalThreshold: rules.ProposalThreshold}}
	for _, one := range all {
		out := api.Proposal{ID: one.ID, Proposer: one.Proposer, Description: one.Description, State: string(one.State), VoteStart: one.VoteStart, VoteEnd: one.VoteEnd,
			ExecutableAt: one.ExecutableAt, For: one.For, Against: one.Against, Abstain: one.Abstain, Quorum: one.Quorum}
		for _, a := range one.Actions {
			call := api.ProposedCall{To: a.To, Value: a.Value, Data: a.Data}
			if named, ok := c.chain.Name(a); ok {
				call.Words = named.String()
			}
			out.Calls = append(out.Calls, call)
		}
		v.Proposals = append(v.Proposals, out)
	}
	p.mu.Lock()
	p.at, p.last = time.Now(), v
	p.mu.Unlock()
	return v, nil
}
