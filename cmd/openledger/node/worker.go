package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/worker"
	"github.com/openledger/openledger/worker/engine/speed"
)

// WorkerFile is where a worker's home keeps what 'worker init' decided.
const WorkerFile = "worker.json"

// WorkerSettings is the worker's one configuration file. It holds no secret.
type WorkerSettings struct {
	RPC       string          `json:"rpc"`
	Addresses chain.Addresses `json:"addresses"`
	Bootstrap []string        `json:"bootstrap"`
	Listen    []string        `json:"listen"`
	Metrics   string          `json:"metrics,omitempty"` // TCP address; empty: none
	NAT       bool            `json:"nat"`
	Price     protocol.Price  `json:"price"`
	Trains    bool            `json:"trains"`
	// BaseModel is the folder or GGUF file of the base; empty: the embedded one.
	BaseModel string `json:"base_model,omitempty"`
	Threads   int    `json:"threads"` // 0: all cores
	// PinThreads ties each of them to a processor of its own.
	PinThreads bool `json:"pin_threads,omitempty"`
	MaxBatch   int  `json:"max_batch,omitempty"`
	KVTokens   int  `json:"kv_tokens,omitempty"`
	// PageTokens is the size of the KV cache's pages; it changes no result.
	PageTokens int `json:"page_tokens,omitempty"`
	// AdapterBytes is memory for adapters on the device, HostBytes for open ones.
	AdapterBytes int64 `json:"adapter_bytes,omitempty"`
	HostBytes    int64 `json:"host_bytes,omitempty"`
	// MemoryBytes caps base, KV cache and adapters on the device, together.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// DiskBytes is for adapters' blocks on disk, StoreBytes for the whole database.
	DiskBytes  int64 `json:"disk_bytes,omitempty"`
	StoreBytes int64 `json:"store_bytes,omitempty"`
	// Operators may pin, unpin and unload adapters, as the owner may.
	Operators   []protocol.Account `json:"operators,omitempty"`
	SettleEvery string             `json:"settle_every,omitempty"` // such as "30s"
	// Confirmations is how many blocks must hold a transaction before it counts as there
	// for good (default 1).
	Confirmations uint64 `json:"confirmations,omitempty"`
	// CheckpointEvery is how much training a crash may cost, such as "5s".
	CheckpointEvery string                 `json:"checkpoint_every,omitempty"`
	Binding         protocol.SignedBinding `json:"binding"`
}

// Worker is an open worker.
type Worker struct {
	*worker.Worker
	peer    *peerNode
	client  *chain.Client
	model   *Model
	metrics net.Listener
	http    *http.Server
	log     *slog.Logger
}

// Bind makes the peer key of a worker's home, if it has none, and the owner's
// statement that ties it to the node key.
func Bind(ctx context.Context, home Home, domain wire.Domain, owner keystore.Signer, nodeKey, payout protocol.Account) (protocol.SignedBinding, error) {
	if err := home.Make(); err != nil {
		return protocol.SignedBinding{}, err
	}
	id, err := PeerID(home)
	if err != nil {
		return protocol.SignedBinding{}, err
	}
	now := time.Now()
	b := protocol.SignedBinding{Binding: protocol.Binding{
		Peer: id, NodeKey: nodeKey, Owner: owner.Account(), Payout: payout,
		IssuedAt: now.UnixMilli(), Expires: now.AddDate(1, 0, 0).UnixMilli(),
	}}
	b.Signature, err = owner.SignTyped(ctx, wire.BindingData(domain, b.Binding))
	return b, err
}

// OpenWorker opens the worker of a home.
func OpenWorker(ctx context.Context, home Home, nodeKey *keystore.Key, log *slog.Logger) (_ *Worker, err error) {
	var s WorkerSettings
	if err := ReadJSON(home.Path(WorkerFile), &s); err != nil {
		return nil, protocol.Errorf(protocol.KindNotFound, "home", "%w: run 'openledger worker init' first", err)
	}
	settle, err := duration("settle_every", s.SettleEvery)
	if err != nil {
		return nil, err
	}
	checkpoint, err := duration("checkpoint_every", s.CheckpointEvery)
	if err != nil {
		return nil, err
	}
	registry := newRegistry()
	w := &Worker{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.client, err = chain.Dial(ctx, chain.Config{RPC: s.RPC, Addresses: s.Addresses, Confirmations: s.Confirmations, Logger: log}); err != nil {
		return nil, err
	}
	if w.model, err = openModel(s.BaseModel, s.cpu()); err != nil {
		return nil, err
	}
	if w.peer, err = openPeer(home, PeerConfig{Listen: s.Listen, Bootstrap: s.Bootstrap, NAT: s.NAT, Logger: log, Registry: registry}, w.client); err != nil {
		return nil, err
	}
	sender := w.client.As(nodeKey)
	if err := sender.Keep(store.NewSendings(w.peer.db)); err != nil {
		return nil, err
	}
	w.Worker, err = worker.New(worker.Config{
		DB: w.peer.db, Host: w.peer.host, IPFS: w.peer.ipfs, Chain: w.client, Bundle: w.model.Bundle, Model: w.model.Model,
		NodeKey: nodeKey.ECDSA(), Sender: sender, Binding: s.Binding, Price: s.Price, Trains: s.Trains,
		MaxBatch: s.MaxBatch, KVTokens: s.KVTokens, PageTokens: s.PageTokens, AdapterBytes: s.AdapterBytes, MemoryBytes: s.MemoryBytes, HostBytes: s.HostBytes, DiskBytes: s.DiskBytes, StoreBytes: s.StoreBytes, Operators: s.Operators,
		StatedTPS: statedTPS(home, &s, w.model, log), Hardware: speed.Hardware(protocol.MaxHardware), SettleEvery: settle, CheckpointEvery: checkpoint, Registerer: registry, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	if s.Metrics != "" {
		if w.metrics, err = net.Listen("tcp", s.Metrics); err != nil {
			return nil, protocol.Errorf(protocol.KindUnavailable, "metrics", "%w: choose another address", err)
		}
		w.http = &http.Server{Handler: metricsHandler(registry), ReadHeaderTimeout: 10 * time.Second}
	}
	return w, nil
}

// duration reads a setting; empty is 0, the default.
func duration(field, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, protocol.Errorf(protocol.KindInvalid, field, "%w: write it like 30s", err)
	}
	return d, nil
}

// PeerID is the libp2p identity of a home, made when there is none.
func PeerID(home Home) (protocol.PeerID, error) {
	key, err := p2p.LoadOrCreateKey(home.Path("peer.key"))
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPrivateKey(key)
	return protocol.PeerID(id.String()), err
}

// Addrs are where peers reach the worker.
func (w *Worker) Addrs() []string { return w.peer.host.Addrs() }

// MetricsAddr is where /metrics is served; empty if nowhere.
func (w *Worker) MetricsAddr() string {
	if w.metrics == nil {
		return ""
	}
	return w.metrics.Addr().String()
}

// Run serves until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return w.Worker.Run(ctx) })
	if w.http != nil {
		tasks.Go(func() error {
			if err := w.http.Serve(w.metrics); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		tasks.Go(func() error {
			<-ctx.Done()
			return w.http.Close()
		})
	}
	return tasks.Wait()
}

// Close closes what is open.
func (w *Worker) Close() error {
	var errs []error
	if w.metrics != nil && w.http == nil {
		errs = append(errs, w.metrics.Close())
	}
	if w.peer != nil {
		errs = append(errs, w.peer.close())
	}
	if w.model != nil {
		errs = append(errs, w.model.Close())
	}
	if w.client != nil {
		w.client.Close()
	}
	return errors.Join(errs...)
}
