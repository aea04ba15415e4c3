package settle

import (
	"context"
	"log/slog"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Attributions gives the attribution behind a receipt, from its evidence.
type Attributions interface {
	Attribution(ctx context.Context, r protocol.SignedReceipt) (protocol.Attribution, error)
}

// AttributionFunc makes a function Attributions.
type AttributionFunc func(ctx context.Context, r protocol.SignedReceipt) (protocol.Attribution, error)

// Attribution calls f.
func (f AttributionFunc) Attribution(ctx context.Context, r protocol.SignedReceipt) (protocol.Attribution, error) {
	return f(ctx, r)
}

// Config is what a worker's settlement needs.
type Config struct {
	// Worker is the owner's account, the worker's name.
	Worker protocol.Account
	Store  *store.Worker
	// Sender is the key that submits: the worker's node key or its owner's.
	Sender       *chain.Sender
	Blocks       Blocks
	Attributions Attributions
	// Checks are applied to our own receipts before they go into a batch, so that no
	// batch is published that others would refuse.
	Checks Checks
	// Every is how often Run looks for receipts to settle. Default 30 s.
	Every time.Duration
	// MinTotal holds a batch back until its receipts come to this many wei. Default 0.
	MinTotal uint256.Int
	// MaxReceipts ends a batch when reached. All receipts of one requester that its
	// newest voucher covers go together, so that a batch can have more. Default 2,000.
	MaxReceipts int
	// MaxVouchers bounds the requesters of one batch. Default 40.
	MaxVouchers int
	// VoucherMargin is how long a voucher must be good for to be used. Default 2 min.
	VoucherMargin time.Duration
	// RetryBlocked is how long a requester whose voucher the chain refused is left
	// alone. Default 5 min.
	RetryBlocked time.Duration
	Logger       *slog.Logger
	// Writing, if there is one, brackets the time from a document's first block to the
	// record that names them, so that nobody collects them in between.
	Writing func() (done func())

	// step is called before each step of a settlement; tests end the process there.
	step func(step string) error
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	if c.Every == 0 {
		c.Every = 30 * time.Second
	}
	if c.MaxReceipts == 0 {
		c.MaxReceipts = 2000
	}
	if c.MaxVouchers == 0 {
		c.MaxVouchers = 40
	}
	if c.VoucherMargin == 0 {
		c.VoucherMargin = 2 * time.Minute
	}
	if c.RetryBlocked == 0 {
		c.RetryBlocked = 5 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Writing == nil {
		c.Writing = func() func() { return func() {} }
	}
	if c.step == nil {
		c.step = func(string) error { return nil }
	}
}

// Validate says which field is wrong.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"settle.worker", c.Worker != protocol.Account{}},
		{"settle.store", c.Store != nil},
		{"settle.sender", c.Sender != nil},
		{"settle.blocks", c.Blocks != nil},
		{"settle.attributions", c.Attributions != nil},
	} {
		if !f.ok {
			return protocol.Errorf(protocol.KindInvalid, f.name, "is not set")
		}
	}
	if c.Every < 0 || c.MaxReceipts < 0 || c.MaxVouchers < 0 || c.VoucherMargin < 0 || c.RetryBlocked < 0 {
		return protocol.Errorf(protocol.KindInvalid, "settle", "durations and bounds must not be negative")
	}
	return nil
}
