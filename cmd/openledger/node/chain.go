package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/contracts/genesis"
	"github.com/openledger/openledger/protocol"
)

// DeploymentFile is where a chain's home keeps the addresses of the contracts.
const DeploymentFile = "deployment.json"

// maxAhead lets a burst of a few hundred transactions through at full speed; what is
// signed for the chain is good for longer than that.
const maxAhead = 10 * time.Minute

// ChainConfig describes an embedded development chain with the contracts on it.
type ChainConfig struct {
	Home     Home
	Listen   string    // default 127.0.0.1:8545
	Deployer chain.Key // administers the contracts
	Fund     map[protocol.Account]uint256.Int
	Logger   *slog.Logger
	// Params replaces contracts/genesis/dev.json when it is not empty.
	Params []byte
}

// Chain is a running development chain.
type Chain struct {
	*devchain.Chain
	Client    *chain.Client
	Addresses chain.Addresses
}

// OpenChain starts the chain and puts the contracts on it, or finds them there.
func OpenChain(ctx context.Context, cfg ChainConfig) (_ *Chain, err error) {
	raw := cfg.Params
	if len(raw) == 0 {
		raw = genesis.Dev
	}
	params, err := devchain.ParseParams(raw)
	if err != nil {
		return nil, err
	}
	if err := cfg.Home.Make("chain"); err != nil {
		return nil, err
	}
	dev, err := devchain.Open(devchain.Config{Dir: cfg.Home.Path("chain"), ChainID: params.ChainID, Listen: cfg.Listen, Fund: cfg.Fund, MaxAhead: maxAhead, Ticks: true, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dev.Close())
		}
	}()
	client, err := chain.Dial(ctx, chain.Config{RPC: dev.RPC(), Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	at, err := devchain.Deploy(ctx, client, devchain.Deployment{File: cfg.Home.Path(DeploymentFile), Params: params, Key: cfg.Deployer, Logger: cfg.Logger})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Chain{Chain: dev, Client: client.With(at), Addresses: at}, nil
}

// Close stops the chain.
func (c *Chain) Close() error {
	c.Client.Close()
	return c.Chain.Close()
}
