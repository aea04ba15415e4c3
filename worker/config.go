package worker

import (
	"crypto/ecdsa"
	"log/slog"
	"time"

	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/engine"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/weights"
)

// Config wires a worker. The caller opens and closes what it passes in.
type Config struct {
	DB     *store.DB       // required
	Host   *p2p.Host       // required
	IPFS   *ipfs.Node      // required
	Chain  *chain.Client   // required
	Bundle *weights.Bundle // required: the base model, open
	Model  *llama.Model    // required: the base model, loaded

	// NodeKey signs receipts and announcements' binding names it; Sender pays for this
	// worker's transactions with it.
	NodeKey *ecdsa.PrivateKey
	Sender  *chain.Sender
	Binding protocol.SignedBinding // by the owner

	Price protocol.Price // ask; Access must be zero
	// Credit is how much a requester may owe beyond its vouchers. Default 1 OPEN.
	Credit uint256.Int
	Trains bool // accepts training jobs
	// Operators may pin, unpin and unload adapters here, as the owner may.
	Operators []protocol.Account

	MaxBatch     int   // sequences in one batch; default 16
	KVTokens     int   // KV cache, in tokens; default 16,384
	PageTokens   int   // tokens in one of its pages; default 64
	AdapterBytes int64 // memory for adapters on the device; default 128 MiB
	MemoryBytes  int64 // cap on base, KV cache and adapters on the device together; default: none but their own
	HostBytes    int64 // host memory for open adapters, values and indices; default 512 MiB
	DiskBytes    int64 // blocks of adapters in the content store; default 8 GiB
	// StoreBytes bounds the whole database: above it no adapter is fetched and nothing is
	// trained. Default 32 GiB.
	StoreBytes int64
	// StatedTPS is the speed that announcements state: output tokens per second with all
	// slots taken. Default: what the engine measures as it goes.
	StatedTPS float64
	// Hardware is what announcements say that this worker runs on, protocol.MaxHardware
	// bytes at most; empty: they do not say.
	Hardware string
	// SettleEvery is how often vouchered receipts go to the chain, together. Default 30 s.
	SettleEvery time.Duration
	// CheckpointEvery is how much training a crash may cost. Default 5 s.
	CheckpointEvery time.Duration

	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// EnsureDefaults fills what is left out.
func (c *Config) EnsureDefaults() {
	if c.Credit.IsZero() {
		c.Credit = *uint256.NewInt(1e18)
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 16
	}
	if c.KVTokens == 0 {
		c.KVTokens = 16 << 10
	}
	if c.AdapterBytes == 0 {
		c.AdapterBytes = 128 << 20
	}
	if c.HostBytes == 0 {
		c.HostBytes = 512 << 20
	}
	if c.DiskBytes == 0 {
		c.DiskBytes = 8 << 30
	}
	if c.StoreBytes == 0 {
		c.StoreBytes = 32 << 30
	}
	if c.SettleEvery == 0 {
		c.SettleEvery = 30 * time.Second
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 5 * time.Second
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate names the first field that cannot work.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"db", c.DB == nil}, {"host", c.Host == nil}, {"ipfs", c.IPFS == nil}, {"chain", c.Chain == nil}, {"bundle", c.Bundle == nil},
		{"model", c.Model == nil}, {"node_key", c.NodeKey == nil}, {"sender", c.Sender == nil}, {"binding", len(c.Binding.Signature) == 0},
	} {
		if f.missing {
			return protocol.Errorf(protocol.KindInvalid, f.name, "the worker needs it")
		}
	}
	if !c.Price.Access.IsZero() {
		return protocol.Errorf(protocol.KindInvalid, "price.access", "it belongs to the adapter's owner, not to the worker: leave it out")
	}
	if !c.Price.Markup.IsZero() {
		return protocol.Errorf(protocol.KindInvalid, "price.markup", "it belongs to the agent's owner, not to the worker: leave it out")
	}
	if !(c.StatedTPS >= 0) {
		return protocol.Errorf(protocol.KindInvalid, "stated_tps", "is %v: it must not be negative", c.StatedTPS)
	}
	if len(c.Hardware) > protocol.MaxHardware {
		return protocol.Errorf(protocol.KindInvalid, "hardware", "has %d bytes, more than %d: shorten it", len(c.Hardware), protocol.MaxHardware)
	}
	if c.DiskBytes < 0 || c.StoreBytes < 0 {
		return protocol.Errorf(protocol.KindInvalid, "disk_bytes, store_bytes", "are %d and %d: they must not be negative", c.DiskBytes, c.StoreBytes)
	}
	if c.SettleEvery < 0 || c.CheckpointEvery < 0 {
		return protocol.Errorf(protocol.KindInvalid, "settle_every, checkpoint_every", "must not be negative")
	}
	return nil
}

func (c *Config) engine() engine.Config {
	return engine.Config{
		Model: c.Model, Tokenizer: c.Bundle.Tokenizer, MaxBatch: c.MaxBatch, KVTokens: c.KVTokens, PageTokens: c.PageTokens,
		AdapterBytes: c.AdapterBytes, MemoryBytes: c.MemoryBytes, Logger: c.Logger, Registerer: c.Registerer,
	}
}
