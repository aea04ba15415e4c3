package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Config wires the server. Every interface is required; Metrics may be nil.
type Config struct {
	Listen    string // TCP address, "127.0.0.1:0" picks a port
	Inference Inference
	Adapters  Adapters
	Keys      Keys
	Training  Training
	Datanets  Datanets
	Versions  Versions
	Agents    Agents
	Ledger    Ledger
	Network   Network
	Metrics   http.Handler // serves /metrics
	Logger    *slog.Logger
	// MaxBody bounds a request body in bytes.
	MaxBody int64
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
		{"inference", c.Inference == nil}, {"adapters", c.Adapters == nil}, {"keys", c.Keys == nil}, {"training", c.Training == nil}, {"datanets", c.Datanets == nil},
		{"versions", c.Versions == nil}, {"agents", c.Agents == nil}, {"ledger", c.Ledger == nil}, {"network", c.Network == nil},
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
	listener net.Listener
	http     *http.Server
}

// New listens; Run serves.
func New(cfg Config) (*Server, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindUnavailable, "listen", "%w: choose another address with --listen", err)
	}
	s := &Server{cfg: cfg, listener: l}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
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

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)
			if err := h(w, r); err != nil {
				s.writeError(w, r, err)
			}
		})
	}
	handle("GET /v1/models", s.keyed(s.listModels))
	handle("GET /v1/models/{id}", s.keyed(s.getModel))
	handle("POST /v1/chat/completions", s.keyed(s.chatCompletions))
	handle("POST /v1/completions", s.keyed(s.completions))

	handle("GET /api/v1/network", s.network)
	handle("GET /api/v1/workers", s.workers)
	handle("POST /api/v1/keys", s.issueKey)
	handle("GET /api/v1/models", s.models)
	handle("POST /api/v1/adapters/{id}/{action}", s.keyed(s.orderAdapter))
	handle("GET /api/v1/datanets", s.datanets)
	handle("GET /api/v1/datanets/{id}", s.datanet)
	handle("GET /api/v1/datanets/{id}/contributions", s.contributions)
	handle("POST /api/v1/datanets/{id}/contributions", s.contribute)
	handle("POST /api/v1/datanets/{id}/reviews", s.review)
	handle("GET /api/v1/datanets/{id}/versions", s.versions)
	handle("POST /api/v1/datanets/{id}/versions", s.buildVersion)
	handle("GET /api/v1/datanets/{id}/versions/{version}/car", s.exportCAR)
	handle("POST /api/v1/agents/{id}/versions/{version}/manifest", s.storeManifest)
	handle("GET /api/v1/training_jobs", s.trainingJobs)
	handle("POST /api/v1/training_jobs", s.startTraining)
	handle("GET /api/v1/training_jobs/{id}", s.trainingJob)
	handle("POST /api/v1/training_jobs/{id}/cancel", s.cancelTraining)
	handle("GET /api/v1/receipts", s.receipts)
	handle("GET /api/v1/receipts/{id}", s.receipt)
	handle("GET /api/v1/batches", s.batches)
	handle("GET /api/v1/blocks/{digest}", s.block)

	handle("GET /healthz", func(w http.ResponseWriter, _ *http.Request) error {
		return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	handle("GET /readyz", s.ready)
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.cfg.Metrics)
	}
	handle("/", func(_ http.ResponseWriter, r *http.Request) error {
		return protocol.Errorf(protocol.KindNotFound, "path", "there is no %s %s here; docs/api.md lists the endpoints", r.Method, r.URL.Path)
	})
	return mux
}
