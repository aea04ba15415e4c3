package devchain

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
)

// Deployment says what to deploy, as whom, and where to write it down.
type Deployment struct {
	// File keeps the addresses, those of a deployment that was interrupted included.
	// Empty: they are not kept.
	File   string
	Params Params
	// Key pays for the deployment and administers the contracts.
	Key    chain.Key
	Logger *slog.Logger
}

// Deploy puts the contracts on the chain, or finds them there: addresses in the
// file whose code is on the chain are used again, and a deployment that was
// interrupted goes on where it stopped.
func Deploy(ctx context.Context, client *chain.Client, d Deployment) (chain.Addresses, error) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if err := d.Params.Validate(); err != nil {
		return chain.Addresses{}, err
	}
	if client.ChainID() != d.Params.ChainID {
		return chain.Addresses{}, protocol.Errorf(protocol.KindInvalid, "chain_id", "the parameters are for chain %d, the node is on chain %d", d.Params.ChainID, client.ChainID())
	}
	p := deployer{ctx: ctx, client: client, d: d, sender: client.As(d.Key)}
	if err := p.resume(); err != nil {
		return chain.Addresses{}, err
	}
	return p.out, p.run()
}

// ReadAddresses reads a deployments file.
func ReadAddresses(path string) (chain.Addresses, error) {
	return readJSON[chain.Addresses](path, "deployments")
}

type deployer struct {
	ctx    context.Context
	client *chain.Client
	d      Deployment
	sender *chain.Sender
	out    chain.Addresses
}

// resume takes over what the file has and the chain confirms.
func (p *deployer) resume() error {
	if p.d.File != "" {
		a, err := ReadAddresses(p.d.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && a.ChainID == p.client.ChainID() {
			p.out = a
		}
	}
	head, _, err := p.client.Head(p.ctx)
	if err != nil {
		return err
	}
	if p.out.ChainID == 0 {
		p.out.ChainID, p.out.Block = p.client.ChainID(), head
	}
	p.out.Block = min(p.out.Block, head) // the file may be of a chain that is gone
	return nil
}

// run deploys what is missing, each contract after those it refers to.
func (p *deployer) run() error {
	var (
		admin = p.d.Key.Account()
		n     = p.d.Params
		o     = &p.out
	)
	steps := []struct {
		name string
		at   *protocol.Account
		code string
		args func() []byte
	}{
		{"treasury", &o.Treasury, bindings.TreasuryMetaData.Bin, func() []byte { return bindings.NewTreasury().PackConstructor(admin) }},
		{"fee parameters", &o.Fees, bindings.FeeParametersMetaData.Bin, func() []byte {
			return bindings.NewFeeParameters().PackConstructor(admin, o.Treasury, bindings.Shares(n.Fees))
		}},
		{"worker staking", &o.Staking, bindings.WorkerStakingMetaData.Bin, func() []byte {
			return bindings.NewWorkerStaking().PackConstructor(admin, n.Staking.MinStake.ToBig(), n.Staking.MinDelegation.ToBig(), n.Staking.UnbondingSeconds)
		}},
		{"escrow", &o.Escrow, bindings.EscrowMetaData.Bin, func() []byte {
			return bindings.NewEscrow().PackConstructor(admin, n.Escrow.WithdrawalDelaySeconds)
		}},
		{"datanet registry", &o.Datanets, bindings.DatanetRegistryMetaData.Bin, func() []byte { return nil }},
		{"model registry", &o.Models, bindings.ModelRegistryMetaData.Bin, func() []byte {
			return bindings.NewModelRegistry().PackConstructor(admin, o.Datanets)
		}},
		{"settlement", &o.Settlement, bindings.AttributionSettlementMetaData.Bin, func() []byte {
			return bindings.NewAttributionSettlement().PackConstructor(admin, o.Escrow, o.Staking, n.Settlement.ChallengeWindowSeconds, n.Settlement.CoverBps)
		}},
		{"governance token", &o.GOPEN, bindings.GOPENMetaData.Bin, func() []byte { return nil }},
		{"timelock", &o.Timelock, bindings.TimelockMetaData.Bin, func() []byte {
			return bindings.NewTimelock().PackConstructor(new(big.Int).SetUint64(n.Governance.TimelockSeconds), admin)
		}},
		{"governor", &o.Governor, bindings.OpenGovernorMetaData.Bin, func() []byte {
			g := n.Governance
			return bindings.NewOpenGovernor().PackConstructor(o.GOPEN, o.Timelock, bindings.VotingRules{
				VotingDelay: new(big.Int).SetUint64(g.VotingDelaySeconds), VotingPeriod: uint32(g.VotingPeriodSeconds),
				ProposalThreshold: g.ProposalThreshold.ToBig(), QuorumPercent: big.NewInt(int64(g.QuorumPercent)),
			})
		}},
	}
	fresh := false // what comes after a new contract refers to it, so must be new too
	for _, s := range steps {
		if !fresh && *s.at != (protocol.Account{}) {
			ok, err := p.client.HasCode(p.ctx, *s.at)
			if err != nil {
				return err
			}
			if ok {
				continue
			}
		}
		fresh = true
		at, tx, err := p.sender.Deploy(p.ctx, s.name, append(common.FromHex(s.code), s.args()...))
		if err != nil {
			return err
		}
		*s.at = at
		p.d.Logger.Info("deployed", "contract", s.name, "address", at, "block", tx.Block, "gas", tx.GasUsed)
		if err := p.save(); err != nil {
			return err
		}
	}
	return p.roles()
}

// roles gives the contracts the rights over each other that they need.
func (p *deployer) roles() error {
	o := &p.out
	return errors.Join(
		p.sender.GrantRole(p.ctx, o.Escrow, chain.SettlementRole, o.Settlement),
		p.sender.GrantRole(p.ctx, o.Timelock, chain.ProposerRole, o.Governor),
		p.sender.GrantRole(p.ctx, o.Timelock, chain.CancellerRole, o.Governor),
	)
}

func (p *deployer) save() error { return writeJSON(p.d.File, "deployments", p.out) }
