package coordinator

import (
	"crypto/ecdsa"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/scheduler"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// Config wires a coordinator. The caller opens and closes what it passes in.
type Config struct {
	DB    *store.DB     // required
	Host  *p2p.Host     // required
	IPFS  *ipfs.Node    // required
	Chain *chain.Client // required

	// RPC is the chain's address as clients of this coordinator should use it.
	RPC      string
	Base     protocol.Hash // base model served here
	BaseName string
	Context  int // tokens that the base takes at most, prompt and answer together. Required
	// SessionKey signs vouchers on behalf of the requesters that authorised it, and what
	// accounts delegated to it. Sender sends its transactions, once each also through a crash.
	SessionKey *ecdsa.PrivateKey
	Sender     *chain.Sender // required
	FilesDir   string        // required: folder of uploaded files, made if need be

	Scheduler scheduler.Config
	// JobTimeout bounds one inference, queueing included. Default two minutes.
	JobTimeout time.Duration
	// VoucherLifetime is how long a worker has to settle a voucher. Default 30 days.
	VoucherLifetime time.Duration
	// TrainingGrace is how long a training job waits for its worker to come back,
	// with its checkpoint, before another worker starts over. Default one minute.
	TrainingGrace time.Duration

	// Uploads is the folder that holds files while they are uploaded. Required.
	Uploads string
	// UploadsPerDay is how many bytes one account may upload in a day. Default 2 GiB.
	UploadsPerDay int64

	// ToolHosts are hosts, with or without a port, where agents' tool servers may be at
	// addresses that are not public, and without TLS.
	ToolHosts []string

	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// EnsureDefaults fills what is left out.
func (c *Config) EnsureDefaults() {
	if c.JobTimeout == 0 {
		c.JobTimeout = 2 * time.Minute
	}
	if c.VoucherLifetime == 0 {
		c.VoucherLifetime = 30 * 24 * time.Hour
	}
	if c.TrainingGrace == 0 {
		c.TrainingGrace = time.Minute
	}
	if c.UploadsPerDay == 0 {
		c.UploadsPerDay = datanet.DefaultUploadsPerDay
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Scheduler.EnsureDefaults()
}

// Validate names the first field that cannot work.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"db", c.DB == nil}, {"host", c.Host == nil}, {"ipfs", c.IPFS == nil}, {"chain", c.Chain == nil},
		{"session_key", c.SessionKey == nil}, {"base", c.Base == protocol.Hash{}},
		{"sender", c.Sender == nil}, {"files_dir", c.FilesDir == ""}, {"uploads", c.Uploads == ""},
	} {
		if f.missing {
			return protocol.Errorf(protocol.KindInvalid, f.name, "the coordinator needs it")
		}
	}
	if c.Context < 1 {
		return protocol.Errorf(protocol.KindInvalid, "context", "must be the tokens that the base takes")
	}
	if c.JobTimeout < 0 || c.VoucherLifetime < 0 || c.TrainingGrace < 0 {
		return protocol.Errorf(protocol.KindInvalid, "job_timeout, voucher_lifetime, training_grace", "must not be negative")
	}
	return c.Scheduler.Validate()
}
