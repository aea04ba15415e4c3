package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Source is the chain, as far as the index asks it. [chain.Client] is one.
type Source interface {
	ChainID() uint64
	Addresses() chain.Addresses
	Reporting() []protocol.Account
	Newest(ctx context.Context) (chain.BlockRef, error)
	BlockAt(ctx context.Context, number uint64) (chain.BlockRef, error)
	LogsIn(ctx context.Context, from, to uint64) ([]chain.Log, error)
	LogsOf(ctx context.Context, block protocol.Hash) ([]chain.Log, error)
	Decode(l chain.Log) (chain.Event, bool, error)
}

// Config says what is indexed and how.
type Config struct {
	DB    *store.DB
	Chain Source
	// Depth is how many of the newest blocks may still be replaced. Default 12.
	Depth uint64
	// Range is how many blocks one request for old events may span. Default 2,000. It is
	// halved, for a while, when the node refuses.
	Range uint64
	// Every is how often Run asks for new blocks. Default 2 s.
	Every  time.Duration
	Logger *slog.Logger

	// step is called before each write; tests end the process there.
	step func(step string) error
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Depth == 0 {
		c.Depth = 12
	}
	if c.Range == 0 {
		c.Range = 2000
	}
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	switch {
	case c.DB == nil:
		return protocol.Errorf(protocol.KindInvalid, "events.db", "is not set")
	case c.Chain == nil:
		return protocol.Errorf(protocol.KindInvalid, "events.chain", "is not set")
	case c.Every < 0:
		return protocol.Errorf(protocol.KindInvalid, "events.every", "must not be negative")
	case c.Depth > 1<<16 || c.Range > 1<<20:
		return protocol.Errorf(protocol.KindInvalid, "events.depth, range", "are %d and %d: at most 65536 and 1048576", c.Depth, c.Range)
	}
	return nil
}
