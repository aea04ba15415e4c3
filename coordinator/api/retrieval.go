package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// How records are found.
const (
	MethodBM25   = "bm25"   // words
	MethodHybrid = "hybrid" // words and vectors, merged by reciprocal ranks
)

// Retrieve asks that an answer read a datanet.
type Retrieve struct {
	Datanet  string // its number or its name
	Version  uint32 // 0: the newest
	TopK     int    // records at most
	MaxBytes int    // of their text together; 0: as much as fits, 4,000 at most
	Method   string // empty: hybrid when the version's vectors are there
}

// RetrievalUse says how records were found.
type RetrievalUse struct {
	Datanet  uint64      `json:"datanet"`
	Version  uint32      `json:"version"`
	Method   string      `json:"method"`
	Records  int         `json:"records"`  // of the version
	Embedded int         `json:"embedded"` // of them with a vector
	Price    uint256.Int `json:"price"`    // wei, of the fee
	// Receipt is that of the question's vector, which is paid apart from the answer.
	Receipt *protocol.Hash `json:"receipt,omitempty"`
}

// Citation is a record that an answer was given to read.
type Citation struct {
	Number      int              `json:"number"` // in the prompt, from 1: answers cite it as [1]
	Datanet     uint64           `json:"datanet"`
	Version     uint32           `json:"version"`
	Record      protocol.Hash    `json:"record"`
	CID         protocol.CID     `json:"cid"`
	Contributor protocol.Account `json:"contributor"`
	Title       string           `json:"title"`
	Excerpt     string           `json:"excerpt"` // untrusted, as the prompt has it
	// Score is what the answer's log-probability gains by the record, in nats; Weight the
	// part of 1,000,000,000 of the datanet's price that it earned.
	Score  float64     `json:"score"`
	Weight uint64      `json:"weight"`
	Used   []TextRange `json:"used"` // where the answer names its number or repeats it
}

// TextRange is a stretch of an answer's text, in characters (code points).
type TextRange struct {
	Start int `json:"start"`
	End   int `json:"end"` // behind its last character
}

// Limits of a retrieval.
const (
	defaultTopK       = 3
	maxRetrievalBytes = 32 << 10
)

// retrievalRequest is the member "retrieval" of a chat request: one of these, or a list.
type retrievalRequest struct {
	Datanet  json.RawMessage `json:"datanet"`
	Version  uint32          `json:"version"`
	TopK     *int            `json:"top_k"`
	MaxBytes *int            `json:"max_bytes"`
	Method   string          `json:"method"`
}

// retrieve reads the member "retrieval".
func (r *completionRequest) retrieve() ([]Retrieve, error) {
	raw := r.Retrieval
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '[' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	var list []retrievalRequest
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, invalid("retrieval", `it must be {"datanet": number or name, "version": number, "top_k": number, "max_bytes": number, "method": "bm25" or "hybrid"}, or a list of these`)
	}
	if len(list) > protocol.MaxRetrievals {
		return nil, invalid("retrieval", "it names %d datanets: at most %d", len(list), protocol.MaxRetrievals)
	}
	var out []Retrieve
	total := 0
	for _, in := range list {
		one, err := in.read("retrieval.")
		if err != nil {
			return nil, err
		}
		var number uint64
		if json.Unmarshal(in.Datanet, &number) == nil {
			one.Datanet = strconv.FormatUint(number, 10)
		} else if json.Unmarshal(in.Datanet, &one.Datanet) != nil || one.Datanet == "" {
			return nil, invalid("retrieval.datanet", "name a datanet by its number or its name; GET /api/v1/datanets lists them")
		}
		if total += one.TopK; total > protocol.MaxSources {
			return nil, invalid("retrieval.top_k", "%d records of all datanets together: at most %d", total, protocol.MaxSources)
		}
		out = append(out, one)
	}
	return out, nil
}

// read checks everything but the datanet; errors name fields after a prefix.
func (in *retrievalRequest) read(prefix string) (Retrieve, error) {
	one := Retrieve{Version: in.Version, TopK: defaultTopK, Method: in.Method}
	if in.TopK != nil {
		one.TopK = *in.TopK
	}
	if one.TopK < 1 || one.TopK > protocol.MaxSources {
		return one, invalid(prefix+"top_k", "%d is not 1 to %d records", one.TopK, protocol.MaxSources)
	}
	if in.MaxBytes != nil {
		if one.MaxBytes = *in.MaxBytes; one.MaxBytes < 64 || one.MaxBytes > maxRetrievalBytes {
			return one, invalid(prefix+"max_bytes", "%d is not between 64 and %d", one.MaxBytes, maxRetrievalBytes)
		}
	}
	switch one.Method {
	case "", MethodBM25, MethodHybrid:
	default:
		return one, invalid(prefix+"method", "%q is unknown: use %s or %s, or leave it out", one.Method, MethodBM25, MethodHybrid)
	}
	return one, nil
}

// grounding is what a message says of what its answer read, and of the tools that were run
// for it.
type grounding struct {
	Citations []Citation     `json:"citations"`
	Retrieval []RetrievalUse `json:"retrieval,omitempty"`
	Tools     []ToolRun      `json:"tools,omitempty"`
}

// annotation is OpenAI's: a stretch of the answer and what it refers to.
type annotation struct {
	Type string      `json:"type"`
	URL  urlCitation `json:"url_citation"`
}

type urlCitation struct {
	Start int    `json:"start_index"`
	End   int    `json:"end_index"`
	URL   string `json:"url"`
	Title string `json:"title"`
}

// cite adds to a message what its answer read.
func (m *message) cite(a Answer) *message {
	if len(a.Citations) == 0 && len(a.Retrieval) == 0 {
		return m
	}
	m.Ours = &grounding{Citations: list(a.Citations), Retrieval: a.Retrieval}
	for _, c := range a.Citations {
		for _, u := range c.Used {
			m.Annotations = append(m.Annotations, annotation{Type: "url_citation", URL: urlCitation{Start: u.Start, End: u.End, URL: "ipfs://" + string(c.CID), Title: c.Title}})
		}
	}
	return m
}

// EmbeddingStatus is how far the vectors of a version are.
type EmbeddingStatus struct {
	Datanet   uint64      `json:"datanet"`
	Version   uint32      `json:"version"`
	Algorithm string      `json:"algorithm"`
	Records   int         `json:"records"` // with text
	Embedded  int         `json:"embedded"`
	Running   bool        `json:"running"`
	Fee       uint256.Int `json:"fee"`             // wei, of this order so far
	Error     string      `json:"error,omitempty"` // that ended the last order; order again to go on
}

// Retrieval prepares datanets for retrieval.
type Retrieval interface {
	// EmbedVersion has workers make the vectors that a version's records lack, paid by the
	// caller. Doing it again goes on where it ended.
	EmbedVersion(ctx context.Context, by Caller, datanet uint64, version uint32) (EmbeddingStatus, error)
	EmbeddingStatus(ctx context.Context, datanet uint64, version uint32) (EmbeddingStatus, error)
}

func (s *Server) embedVersion(w http.ResponseWriter, r *http.Request, by Caller) error {
	id, version, err := versionPath(r)
	if err != nil {
		return err
	}
	status, err := s.cfg.Retrieval.EmbedVersion(r.Context(), by, id, version)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, &status)
}

func (s *Server) embeddingStatus(w http.ResponseWriter, r *http.Request) error {
	id, version, err := versionPath(r)
	if err != nil {
		return err
	}
	status, err := s.cfg.Retrieval.EmbeddingStatus(r.Context(), id, version)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, &status)
}
