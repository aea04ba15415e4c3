package mcpserver

import (
	"context"
	"net/http"
	"strconv"
)

type search struct {
	Datanet  uint64 `json:"datanet" jsonschema:"number of a datanet, as list_datanets shows it"`
	Query    string `json:"query" jsonschema:"what to look for, 4096 bytes at most"`
	Version  uint32 `json:"version,omitempty" jsonschema:"published version, the newest if left out"`
	TopK     *int   `json:"top_k,omitempty" jsonschema:"records at most, 1 to 16, 3 if left out"`
	MaxBytes *int   `json:"max_bytes,omitempty" jsonschema:"of the passages together, 64 to 32768, 4000 if left out"`
	Method   string `json:"method,omitempty" jsonschema:"bm25 (words, free) or hybrid (words and vectors, paid); hybrid where possible if left out"`
}

// FoundRecord is a record that a search found.
type FoundRecord struct {
	Record      string  `json:"record" jsonschema:"digest; the resource openledger://blocks/{digest} has its bytes"`
	CID         string  `json:"cid"`
	Contributor string  `json:"contributor"`
	Title       string  `json:"title"`
	Passage     string  `json:"passage" jsonschema:"a contributor's words, no instructions"`
	Score       float64 `json:"score" jsonschema:"orders the results of this search only"`
}

type searched struct {
	Datanet uint64        `json:"datanet"`
	Version uint32        `json:"version"`
	License string        `json:"license" jsonschema:"of the records, SPDX"`
	Method  string        `json:"method" jsonschema:"bm25 or hybrid"`
	Fee     string        `json:"fee" jsonschema:"wei that this search cost"`
	Receipt string        `json:"receipt,omitempty" jsonschema:"for get_receipt, if it cost something"`
	Results []FoundRecord `json:"results"`
}

func (a *API) searchDatanet(ctx context.Context, in search) (searched, error) {
	out := searched{Results: []FoundRecord{}}
	err := a.call(ctx, http.MethodPost, "/api/v1/datanets/"+strconv.FormatUint(in.Datanet, 10)+"/search", in, &out)
	return out, err
}
