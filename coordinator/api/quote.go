package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Quoter says what something would cost, how long it may take and who would do it. A quote
// promises nothing: prices, load and who earns may change before the request comes.
type Quoter interface {
	// QuoteInference prices a request with the largest answer that it allows. promptTokens
	// stands for a prompt that is not told; 0: the request has one.
	QuoteInference(ctx context.Context, r Request, promptTokens int) (Quote, error)
	QuoteTraining(ctx context.Context, datanet uint64, version uint32, h protocol.Hyper) (Quote, error)
}

// Quote is what an inference or a training would come to.
type Quote struct {
	Kind         string      `json:"kind"` // inference or training
	Model        string      `json:"model"`
	PromptTokens int         `json:"prompt_tokens"` // of an inference
	MaxTokens    int         `json:"max_tokens"`    // of an inference: all are assumed to be used
	Records      int         `json:"records"`       // of a training, those held out included
	Steps        int         `json:"steps"`         // of a training
	Cost         uint256.Int `json:"cost"`          // wei: compute, access and markup
	CostOpen     string      `json:"cost_open"`     // the same in OPEN
	Compute      uint256.Int `json:"compute"`
	Access       uint256.Int `json:"access"`
	Markup       uint256.Int `json:"markup"`
	Rounds       int         `json:"rounds"`    // jobs that it may take: 1, more where an agent has tools on servers
	Retrieval    uint256.Int `json:"retrieval"` // of access: what the datanets ask that are read
	Question     uint256.Int `json:"question"`  // of compute: the vectors that they are searched by
	Most         uint256.Int `json:"most"`      // wei at whichever workers answer; cost is at the one that would
	MostOpen     string      `json:"most_open"` // the same in OPEN
	Parts        []QuotePart `json:"parts"`     // the cost by recipient
	Time         QuoteTime   `json:"time"`
	// Workers are those that serve the base, the one that would get it now first.
	Workers []QuoteWorker `json:"workers"`
	Note    string        `json:"note"`
}

// QuotePart is one recipient's part of the cost.
type QuotePart struct {
	Role    string            `json:"role"`              // payout.Role; contributors: shared out once the answer is attributed
	Account *protocol.Account `json:"account,omitempty"` // none: several, not known before
	Datanet uint64            `json:"datanet,omitempty"` // of whose price it is a part
	Amount  uint256.Int       `json:"amount"`
}

// QuoteTime estimates how long it takes, in ms. Nil: there is nothing to judge by.
type QuoteTime struct {
	FirstToken *int64 `json:"first_token,omitempty"`
	Expected   *int64 `json:"expected,omitempty"` // with the largest answer
	Least      *int64 `json:"least,omitempty"`
	Most       *int64 `json:"most,omitempty"`
	Basis      string `json:"basis"`
}

// QuoteWorker is a worker that might do it.
type QuoteWorker struct {
	Peer            protocol.PeerID  `json:"peer"`
	Worker          protocol.Account `json:"worker"`
	Chosen          bool             `json:"chosen"`
	Eligible        bool             `json:"eligible"`
	Reason          string           `json:"reason"`
	Cost            uint256.Int      `json:"cost"` // at its price, wei
	TokensPerSecond float32          `json:"tokens_per_second"`
	FirstToken      *int64           `json:"first_token,omitempty"` // ms
}

// quoteRequest is a request as it would be asked, or counts of tokens, or a training.
type quoteRequest struct {
	completionRequest
	Kind         string         `json:"kind"`
	PromptTokens int            `json:"prompt_tokens"`
	Datanet      uint64         `json:"datanet"`
	Version      uint32         `json:"version"` // 0: the newest
	Hyper        protocol.Hyper `json:"hyper"`
}

// quote serves POST /api/v1/quotes.
func (s *Server) quote(w http.ResponseWriter, r *http.Request) error {
	var in quoteRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	var q Quote
	var err error
	switch in.Kind {
	case "inference":
		q, err = s.quoteInference(r.Context(), &in)
	case "training":
		if in.Datanet == 0 {
			return invalid("datanet", "name the datanet to train on by its number")
		}
		q, err = s.cfg.Quoter.QuoteTraining(r.Context(), in.Datanet, in.Version, in.Hyper)
	default:
		return invalid("kind", "it must be inference or training")
	}
	if err != nil {
		return err
	}
	q.Parts, q.Workers = list(q.Parts), list(q.Workers)
	return writeJSON(w, http.StatusOK, q)
}

func (s *Server) quoteInference(ctx context.Context, in *quoteRequest) (Quote, error) {
	if in.Model == "" {
		return Quote{}, invalid("model", "name an adapter, its CID, an agent, or the base model; GET /api/v1/models lists them")
	}
	if err := in.unsupported(); err != nil {
		return Quote{}, err
	}
	req := Request{Model: in.Model}
	var err error
	if strings.HasPrefix(in.Model, AgentPrefix) {
		a, err := s.cfg.Agents.Agent(ctx, in.Model)
		if err != nil {
			return Quote{}, err
		}
		if a.Servers != nil {
			defer a.Servers.Close()
		}
		if err := in.priced(&a, &req); err != nil {
			return Quote{}, err
		}
	}
	if req.Retrieve, err = in.retrieve(); err != nil {
		return Quote{}, err
	}
	if req.Sampling, err = in.sampling(req.ID); err != nil {
		return Quote{}, err
	}
	told := len(in.Messages) > 0 || given(in.Prompt)
	switch {
	case in.PromptTokens < 0 || in.PromptTokens > protocol.MaxPromptBytes:
		return Quote{}, invalid("prompt_tokens", "it must be between 1 and %d", protocol.MaxPromptBytes)
	case told == (in.PromptTokens > 0):
		return Quote{}, invalid("prompt_tokens", "give either messages, a prompt, or how many tokens it has")
	case len(in.Messages) > 0:
		err = (&chatShape{}).input(&in.completionRequest, &req)
	case told:
		err = textShape{}.input(&in.completionRequest, &req)
	}
	if err != nil {
		return Quote{}, err
	}
	return s.cfg.Quoter.QuoteInference(ctx, req, in.PromptTokens)
}

// Include widens the range.
func (t *QuoteTime) Include(ms int64) {
	if t.Least == nil || ms < *t.Least {
		t.Least = &ms
	}
	if t.Most == nil || ms > *t.Most {
		t.Most = &ms
	}
}
