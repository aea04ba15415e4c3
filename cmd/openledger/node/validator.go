package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/events"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/sources"
	"github.com/openledger/openledger/worker/validator"
)

// ValidatorFile is where a validator's home keeps what 'validator join' decided.
const ValidatorFile = "validator.json"

// ValidatorSettings is the validator's one configuration file. It holds no secret.
type ValidatorSettings struct {
	RPC       string          `json:"rpc"`
	Addresses chain.Addresses `json:"addresses"`
	Bootstrap []string        `json:"bootstrap"`
	Listen    []string        `json:"listen"`
	Metrics   string          `json:"metrics,omitempty"` // TCP address; empty: none
	NAT       bool            `json:"nat"`
	// BaseModel is the folder or GGUF file of the base; empty: the embedded one.
	BaseModel string  `json:"base_model,omitempty"`
	Threads   int     `json:"threads"`            // 0: all cores
	Share     float64 `json:"share,omitempty"`    // of receipts run again
	Patience  float64 `json:"patience,omitempty"` // share of the window that data may be missing
	Observe   bool    `json:"observe,omitempty"`  // neither challenge nor vote
}

// Validate says which field is wrong, before money is bonded.
func (s *ValidatorSettings) Validate() error {
	bad := func(field, format string, args ...any) error {
		return protocol.Errorf(protocol.KindInvalid, field, format, args...)
	}
	switch {
	case !(s.Share > 0 && s.Share <= 1):
		return bad("share", "is %v: above 0, at most 1", s.Share)
	case !(s.Patience > 0 && s.Patience < 1):
		return bad("patience", "is %v: above 0, below 1", s.Patience)
	case s.Threads < 0:
		return bad("threads", "is %d: 0 for all cores, or more", s.Threads)
	}
	if s.Metrics != "" {
		if _, _, err := net.SplitHostPort(s.Metrics); err != nil {
			return bad("metrics", "%q is no host:port, such as 127.0.0.1:9310", s.Metrics)
		}
	}
	for _, a := range s.Listen {
		if _, err := ma.NewMultiaddr(a); err != nil {
			return bad("listen", "%q is no multiaddr, such as /ip4/0.0.0.0/udp/4001/quic-v1", a)
		}
	}
	for _, a := range s.Bootstrap {
		m, err := ma.NewMultiaddr(a)
		if err == nil {
			_, err = peer.AddrInfoFromP2pAddr(m)
		}
		if err != nil {
			return bad("bootstrap", "%q is no multiaddr that ends in /p2p/<peer id>", a)
		}
	}
	return nil
}

// Validator is an open validator.
type Validator struct {
	*validator.Service
	peer    *peerNode
	client  *chain.Client
	model   *Model
	content *validatorBlocks
	metrics net.Listener
	http    *http.Server
}

// OpenValidator opens the validator of a home. The key signs verdicts and pays for
// transactions.
func OpenValidator(ctx context.Context, home Home, key *keystore.Key, log *slog.Logger) (_ *Validator, err error) {
	var s ValidatorSettings
	if err := ReadJSON(home.Path(ValidatorFile), &s); err != nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "home", "%w: run 'openledger validator join' first", err)
	}
	registry := newRegistry()
	v := &Validator{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if v.client, err = chain.Dial(ctx, chain.Config{RPC: s.RPC, Addresses: s.Addresses, Logger: log}); err != nil {
		return nil, err
	}
	if v.model, err = OpenModelAt(s.BaseModel, s.Threads); err != nil {
		return nil, err
	}
	if v.peer, err = openPeer(home, PeerConfig{Listen: s.Listen, Bootstrap: s.Bootstrap, NAT: s.NAT, Logger: log, Registry: registry, Provide: true}, v.client); err != nil {
		return nil, err
	}
	index, err := events.New(events.Config{DB: v.peer.db, Chain: v.client, Logger: log})
	if err != nil {
		return nil, err
	}
	v.content = newValidatorBlocks(v.peer.ipfs, log)
	v.Service, err = validator.New(validator.Config{
		DB: v.peer.db, Chain: v.client, Sender: v.client.As(key), Key: key.ECDSA(), Index: index, Blocks: v.content,
		Adapters: NewOpenAdapters(adapter.Source{Content: v.peer.ipfs, Registry: v.client, Base: v.model.Bundle.Hash, Model: v.model.Model}),
		Auditor:  AuditorOf(v.client, v.model, v.peer.ipfs), Share: s.Share, Patience: s.Patience, Observe: s.Observe,
		Online: func() bool { return len(v.peer.host.Peers()) > 0 }, Reach: v.reach, Logger: log, Registerer: registry,
	})
	if err != nil {
		return nil, err
	}
	if s.Metrics != "" {
		if v.metrics, err = net.Listen("tcp", s.Metrics); err != nil {
			return nil, protocol.Errorf(protocol.KindUnavailable, "metrics", "%w: choose another address", err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", metricsHandler(registry))
		mux.HandleFunc("GET /healthz", v.health)
		v.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	}
	return v, nil
}

// sourcesTimeout bounds how long records that an answer read may take to come.
const sourcesTimeout = 30 * time.Second

// AuditorOf runs inferences again with a model, and checks what they read against content
// from the providers.
func AuditorOf(client *chain.Client, m *Model, content *ipfs.Node, providers ...peer.AddrInfo) audit.Auditor {
	checker := sources.New(content, client)
	return audit.Auditor{
		Domain: wire.Domain{ChainID: client.ChainID(), Contract: client.Addresses().Settlement}, Base: m.Bundle.Hash, Model: m.Model, Tokenizer: m.Bundle.Tokenizer,
		Sources: func(ctx context.Context, retrieval []protocol.Retrieval) error {
			ctx, cancel := context.WithTimeout(ctx, sourcesTimeout)
			defer cancel()
			return checker.Check(ctx, retrieval, providers)
		},
		Agent: func(ctx context.Context, job *protocol.InferenceJob) (unable, err error) {
			return checker.Agent(ctx, job, providers)
		},
	}
}

func (v *Validator) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := v.Healthy(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("{\"status\":\"failing\"}\n")) // why is in the log
		return
	}
	_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
}

// reachTimeout bounds finding and dialling a worker.
const reachTimeout = 5 * time.Second

// reach connects to a worker by the peer id that it registered.
func (v *Validator) reach(ctx context.Context, worker protocol.Account) {
	b, err := v.client.BindingOf(ctx, worker)
	if err != nil || v.peer.host.Connected(b.Peer) {
		return
	}
	id, err := peer.Decode(string(b.Peer))
	if err != nil || v.peer.host.Routing() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if info, err := v.peer.host.Routing().FindPeer(ctx, id); err == nil {
		_ = v.peer.host.Libp2p().Connect(ctx, info) // others may have the content
	}
}

// Addrs are where peers reach the validator.
func (v *Validator) Addrs() []string { return v.peer.host.Addrs() }

// MetricsAddr is where /metrics and /healthz are served; empty if nowhere.
func (v *Validator) MetricsAddr() string {
	if v.metrics == nil {
		return ""
	}
	return v.metrics.Addr().String()
}

// Run watches until ctx ends.
func (v *Validator) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return v.Service.Run(ctx) })
	tasks.Go(func() error { return v.content.run(ctx) })
	if v.http != nil {
		tasks.Go(func() error {
			if err := v.http.Serve(v.metrics); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		tasks.Go(func() error {
			<-ctx.Done()
			return v.http.Close()
		})
	}
	return tasks.Wait()
}

// Close closes what is open.
func (v *Validator) Close() error {
	var errs []error
	if v.metrics != nil {
		if err := v.metrics.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if v.peer != nil {
		errs = append(errs, v.peer.close())
	}
	if v.model != nil {
		errs = append(errs, v.model.Close())
	}
	if v.client != nil {
		v.client.Close()
	}
	return errors.Join(errs...)
}

// validatorBlocks keeps what it fetches, and tells the network that it has it: batch
// documents and evidence outlive their worker.
type validatorBlocks struct {
	node    *ipfs.Node
	log     *slog.Logger
	provide chan protocol.CID
}

func newValidatorBlocks(n *ipfs.Node, log *slog.Logger) *validatorBlocks {
	return &validatorBlocks{node: n, log: log, provide: make(chan protocol.CID, 1024)}
}

// Put stores a block durably.
func (b *validatorBlocks) Put(ctx context.Context, data []byte) (protocol.Hash, error) {
	id, err := b.node.AddBlock(ctx, data)
	if err != nil {
		return protocol.Hash{}, err
	}
	b.announce(id)
	return ipfs.Digest(id)
}

// Get reads a block, from here or from the peers.
func (b *validatorBlocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	id := ipfs.RawCIDOf(digest)
	have, err := b.node.Has(ctx, id)
	if err != nil {
		return nil, err
	}
	data, err := b.node.GetBlock(ctx, id, nil)
	if err == nil && !have {
		b.announce(id)
	}
	return data, err
}

func (b *validatorBlocks) announce(id protocol.CID) {
	select {
	case b.provide <- id:
	default:
		b.log.Debug("too many blocks to announce: peers that are connected get it all the same", "cid", id)
	}
}

// run announces what was stored until ctx ends.
func (b *validatorBlocks) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-b.provide:
			once, cancel := context.WithTimeout(ctx, time.Minute)
			if err := b.node.Provide(once, id); err != nil && ctx.Err() == nil {
				b.log.Debug("announce a block", "cid", id, "err", err)
			}
			cancel()
		}
	}
}

// Blocks reads content-addressed blocks from named peers, for a while each.
type Blocks struct {
	node      *ipfs.Node
	providers []peer.AddrInfo
	timeout   time.Duration
}

// NewBlocks asks these peers for what is not here.
func NewBlocks(n *ipfs.Node, providers []peer.AddrInfo, timeout time.Duration) *Blocks {
	return &Blocks{node: n, providers: providers, timeout: timeout}
}

// Put stores a block.
func (b *Blocks) Put(ctx context.Context, data []byte) (protocol.Hash, error) {
	id, err := b.node.AddBlock(ctx, data)
	if err != nil {
		return protocol.Hash{}, err
	}
	return ipfs.Digest(id)
}

// Get reads a block, from here or from the peers.
func (b *Blocks) Get(ctx context.Context, digest protocol.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return b.node.GetBlock(ctx, ipfs.RawCIDOf(digest), b.providers)
}

// openAdaptersKept bounds the adapters that stay open.
const openAdaptersKept = 4

// OpenAdapters opens adapters and keeps the newest few.
type OpenAdapters struct {
	source    adapter.Source
	providers []peer.AddrInfo

	mu   sync.Mutex
	have []openAdapter // the last used last
}

type openAdapter struct {
	id protocol.CID
	a  *adapter.Adapter
}

// NewOpenAdapters opens adapters from a source, asking these peers for what is not here.
func NewOpenAdapters(s adapter.Source, providers ...peer.AddrInfo) *OpenAdapters {
	return &OpenAdapters{source: s, providers: providers}
}

// Open gives an adapter as the registry has it.
func (o *OpenAdapters) Open(ctx context.Context, id protocol.CID) (*adapter.Adapter, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, x := range o.have {
		if x.id == id {
			o.have = append(append(o.have[:i:i], o.have[i+1:]...), x)
			return x.a, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a, err := o.source.Open(ctx, id, o.providers)
	if err != nil {
		return nil, err
	}
	if len(o.have) == openAdaptersKept {
		o.have = o.have[1:]
	}
	o.have = append(o.have, openAdapter{id, a})
	return a, nil
}
