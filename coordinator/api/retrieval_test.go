package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// reader answers from one source.
func reader() *service {
	return &service{infer: func(_ context.Context, r Request, onText func(Delta) error) (Answer, error) {
		a := answerTo(r, "Steady wins [1].")
		a.Citations = []Citation{{Number: 1, Datanet: 3, Version: 2, Record: hash, CID: "bafy", Contributor: owner, Title: "Hare", Excerpt: "steady", Score: 1.5, Weight: 7,
			Used: []TextRange{{Start: 12, End: 15}}}}
		a.Retrieval = []RetrievalUse{{Datanet: 3, Version: 2, Method: MethodBM25, Records: 9, Price: huge}}
		return a, onText(Delta{Text: a.Text})
	}}
}

// What an answer read comes with its message, and in a stream with the chunk that ends it.
func TestRetrieval_CitationsComeWithTheAnswer(t *testing.T) {
	s := reader()
	url := serve(t, s, nil) + "/v1/chat/completions"
	want := `"annotations":[{"type":"url_citation","url_citation":{"start_index":12,"end_index":15,"url":"ipfs://bafy","title":"Hare"}}],` +
		`"openledger":{"citations":[{"number":1,"datanet":3,"version":2,`
	status, _, body := send(t, "POST", url, fmt.Sprintf(chatBody, `,"retrieval":{"datanet":"fables","version":2,"top_k":5,"max_bytes":500,"method":"bm25"}`))
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, want)
	require.Contains(t, body, `"price":`+hugeText)
	require.Equal(t, []Retrieve{{Datanet: "fables", Version: 2, TopK: 5, MaxBytes: 500, Method: MethodBM25}}, s.requests()[0].Retrieve)

	_, _, body = send(t, "POST", url, fmt.Sprintf(chatBody, `,"stream":true,"retrieval":[{"datanet":3},{"datanet":4,"top_k":13}]`))
	require.Equal(t, []Retrieve{{Datanet: "3", TopK: 3}, {Datanet: "4", TopK: 13}}, s.requests()[1].Retrieve)
	require.Equal(t, 1, strings.Count(body, want))
	for _, line := range strings.Split(body, "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok && strings.Contains(data, "citations") {
			var chunk response
			require.NoError(t, json.Unmarshal([]byte(data), &chunk))
			require.NotNil(t, chunk.Choices[0].FinishReason, "the last chunk of the text has them")
		}
	}

	plain := &service{}
	_, _, body = send(t, "POST", serve(t, plain, nil)+"/v1/chat/completions", fmt.Sprintf(chatBody, ""))
	require.NotContains(t, body, "citations", "who asks for nothing gets what it always got")
}

func TestRetrieval_BadInput_NamesTheField(t *testing.T) {
	s := reader()
	url := serve(t, s, nil)
	for retrieval, param := range map[string]string{
		`7`: "retrieval", `"fables"`: "retrieval", `{"datanet":1,"topk":3}`: "retrieval", `{"datanet":1,"version":-1}`: "retrieval",
		`{}`: "retrieval.datanet", `{"datanet":""}`: "retrieval.datanet", `{"datanet":{}}`: "retrieval.datanet", `{"datanet":-3}`: "retrieval.datanet",
		`{"datanet":1,"top_k":0}`: "retrieval.top_k", `{"datanet":1,"top_k":17}`: "retrieval.top_k", `[{"datanet":1,"top_k":9},{"datanet":2,"top_k":8}]`: "retrieval.top_k",
		`{"datanet":1,"max_bytes":1}`: "retrieval.max_bytes", `{"datanet":1,"max_bytes":1000000}`: "retrieval.max_bytes", `{"datanet":1,"method":"magic"}`: "retrieval.method",
		`[{"datanet":1},{"datanet":2},{"datanet":3},{"datanet":4},{"datanet":5}]`: "retrieval",
	} {
		status, _, body := send(t, "POST", url+"/v1/chat/completions", fmt.Sprintf(chatBody, `,"retrieval":`+retrieval))
		require.Equal(t, http.StatusBadRequest, status, retrieval)
		require.Contains(t, body, fmt.Sprintf(`"param":%q`, param), retrieval)
	}
	status, _, body := send(t, "POST", url+"/v1/completions", `{"model":"tiny","prompt":"x","retrieval":{"datanet":1}}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, `"param":"retrieval"`)
	require.Empty(t, s.requests(), "nothing was asked of a worker")
}

func TestEmbedVersion(t *testing.T) {
	url := serve(t, &service{}, nil) + "/api/v1/datanets/3/versions/2/embeddings"
	for method, want := range map[string]int{"GET": http.StatusOK, "POST": http.StatusAccepted} {
		status, _, body := send(t, method, url, "")
		require.Equal(t, want, status, body)
		require.Contains(t, body, `"embedded":1,"running":true,"fee":`+hugeText)
	}
	failing := serve(t, &service{err: protocol.Errorf(protocol.KindNotFound, "version", "no")}, nil)
	status, _, _ := send(t, "GET", failing+"/api/v1/datanets/3/versions/9/embeddings", "")
	require.Equal(t, http.StatusNotFound, status)
}
