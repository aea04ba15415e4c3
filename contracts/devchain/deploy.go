package devchain

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

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
	err := p.run()
	return p.out.Addresses, err
}

type deployer struct {
	ctx    context.Context
	client *chain.Client
	d      Deployment
	sender *chain.Sender
	out    Record
}

// resume takes over what the file has and the chain confirms.
func (p *deployer) resume() error {
	if p.d.File != "" {
		r, err := ReadRecord(p.d.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && r.ChainID == p.client.ChainID() {
			p.out = r
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
	fresh := false // what comes after a new contract refers to it, so must be new too
	for _, s := range contractsOf(&p.out.Addresses, p.d.Params, p.d.Key.Account()) {
		if !fresh && *s.at != (protocol.Account{}) {
			ok, err := p.client.HasCode(p.ctx, *s.at)
			if err != nil {
				return err
			}
			if ok {
				continue
			}
		}
		if !fresh {
			fresh = true
			p.out.Name, p.out.Deployer, p.out.Params = p.d.Params.Name, p.d.Key.Account(), p.d.Params
		}
		args := s.args()
		at, tx, err := p.sender.Deploy(p.ctx, s.name, append(common.FromHex(bindings.Artifacts[s.artifact].Meta.Bin), args...))
		if err != nil {
			return err
		}
		code, err := p.client.Code(p.ctx, at)
		if err != nil {
			return err
		}
		*s.at = at
		p.out.put(DeployedContract{Name: s.name, Artifact: s.artifact, Compiler: bindings.Artifacts[s.artifact].Compiler, Address: at,
			Tx: tx.Hash, Block: tx.Block, Args: args, CodeHash: crypto.Keccak256Hash(code)})
		p.d.Logger.Info("deployed", "contract", s.name, "address", at, "block", tx.Block, "gas", tx.GasUsed)
		if err := p.save(); err != nil {
			return err
		}
	}
	return p.roles()
}

// roles gives the contracts the rights over each other that they need.
func (p *deployer) roles() error {
	var errs []error
	for _, g := range grantsOf(p.out.Addresses) {
		errs = append(errs, p.sender.GrantRole(p.ctx, g.on, g.role, g.to))
	}
	return errors.Join(errs...)
}

func (p *deployer) save() error { return writeJSON(p.d.File, "deployments", &p.out) }
