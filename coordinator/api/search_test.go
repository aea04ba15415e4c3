package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) SearchDatanet(_ context.Context, by Caller, in Search) (SearchResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searched = append(s.searched, in)
	if by.Account != tenant {
		return SearchResult{}, fmt.Errorf("wrong tenant %s", by.Account)
	}
	out := SearchResult{RetrievalUse: RetrievalUse{Datanet: 3, Version: 2, Method: MethodHybrid, Records: 9, Embedded: 9, Price: huge, Receipt: &hash}, License: "CC0-1.0", Fee: huge}
	if in.Query != "nothing" {
		out.Results = []Found{{Record: hash, CID: "bafy", Contributor: owner, Title: "Hare", Passage: "<b>steady</b>", Score: 0.5}}
	}
	return out, s.err
}

func TestSearch_SaysWhatWasFoundAndWhatItCost(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/datanets/3/search"
	status, _, body := send(t, "POST", url, `{"query":" steady "}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"price":`+hugeText+`,"receipt":"`+hash.Hex()+`","license":"CC0-1.0","fee":`+hugeText)
	require.Equal(t, Retrieve{Datanet: "3", TopK: 3}, s.searched[0].Retrieve)
	require.Equal(t, "steady", s.searched[0].Query)
	_, _, body = send(t, "POST", url, `{"query":"nothing","version":2,"top_k":16,"max_bytes":64,"method":"bm25"}`)
	require.Contains(t, body, `"results":[]`)
	require.Equal(t, Retrieve{Datanet: "3", Version: 2, TopK: 16, MaxBytes: 64, Method: MethodBM25}, s.searched[1].Retrieve)
}

// A key that may not spend on inference searches by words, which is free.
func TestSearch_KeysThatMayOnlyRead(t *testing.T) {
	s := &service{limits: KeyLimits{Scopes: []Scope{ScopeRead}, RequestsPerMinute: 2}}
	url := serve(t, s, nil) + "/api/v1/datanets/3/search"
	status, _, body := send(t, "POST", url, `{"query":"steady"}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, MethodBM25, s.searched[0].Method)
	status, _, body = send(t, "POST", url, `{"query":"steady","method":"hybrid"}`)
	require.Equal(t, http.StatusForbidden, status, body)
	status, _, body = send(t, "POST", url, `{"query":"steady"}`)
	require.Equal(t, http.StatusTooManyRequests, status, body)
	require.Len(t, s.searched, 1)
}

func TestSearch_BadInput_NamesTheField(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/datanets/"
	for body, param := range map[string]string{
		``: "body", `[]`: "body", `{}`: "query", `{"query":" \n"}`: "query", `{"query":7}`: "query",
		`{"query":"` + strings.Repeat("a", 4097) + `"}`: "query", `{"query":"a","version":-1}`: "version",
		`{"query":"a","top_k":0}`: "top_k", `{"query":"a","top_k":17}`: "top_k", `{"query":"a","max_bytes":63}`: "max_bytes",
		`{"query":"a","max_bytes":32769}`: "max_bytes", `{"query":"a","method":"magic"}`: "method",
	} {
		status, _, answer := send(t, "POST", url+"3/search", body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, answer, fmt.Sprintf(`"param":%q`, param), body)
	}
	status, _, _ := send(t, "POST", url+"fables/search", `{"query":"a"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Empty(t, s.searched)
	s.err = protocol.Errorf(protocol.KindNotFound, "version", "no")
	status, _, _ = send(t, "POST", url+"3/search", `{"query":"a"}`)
	require.Equal(t, http.StatusNotFound, status)
}
