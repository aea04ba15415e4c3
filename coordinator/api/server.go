package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/openledger/openledger/coordinator/web"
	"github.com/openledger/openledger/protocol"
)

// Config wires the server. Every interface is required, but for those that say otherwise.
type Config struct {
	Listen     string // TCP address, "127.0.0.1:0" picks a port
	Inference  Inference
	Adapters   Adapters
	Keys       Keys
	Training   Training
	Files      Files
	FineTuning FineTuning
	Datanets   Datanets
	Versions   Versions
	Retrieval  Retrieval
	Agents     Agents
	Ledger     Ledger
	Explainer  Explainer
	Network    Network
	RPC        RPC
	Usage      Usage
	Faucet     Faucet // nil: this network has none
	Accounts   Accounts
	Governing  Governing
	Metrics    http.Handler // serves /metrics; may be nil
	// TrainingDefaults are the trainer's own hyper-parameters.
	TrainingDefaults protocol.Hyper
	// Samples are files of records to begin with. There may be none.
	Samples []Sample
	// MCP makes the handler of /mcp, which uses the API itself; nil: there is none.
	MCP    func(own http.Handler) http.Handler
	Logger *slog.Logger

	// What the pages of datanets show and send.
	Batches      Batches
	Uploads      Uploads
	Records      Records
	Contributors Contributors

	// MaxBody bounds a request body in bytes.
	MaxBody int64
	Quoter  Quoter

	Searcher Searcher

	// Statistics are sums; Feed has what happens.
	Statistics Statistics
	Feed       *Feed

	Reports Reports

	Payments Payments // nil: requests without an API key are refused

	AgentPages AgentPages

	Explorer Explorer
}

// EnsureDefaults fills what is left out.
func (c *Config) EnsureDefaults() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8420"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxBody == 0 {
		c.MaxBody = 4 << 20
	}
}

// Validate says what is missing.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"inference", c.Inference == nil}, {"adapters", c.Adapters == nil}, {"keys", c.Keys == nil}, {"training", c.Training == nil}, {"files", c.Files == nil}, {"fine_tuning", c.FineTuning == nil}, {"datanets", c.Datanets == nil},
		{"versions", c.Versions == nil}, {"retrieval", c.Retrieval == nil}, {"agents", c.Agents == nil}, {"ledger", c.Ledger == nil}, {"network", c.Network == nil},
		{"rpc", c.RPC == nil}, {"usage", c.Usage == nil},
		{"explainer", c.Explainer == nil},
		{"quoter", c.Quoter == nil},
		{"searcher", c.Searcher == nil},
		{"batches", c.Batches == nil}, {"uploads", c.Uploads == nil}, {"records", c.Records == nil}, {"contributors", c.Contributors == nil},
		{"reports", c.Reports == nil},
		{"accounts", c.Accounts == nil}, {"governing", c.Governing == nil},
		{"statistics", c.Statistics == nil}, {"feed", c.Feed == nil},
		{"agent_pages", c.AgentPages == nil},
		{"explorer", c.Explorer == nil},
	} {
		if f.missing {
			return protocol.Errorf(protocol.KindInvalid, f.name, "the API needs it")
		}
	}
	if c.MaxBody < 0 {
		return protocol.Errorf(protocol.KindInvalid, "max_body", "must not be negative")
	}
	return nil
}

// Server is the HTTP server.
type Server struct {
	cfg      Config
	limits   *limits
	listener net.Listener
	http     *http.Server
	mcp      http.Handler
	web      http.Handler

	heartbeat time.Duration // of streams of events

	paying sync.Map // IDs of payments whose requests run
}

// New listens; Run serves.
func New(cfg Config) (*Server, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	pages, err := web.Handler()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "listen", "%w: choose another address with --listen", err)
	}
	s := &Server{cfg: cfg, limits: &limits{now: time.Now, keys: map[protocol.Hash]*buckets{}}, listener: l, web: pages, heartbeat: feedHeartbeat}
	s.cfg.Inference = limited{Inference: cfg.Inference, limits: s.limits}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	s.http.RegisterOnShutdown(cfg.Feed.close) // listeners would hold up a server that is to stop
	return s, nil
}

// Close frees the address of a server that was never run.
func (s *Server) Close() error {
	if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Run serves until ctx ends, then lets running requests finish for five seconds.
func (s *Server) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.http.Serve(s.listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := s.http.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	<-done
	return err
}

func (s *Server) alive(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	s.cfg.Metrics.ServeHTTP(w, r)
	return nil
}
