package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// maxQuery bounds what is searched for, in bytes.
const maxQuery = 4 << 10

// Search looks for records of one datanet.
type Search struct {
	ID    protocol.Hash // of the job that makes the question's vector, if one is made
	Query string
	Retrieve
}

// Found is a record that a search found.
type Found struct {
	Record      protocol.Hash    `json:"record"`
	CID         protocol.CID     `json:"cid"`
	Contributor protocol.Account `json:"contributor"`
	Title       string           `json:"title"`
	Passage     string           `json:"passage"` // untrusted: the part with most of the question's words
	Score       float64          `json:"score"`   // by reciprocal ranks: it orders one search, and means nothing beside another
}

// SearchResult is what a search found, the best first.
type SearchResult struct {
	RetrievalUse
	License string      `json:"license"` // SPDX, of the datanet
	Fee     uint256.Int `json:"fee"`     // wei, of the question's vector; finding is free
	Results []Found     `json:"results"`
}

// Searcher finds records without asking a model to answer from them.
type Searcher interface {
	SearchDatanet(ctx context.Context, by Caller, s Search) (SearchResult, error)
}

func (s *Server) searchDatanet(w http.ResponseWriter, r *http.Request, by Caller) error {
	if _, err := pathUint(r, "id", 64); err != nil {
		return err
	}
	var in struct {
		Query    string `json:"query"`
		Version  uint32 `json:"version"`
		TopK     *int   `json:"top_k"`
		MaxBytes *int   `json:"max_bytes"`
		Method   string `json:"method"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Query = strings.TrimSpace(in.Query); in.Query == "" || len(in.Query) > maxQuery {
		return invalid("query", "it has %d bytes: say in 1 to %d what to look for", len(in.Query), maxQuery)
	}
	one, err := (&retrievalRequest{Version: in.Version, TopK: in.TopK, MaxBytes: in.MaxBytes, Method: in.Method}).read("")
	if err != nil {
		return err
	}
	one.Datanet = r.PathValue("id")
	if err := by.allows(ScopeInference); err != nil {
		if one.Method == MethodHybrid { // costs a job
			return err
		}
		one.Method = MethodBM25
	}
	id, err := requestID(r, &by)
	if err != nil {
		return err
	}
	found, err := s.cfg.Searcher.SearchDatanet(r.Context(), by, Search{ID: id, Query: in.Query, Retrieve: one})
	if err != nil {
		return err
	}
	found.Results = list(found.Results)
	return writeJSON(w, http.StatusOK, found)
}
