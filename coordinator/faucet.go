package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// FaucetConfig describes the faucet of a development network.
type FaucetConfig struct {
	DB *store.DB
	// Sender pays. It is nobody else's, and keeps its transactions in DB, so that a
	// grant that a crash interrupts is sent once.
	Sender *chain.Sender
	Amount uint256.Int // of one grant, wei
	Total  uint256.Int // of all grants together, wei
	Logger *slog.Logger
}

// Faucet gives OPEN to new accounts.
type Faucet struct {
	cfg  FaucetConfig
	book *store.Coordinator
	mu   sync.Mutex // one grant at a time
}

// faucetEvery is how long an account waits for its next grant.
const faucetEvery = 24 * time.Hour

// NewFaucet makes a faucet.
func NewFaucet(cfg FaucetConfig) (*Faucet, error) {
	if cfg.DB == nil || cfg.Sender == nil || cfg.Amount.IsZero() {
		return nil, protocol.Errorf(protocol.KindInvalid, "faucet", "needs a database, a sender and an amount")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Faucet{cfg: cfg, book: store.NewCoordinator(cfg.DB)}, nil
}

// Drip funds an account, at most once a day. A grant that was noted and not sent, because
// the coordinator or the chain went away, is sent when the account asks again.
func (f *Faucet) Drip(ctx context.Context, to protocol.Account) (api.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok, err := f.book.Granted(to)
	if err != nil {
		return api.Grant{}, err
	}
	if next := g.At + faucetEvery.Milliseconds(); ok && g.TxHash != (protocol.Hash{}) && now() < next {
		return api.Grant{}, protocol.Errorf(protocol.KindBusy, "account", "%s was given %s wei already; it can ask again at %s",
			to.Hex(), g.Amount.Dec(), time.UnixMilli(next).UTC().Format(time.RFC3339))
	}
	if !ok || g.TxHash != (protocol.Hash{}) {
		if g, err = f.book.Grant(to, f.cfg.Amount, f.cfg.Total, now()); err != nil {
			return api.Grant{}, err
		}
	}
	// Who hangs up does not stop it.
	tx, err := f.cfg.Sender.Once(fmt.Sprintf("faucet/%s/%d", to.Hex(), g.At)).Send(context.WithoutCancel(ctx), to, g.Amount)
	if err != nil {
		return api.Grant{}, err
	}
	f.cfg.Logger.Info("faucet", "account", to, "wei", g.Amount.Dec(), "tx", tx.Hash)
	return api.Grant{Account: to, Amount: g.Amount, TxHash: tx.Hash, NextAt: g.At + faucetEvery.Milliseconds()}, f.book.GrantSent(to, tx.Hash)
}
