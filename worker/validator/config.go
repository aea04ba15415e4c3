package validator

import (
	"context"
	"crypto/ecdsa"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/worker/audit"
)

// Config is what a validator needs.
type Config struct {
	DB    *store.DB
	Chain *chain.Client
	// Sender pays for challenges, draws and verdicts; Key signs verdicts. Both are of the
	// account that joined the validators.
	Sender   *chain.Sender
	Key      *ecdsa.PrivateKey
	Index    *events.Index
	Blocks   Blocks
	Adapters Adapters
	Auditor  audit.Auditor

	// Share of a batch's receipts that are run again, one at least, MaxRerun at most.
	// Default 0.05 and 32.
	Share    float64
	MaxRerun int
	// CommitteeRerun bounds the receipts run again for a verdict; below it all are.
	// Default 128.
	CommitteeRerun int
	// Patience is the share of the challenge window, or of the time to vote, for which
	// data may be missing before that counts as guilt. Default 0.5.
	Patience float64
	// Attempts is how often it must have been asked for, besides. Default 3.
	Attempts int
	// RetryEvery is how soon what failed is tried again; in short windows sooner. Default
	// 15 s.
	RetryEvery time.Duration
	// FetchTimeout bounds one attempt to judge a batch's data. Default 20 s.
	FetchTimeout time.Duration
	// Every is how often Run looks at the chain. Default 2 s.
	Every time.Duration
	// Parallel is how many batches are judged at once. Default 8; engines run one after
	// another.
	Parallel int
	// History is how many earlier batches of a worker are fetched to find receipts that
	// are charged twice. Default 100.
	History int
	// Observe judges, and neither challenges nor votes.
	Observe bool
	// Online says whether this node has peers at all: without any, nothing counts as
	// missing. Nil: it has.
	Online func() bool
	// Reach connects to a worker, as far as that can be done, before its data is fetched.
	// Nil: whoever is connected is asked.
	Reach      func(ctx context.Context, worker protocol.Account)
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	// step is called before each write and transaction; tests end the process there.
	step func(step string) error
}

// EnsureDefaults fills in what was left empty.
func (c *Config) EnsureDefaults() {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	ratio := func(p *float64, v float64) {
		if *p == 0 {
			*p = v
		}
	}
	wait := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	ratio(&c.Share, 0.05)
	ratio(&c.Patience, 0.5)
	def(&c.MaxRerun, 32)
	def(&c.CommitteeRerun, 128)
	def(&c.Attempts, 3)
	def(&c.Parallel, 8)
	def(&c.History, 100)
	wait(&c.RetryEvery, 15*time.Second)
	wait(&c.FetchTimeout, 20*time.Second)
	wait(&c.Every, 2*time.Second)
	if c.Online == nil {
		c.Online = func() bool { return true }
	}
	if c.Reach == nil {
		c.Reach = func(context.Context, protocol.Account) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
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
		{"validator.db", c.DB != nil}, {"validator.chain", c.Chain != nil}, {"validator.index", c.Index != nil}, {"validator.blocks", c.Blocks != nil},
		{"validator.adapters", c.Adapters != nil}, {"validator.auditor", c.Auditor.Model != nil && c.Auditor.Tokenizer != nil},
		{"validator.sender, key", c.Observe || c.Sender != nil && c.Key != nil},
	} {
		if !f.ok {
			return protocol.Errorf(protocol.KindInvalid, f.name, "is not set")
		}
	}
	switch {
	case !(c.Share > 0 && c.Share <= 1):
		return protocol.Errorf(protocol.KindInvalid, "validator.share", "is %v: above 0, at most 1", c.Share)
	case !(c.Patience > 0 && c.Patience < 1):
		return protocol.Errorf(protocol.KindInvalid, "validator.patience", "is %v: above 0, below 1", c.Patience)
	case c.MaxRerun < 0 || c.CommitteeRerun < 0 || c.Attempts < 0 || c.Parallel < 0 || c.History < 0 || c.RetryEvery < 0 || c.FetchTimeout < 0 || c.Every < 0:
		return protocol.Errorf(protocol.KindInvalid, "validator", "durations and bounds must not be negative")
	}
	return nil
}
