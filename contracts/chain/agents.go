package chain

import (
	"context"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

var agents = bindings.NewAgentRegistry()

// Agent is a registered agent. Amounts are in wei.
type Agent struct {
	ID           uint64           `json:"id"`
	Owner        protocol.Account `json:"owner"`
	PendingOwner protocol.Account `json:"pending_owner"` // to whom it is offered; zero: nobody
	Name         string           `json:"name"`
	Version      uint32           `json:"version"` // the newest
	Manifest     protocol.CID     `json:"manifest"`
	Digest       protocol.Hash    `json:"digest"` // SHA2-256 inside the manifest's CID
	Price        uint256.Int      `json:"price"`  // per request
	Active       bool             `json:"active"` // offered, and its stake is at least the minimum
	Stake        uint256.Int      `json:"stake"`
	Leaving      uint256.Int      `json:"leaving"`    // stake on its way out
	ReleaseAt    int64            `json:"release_at"` // of it, Unix seconds
	At           int64            `json:"at"`         // of registration, Unix seconds
}

// AgentVersion is one version of an agent.
type AgentVersion struct {
	Agent    uint64        `json:"agent"`
	Number   uint32        `json:"version"`
	Manifest protocol.CID  `json:"manifest"`
	Digest   protocol.Hash `json:"digest"`
	Price    uint256.Int   `json:"price"` // wei per request
	At       int64         `json:"at"`    // Unix seconds
}

// Agent is an agent by its id, or an error of kind not_found.
func (c *Client) Agent(ctx context.Context, id uint64) (out Agent, err error) {
	at := c.cfg.Addresses.Agents
	a, err := read(ctx, c, "read an agent", at, agents.PackAgentOf(id), agents.UnpackAgentOf)
	if err != nil {
		return out, err
	}
	v, err := c.AgentVersion(ctx, id, a.Version)
	if err != nil {
		return out, err
	}
	out = Agent{
		ID: id, Owner: a.Owner, PendingOwner: a.PendingOwner, Name: a.Name, Version: a.Version, Manifest: v.Manifest, Digest: v.Digest,
		Price: v.Price, ReleaseAt: int64(a.ReleaseAt), At: int64(a.CreatedAt),
	}
	if out.Active, err = read(ctx, c, "read an agent", at, agents.PackIsActive(id), agents.UnpackIsActive); err != nil {
		return out, err
	}
	if out.Leaving, err = toU256(a.Leaving); err != nil {
		return out, err
	}
	out.Stake, err = toU256(a.Stake)
	return out, err
}

// AgentVersion is one version of an agent, or an error of kind not_found.
func (c *Client) AgentVersion(ctx context.Context, id uint64, number uint32) (AgentVersion, error) {
	v, err := read(ctx, c, "read an agent's version", c.cfg.Addresses.Agents, agents.PackVersionOf(id, number), agents.UnpackVersionOf)
	if err != nil {
		return AgentVersion{}, err
	}
	price, err := toU256(v.Price)
	return AgentVersion{Agent: id, Number: number, Manifest: protocol.CID(v.Manifest), Digest: v.Digest, Price: price, At: int64(v.PublishedAt)}, err
}

// AgentByName is the id of an owner's agent, or an error of kind not_found.
func (c *Client) AgentByName(ctx context.Context, owner protocol.Account, name string) (uint64, error) {
	id, err := read(ctx, c, "look up an agent", c.cfg.Addresses.Agents, agents.PackAgentByName(owner, name), agents.UnpackAgentByName)
	if err == nil && id == 0 {
		err = protocol.Errorf(protocol.KindNotFound, "agent", "%s has no agent named %q: 'openledger agent list' shows them", owner, name)
	}
	return id, err
}

// Agents lists all agents by id.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	n, err := read(ctx, c, "count the agents", c.cfg.Addresses.Agents, agents.PackCount(), agents.UnpackCount)
	if err != nil {
		return nil, err
	}
	var out []Agent
	for id := range n {
		a, err := c.Agent(ctx, id+1)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// AgentMinStake is the least stake of an active agent.
func (c *Client) AgentMinStake(ctx context.Context) (uint256.Int, error) {
	return readAmount(ctx, c, "read the least stake of agents", c.cfg.Addresses.Agents, agents.PackMinStake(), agents.UnpackMinStake)
}

// PublishAgent registers an agent (the order's agent is 0) or its next version by its
// owner's signed order, and stakes an amount of the sender's on it. Doing the same again,
// after an interruption, succeeds without a transaction.
func (s *Sender) PublishAgent(ctx context.Context, o protocol.AgentOrder, signature []byte, stake uint256.Int) (Tx, uint64, error) {
	if o.Deadline < 0 {
		return Tx{}, 0, protocol.Errorf(protocol.KindInvalid, "deadline", "%d is no time in Unix seconds", o.Deadline)
	}
	at := s.c.cfg.Addresses.Agents
	tx, err := s.Call(ctx, "publish an agent", at, stake, agents.PackPublish(bindings.AgentOrder{
		Owner: o.Owner, Agent: o.Agent, Version: o.Version, Name: o.Name, Manifest: string(o.Manifest), Price: big256(o.Price), Deadline: uint64(o.Deadline),
	}, signature))
	if protocol.KindOf(err) == protocol.KindExists {
		id := o.Agent
		if id == 0 {
			var lerr error
			if id, lerr = s.c.AgentByName(ctx, o.Owner, o.Name); lerr != nil {
				return Tx{}, 0, err
			}
		}
		if have, rerr := s.c.AgentVersion(ctx, id, o.Version); rerr == nil && have.Manifest == o.Manifest && have.Price == o.Price {
			return Tx{}, id, nil
		}
	}
	if err != nil {
		return tx, 0, err
	}
	for _, l := range tx.Logs {
		if l.Address != at {
			continue
		}
		if ev, err := agents.UnpackVersionPublishedEvent(l); err == nil {
			return tx, ev.Agent, nil
		}
	}
	return tx, 0, protocol.Errorf(protocol.KindCorrupt, "", "publish an agent: transaction %s has no event", tx.Hash)
}

// SetAgentActive offers the sender's agent to requesters, or retires it.
func (s *Sender) SetAgentActive(ctx context.Context, id uint64, active bool) (Tx, error) {
	return s.Call(ctx, "offer or retire an agent", s.c.cfg.Addresses.Agents, uint256.Int{}, agents.PackSetActive(id, active))
}

// OfferAgent offers the sender's agent, with its stake, to another owner.
func (s *Sender) OfferAgent(ctx context.Context, id uint64, to protocol.Account) (Tx, error) {
	return s.Call(ctx, "offer an agent to another owner", s.c.cfg.Addresses.Agents, uint256.Int{}, agents.PackTransferOwnership(id, to))
}

// AcceptAgent takes over an agent that was offered to the sender.
func (s *Sender) AcceptAgent(ctx context.Context, id uint64) (Tx, error) {
	return s.Call(ctx, "take over an agent", s.c.cfg.Addresses.Agents, uint256.Int{}, agents.PackAcceptOwnership(id))
}

// StakeAgent adds to an agent's stake, which is its owner's from then on.
func (s *Sender) StakeAgent(ctx context.Context, id uint64, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "stake on an agent", s.c.cfg.Addresses.Agents, amount, agents.PackStake(id))
}

// UnstakeAgent starts taking stake off the sender's agent.
func (s *Sender) UnstakeAgent(ctx context.Context, id uint64, amount uint256.Int) (Tx, error) {
	return s.Call(ctx, "unstake from an agent", s.c.cfg.Addresses.Agents, uint256.Int{}, agents.PackUnstake(id, big256(amount)))
}

// WithdrawAgent pays the sender the stake of its agent whose wait is over.
func (s *Sender) WithdrawAgent(ctx context.Context, id uint64) (Tx, error) {
	return s.Call(ctx, "withdraw an agent's stake", s.c.cfg.Addresses.Agents, uint256.Int{}, agents.PackWithdraw(id))
}
