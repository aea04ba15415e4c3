package chain

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var (
	gopen    = bindings.NewGOPEN()
	governor = bindings.NewOpenGovernor()
	timelock = bindings.NewTimelock()
)

// Action is one call that a proposal makes.
type Action struct {
	To    protocol.Account `json:"to"`
	Value uint256.Int      `json:"value_wei"`
	Data  []byte           `json:"data"`
}

// ProposalState is where a proposal stands (OpenZeppelin's Governor).
type ProposalState string

// proposalStates are in the contract's order.
var proposalStates = []ProposalState{"pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed"}

// Proposal is a proposal and what became of it. Times are Unix seconds.
type Proposal struct {
	ID           protocol.Hash    `json:"id"`
	Proposer     protocol.Account `json:"proposer"`
	Description  string           `json:"description"`
	Actions      []Action         `json:"actions"`
	VoteStart    int64            `json:"vote_start"`
	VoteEnd      int64            `json:"vote_end"`
	State        ProposalState    `json:"state"`
	ExecutableAt int64            `json:"executable_at,omitempty"` // once queued
	For          uint256.Int      `json:"for_wei"`
	Against      uint256.Int      `json:"against_wei"`
	Abstain      uint256.Int      `json:"abstain_wei"`
	Quorum       uint256.Int      `json:"quorum_wei"` // 0 until the vote starts
}

// Support is a vote, by the contract's numbers.
type Support uint8

// What a vote may say.
const (
	VoteAgainst Support = iota
	VoteFor
	VoteAbstain
)

// VotingRules are the governor's settings and the timelock's delay. Times are seconds.
type VotingRules struct {
	VotingDelay       uint64      `json:"voting_delay_seconds"`
	VotingPeriod      uint64      `json:"voting_period_seconds"`
	ProposalThreshold uint256.Int `json:"proposal_threshold_wei"`
	QuorumPercent     uint64      `json:"quorum_percent"`
	TimelockDelay     uint64      `json:"timelock_seconds"`
}

// VotingRules reads the rules that hold now.
func (c *Client) VotingRules(ctx context.Context) (VotingRules, error) {
	var r VotingRules
	at := c.cfg.Addresses.Governor
	for _, f := range []struct {
		what string
		to   protocol.Account
		data []byte
		into *uint64
	}{
		{"read the voting delay", at, governor.PackVotingDelay(), &r.VotingDelay},
		{"read the voting period", at, governor.PackVotingPeriod(), &r.VotingPeriod},
		{"read the quorum", at, governor.PackQuorumNumerator0(), &r.QuorumPercent},
		{"read the timelock's delay", c.cfg.Addresses.Timelock, timelock.PackGetMinDelay(), &r.TimelockDelay},
	} {
		// All of them answer with one number.
		n, err := readAmount(ctx, c, f.what, f.to, f.data, governor.UnpackVotingDelay)
		if err != nil {
			return r, err
		}
		*f.into = n.Uint64()
	}
	var err error
	r.ProposalThreshold, err = readAmount(ctx, c, "read the proposal threshold", at, governor.PackProposalThreshold(), governor.UnpackProposalThreshold)
	return r, err
}

// Voice is what an account has in governance.
type Voice struct {
	Balance  uint256.Int      `json:"balance_wei"` // of GOPEN
	Delegate protocol.Account `json:"delegate"`    // zero: nobody, the balance does not vote
	Votes    uint256.Int      `json:"votes_wei"`   // its own and those delegated to it
}

// VoiceOf reads an account's GOPEN and votes.
func (c *Client) VoiceOf(ctx context.Context, a protocol.Account) (Voice, error) {
	var v Voice
	var err error
	at := c.cfg.Addresses.GOPEN
	if v.Balance, err = readAmount(ctx, c, "read a balance of GOPEN", at, gopen.PackBalanceOf(a), gopen.UnpackBalanceOf); err != nil {
		return v, err
	}
	if v.Delegate, err = read(ctx, c, "read a delegate", at, gopen.PackDelegates(a), gopen.UnpackDelegates); err != nil {
		return v, err
	}
	v.Votes, err = readAmount(ctx, c, "read votes", at, gopen.PackGetVotes(a), gopen.UnpackGetVotes)
	return v, err
}

// Proposals lists all proposals, the oldest first.
func (c *Client) Proposals(ctx context.Context) ([]Proposal, error) {
	created := [][]common.Hash{{crypto.Keccak256Hash([]byte("ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)"))}}
	var out []Proposal
	_, err := c.rawLogs(ctx, 0, 0, []common.Address{c.cfg.Addresses.Governor}, created, func(l *types.Log) error {
		e, err := governor.UnpackProposalCreatedEvent(l)
		if err != nil {
			return protocol.Errorf(protocol.KindCorrupt, "log", "a proposal cannot be read: %w", err)
		}
		p := Proposal{
			ID: common.BigToHash(e.ProposalId), Proposer: e.Proposer, Description: e.Description,
			VoteStart: e.VoteStart.Int64(), VoteEnd: e.VoteEnd.Int64(),
		}
		for i := range min(len(e.Targets), len(e.Values), len(e.Calldatas)) {
			value, err := toU256(e.Values[i])
			if err != nil {
				return err
			}
			p.Actions = append(p.Actions, Action{To: e.Targets[i], Value: value, Data: e.Calldatas[i]})
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, now, err := c.Head(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := c.standing(ctx, &out[i], now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// standing fills in a proposal's state and votes.
func (c *Client) standing(ctx context.Context, p *Proposal, now int64) error {
	at, id := c.cfg.Addresses.Governor, p.ID.Big()
	state, err := read(ctx, c, "read a proposal's state", at, governor.PackState(id), governor.UnpackState)
	if err != nil {
		return err
	}
	if int(state) >= len(proposalStates) {
		return protocol.Errorf(protocol.KindCorrupt, "state", "proposal %s is in state %d, which is none", p.ID, state)
	}
	p.State = proposalStates[state]
	votes, err := read(ctx, c, "read a proposal's votes", at, governor.PackProposalVotes(id), governor.UnpackProposalVotes)
	if err != nil {
		return err
	}
	for _, v := range []struct {
		from *big.Int
		into *uint256.Int
	}{{votes.ForVotes, &p.For}, {votes.AgainstVotes, &p.Against}, {votes.AbstainVotes, &p.Abstain}} {
		if *v.into, err = toU256(v.from); err != nil {
			return err
		}
	}
	if p.VoteStart < now {
		if p.Quorum, err = readAmount(ctx, c, "read the quorum", at, governor.PackQuorum(big.NewInt(p.VoteStart)), governor.UnpackQuorum); err != nil {
			return err
		}
	}
	eta, err := readAmount(ctx, c, "read when a proposal is due", at, governor.PackProposalEta(id), governor.UnpackProposalEta)
	p.ExecutableAt = int64(eta.Uint64())
	return err
}

// WrapVotes turns native OPEN into GOPEN; UnwrapVotes turns it back.
func (s *Sender) WrapVotes(ctx context.Context, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "wrap OPEN for voting", s.c.cfg.Addresses.GOPEN, amount, gopen.PackDeposit())
}

// UnwrapVotes turns GOPEN back into native OPEN.
func (s *Sender) UnwrapVotes(ctx context.Context, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "unwrap GOPEN", s.c.cfg.Addresses.GOPEN, uint256.Int{}, gopen.PackWithdraw(amount.ToBig()))
}

// DelegateVotes gives the sender's votes to an account, which may be its own.
func (s *Sender) DelegateVotes(ctx context.Context, to protocol.Account) (Tx, error) {
	return s.Call(ctx, "delegate votes", s.c.cfg.Addresses.GOPEN, uint256.Int{}, gopen.PackDelegate(to))
}

// Propose makes a proposal and gives its id.
func (s *Sender) Propose(ctx context.Context, actions []Action, description string) (protocol.Hash, Tx, error) {
	to, values, data := make([]common.Address, len(actions)), make([]*big.Int, len(actions)), make([][]byte, len(actions))
	for i := range actions {
		to[i], values[i], data[i] = actions[i].To, actions[i].Value.ToBig(), actions[i].Data
	}
	at := s.c.cfg.Addresses.Governor
	tx, err := s.Call(ctx, "propose", at, uint256.Int{}, governor.PackPropose(to, values, data, description))
	if err != nil {
		return protocol.Hash{}, tx, err
	}
	id, err := read(ctx, s.c, "read a proposal's id", at, governor.PackGetProposalId(to, values, data, crypto.Keccak256Hash([]byte(description))), governor.UnpackGetProposalId)
	if err != nil {
		return protocol.Hash{}, tx, err
	}
	return common.BigToHash(id), tx, nil
}

// Vote casts the sender's votes on a proposal.
func (s *Sender) Vote(ctx context.Context, proposal protocol.Hash, support Support, reason string) (Tx, error) {
	return s.Call(ctx, "vote", s.c.cfg.Addresses.Governor, uint256.Int{}, governor.PackCastVoteWithReason(proposal.Big(), uint8(support), reason))
}

// QueueProposal hands a proposal that succeeded to the timelock.
func (s *Sender) QueueProposal(ctx context.Context, proposal protocol.Hash) (Tx, error) {
	return s.Call(ctx, "queue a proposal", s.c.cfg.Addresses.Governor, uint256.Int{}, governor.PackQueue0(proposal.Big()))
}

// ExecuteProposal does what a queued proposal says, once it is due.
func (s *Sender) ExecuteProposal(ctx context.Context, proposal protocol.Hash) (Tx, error) {
	return s.Call(ctx, "execute a proposal", s.c.cfg.Addresses.Governor, uint256.Int{}, governor.PackExecute0(proposal.Big()))
}

// CancelProposal withdraws the sender's own proposal before its vote starts.
func (s *Sender) CancelProposal(ctx context.Context, proposal protocol.Hash) (Tx, error) {
	return s.Call(ctx, "cancel a proposal", s.c.cfg.Addresses.Governor, uint256.Int{}, governor.PackCancel(proposal.Big()))
}
