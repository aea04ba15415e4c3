package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// governanceFor is how long proposals and settings are taken for current: reading them all
// asks the chain's node for a lot, and anybody may ask.
const governanceFor = 3 * time.Second

// recent is what was read last, for some seconds.
type recent[T any] struct {
	turn chan struct{} // who reads
	mu   sync.Mutex
	at   time.Time
	last T
}

func recently[T any]() recent[T] { return recent[T]{turn: make(chan struct{}, 1)} }

func (r *recent[T]) current() (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, !r.at.IsZero() && time.Since(r.at) < governanceFor
}

// get gives what was read lately, or reads it: one caller at a time.
func (r *recent[T]) get(ctx context.Context, read func(context.Context) (T, error)) (v T, err error) {
	if v, ok := r.current(); ok {
		return v, nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return v, ctx.Err()
	}
	if v, ok := r.current(); ok {
		return v, nil
	}
	if v, err = read(ctx); err != nil {
		return v, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.last = time.Now(), v
	return v, nil
}

// Governance reads the rules of votes and all proposals. They may be three seconds old.
func (c *Coordinator) Governance(ctx context.Context) (api.Governance, error) {
	return c.proposals.get(ctx, c.readGovernance)
}

func (c *Coordinator) readGovernance(ctx context.Context) (api.Governance, error) {
	_, now, err := c.chain.Head(ctx)
	if err != nil {
		return api.Governance{}, err
	}
	rules, err := c.chain.VotingRules(ctx)
	if err != nil {
		return api.Governance{}, err
	}
	all, err := c.chain.Proposals(ctx)
	if err != nil {
		return api.Governance{}, err
	}
	v := api.Governance{Time: now, Rules: api.VotingRules{VotingDelay: rules.VotingDelay, VotingPeriod: rules.VotingPeriod, TimelockDelay: rules.TimelockDelay,
		QuorumPercent: rules.QuorumPercent, ProposalThreshold: rules.ProposalThreshold}}
	for _, one := range all {
		out := api.Proposal{ID: one.ID, Proposer: one.Proposer, Description: one.Description, State: string(one.State), VoteStart: one.VoteStart, VoteEnd: one.VoteEnd,
			ExecutableAt: one.ExecutableAt, For: one.For, Against: one.Against, Abstain: one.Abstain, Quorum: one.Quorum}
		for _, a := range one.Actions {
			out.Calls = append(out.Calls, c.proposedCall(a))
		}
		v.Proposals = append(v.Proposals, out)
	}
	return v, nil
}

func (c *Coordinator) proposedCall(a chain.Action) api.ProposedCall {
	call := api.ProposedCall{To: a.To, Value: a.Value, Data: a.Data}
	if named, ok := c.chain.Name(a); ok {
		call.Words = named.String()
	}
	return call
}

// Settings reads every governed parameter. They may be three seconds old.
func (c *Coordinator) Settings(ctx context.Context) ([]api.GovernedSetting, error) {
	return c.settings.get(ctx, c.readSettings)
}

func (c *Coordinator) readSettings(ctx context.Context) (out []api.GovernedSetting, err error) {
	for _, s := range chain.Settings() {
		values, err := s.Values(ctx, c.chain)
		if err != nil {
			return nil, err
		}
		words := s.Words()
		one := api.GovernedSetting{Name: s.Name, Contract: s.On(c.chain.Addresses()), About: words.About, Together: words.Together}
		for i, f := range s.Fields {
			w := words.Fields[i]
			one.Fields = append(one.Fields, api.GovernedField{Name: f.Name, Unit: string(f.Unit), About: w.About, Value: values[i], Min: w.Min, Max: w.Max,
				Bounded: uint(new(uint256.Int).AddUint64(&w.Max, 1).BitLen()) <= f.Bits && !w.Max.Eq(new(uint256.Int).SetAllOne())})
		}
		out = append(out, one)
	}
	return out, nil
}

// SettingCall is the call that gives a setting other values, tried on the chain.
func (c *Coordinator) SettingCall(ctx context.Context, name string, values []uint256.Int) (api.SettingCall, error) {
	for _, s := range chain.Settings() {
		if s.Name != name {
			continue
		}
		action, err := s.Action(c.chain.Addresses(), values)
		if err != nil {
			return api.SettingCall{}, err
		}
		trial, err := c.chain.Try(ctx, action)
		if err != nil {
			return api.SettingCall{}, err
		}
		out := api.SettingCall{Call: c.proposedCall(action), Tried: trial.Tried, Refused: trial.Refused}
		if trial.Denied {
			out.Refused = "governance does not administer this contract yet: its deployer has not handed it over ('openledger chain deploy --hand-over')"
		}
		return out, nil
	}
	return api.SettingCall{}, protocol.Errorf(protocol.KindNotFound, "name", "there is no setting %.80q: GET /api/v1/governance/settings lists them", name)
}
