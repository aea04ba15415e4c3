package node_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/mcpserver"
	"github.com/openledger/openledger/protocol"
)

// keyed adds an API key.
type keyed string

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(k))
	return http.DefaultTransport.RoundTrip(r)
}

// The protocol's own client asks a model through the coordinator's MCP server, over HTTP
// and over pipes alike, and gets a receipt that explains the answer.
func TestOtherAgentsUseTheNetworkByMCP(t *testing.T) {
	net.worker(t, net.identity(t))
	key := net.apiKey(t, net.requester(t, 1e18))
	on := net.published(t).version
	here, there := mcp.NewInMemoryTransports()
	local := mcpserver.New(mcpserver.API{URL: net.coord.API.URL(), Key: key, HTTP: http.DefaultTransport})
	serving, err := local.Connect(t.Context(), there, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, serving.Close()) }()
	for name, transport := range map[string]mcp.Transport{
		"pipes": here,
		"http":  &mcp.StreamableClientTransport{Endpoint: net.coord.API.URL() + "/mcp", HTTPClient: &http.Client{Transport: keyed(key)}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(ctx, transport, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, c.Close()) }()
			require.Equal(t, "openledger", c.InitializeResult().ServerInfo.Name)
			call := func(tool string, in, out any) *mcp.CallToolResult {
				t.Helper()
				res, err := c.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: in})
				require.NoError(t, err)
				if out != nil {
					require.False(t, res.IsError, "%+v", res.Content)
					raw, err := json.Marshal(res.StructuredContent)
					require.NoError(t, err)
					require.NoError(t, json.Unmarshal(raw, out))
				}
				return res
			}
			var models struct {
				Models []mcpserver.Model `json:"models"`
			}
			call("list_models", nil, &models)
			require.Contains(t, models.Models, mcpserver.Model{ID: node.BaseName, Kind: "base", Owner: protocol.Account{}.Hex(), Access: "0"})

			var reply struct {
				Text    string        `json:"text"`
				Receipt protocol.Hash `json:"receipt"`
				Fee     string        `json:"fee"`
			}
			question := map[string]any{"model": node.BaseName, "prompt": "A wolf", "max_tokens": 4, "temperature": 0}
			var quote struct {
				Cost  string `json:"cost"`
				Parts []any  `json:"parts"`
			}
			call("quote", question, &quote)
			require.NotEmpty(t, quote.Parts)
			call("chat", question, &reply)
			require.NotEmpty(t, reply.Text)
			view, err := net.coord.Receipt(ctx, reply.Receipt)
			require.NoError(t, err)
			total := view.Receipt.Fee().Total()
			require.Equal(t, total.Dec(), reply.Fee)
			if view.Receipt.OutputTokens == 4 {
				require.Equal(t, quote.Cost, reply.Fee)
			}

			var why struct {
				Answer  string `json:"answer"`
				Compute string `json:"compute"`
				Pool    uint64 `json:"pool"`
			}
			call("get_receipt", map[string]any{"receipt": reply.Receipt.Hex()}, &why)
			require.Equal(t, reply.Text, why.Answer)
			require.Equal(t, reply.Fee, why.Compute)
			require.EqualValues(t, protocol.WeightScale, why.Pool)

			res, err := c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "openledger://receipts/" + reply.Receipt.Hex()})
			require.NoError(t, err)
			require.Contains(t, res.Contents[0].Text, reply.Receipt.Hex())
			res, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "openledger://blocks/" + view.Receipt.Evidence.Hex()})
			require.NoError(t, err)
			require.NotEmpty(t, res.Contents[0].Blob)
			_, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "openledger://blocks/..%2F..%2Fnetwork"})
			require.Error(t, err)

			var sets struct {
				Datanets []mcpserver.Datanet `json:"datanets"`
			}
			call("list_datanets", nil, &sets)
			var found struct {
				License, Method, Fee string
				Results              []mcpserver.FoundRecord
			}
			call("search_datanet", map[string]any{"datanet": on.Datanet, "query": "the Lion and the Mouse", "top_k": 1, "method": "bm25"}, &found)
			require.Equal(t, "CC0-1.0 bm25 0", found.License+" "+found.Method+" "+found.Fee)
			require.Len(t, found.Results, 1)
			require.Equal(t, "A kindness is never wasted.", found.Results[0].Passage)
			res, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "openledger://blocks/" + found.Results[0].Record})
			require.NoError(t, err)
			require.Contains(t, string(res.Contents[0].Blob), "The Lion and the Mouse")

			for _, bad := range []struct {
				tool  string
				in    map[string]any
				words string
			}{
				{"chat", map[string]any{"model": "nobody", "prompt": "x"}, "there is no model"},
				{"chat", map[string]any{"model": node.BaseName}, "either prompt or messages"},
				{"chat", map[string]any{"model": node.BaseName, "prompt": "x", "datanets": []int{999}}, "999"},
				{"quote", map[string]any{"model": node.BaseName, "prompt": "x", "datanets": []int{999}}, "999"},
				{"search_datanet", map[string]any{"datanet": on.Datanet, "query": ""}, "query"},
				{"search_datanet", map[string]any{"datanet": 999, "query": "x"}, "999"},
				{"get_receipt", map[string]any{"receipt": "0x12"}, "receipt"},
				{"get_receipt", map[string]any{"receipt": protocol.Hash{1}.Hex()}, "0x01"},
			} {
				res := call(bad.tool, bad.in, nil)
				require.True(t, res.IsError, "%v", bad)
				require.Contains(t, res.Content[0].(*mcp.TextContent).Text, bad.words)
			}
		})
	}
	res, err := net.post(t.Context(), "wrong", "/mcp", map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
}
