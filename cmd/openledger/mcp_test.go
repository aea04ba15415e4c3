package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// Another program starts 'openledger mcp' and uses its tools over its pipes; the API key
// goes to the coordinator, and nothing else is on the pipes.
func TestMCPOverPipes(t *testing.T) {
	coordinator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" || r.Header.Get("Authorization") != "Bearer ol-test" {
			http.Error(w, `{"error":{"message":"not so"}}`, http.StatusUnauthorized)
			return
		}
		_, err := fmt.Fprint(w, `{"object":"list","data":[{"id":"agent/poet","openledger":{"owner":"0xaa","access":"0","agent":{"markup":"5","description":"verse"}}}]}`)
		if err != nil {
			t.Error(err)
		}
	}))
	defer coordinator.Close()
	for key, words := range map[string]string{"ol-test": "agent/poet", "ol-other": "not so"} {
		cmd := programCommand(t.Context(), t, "mcp", "--home", t.TempDir(), "--api", coordinator.URL)
		cmd.Env = append(cmd.Env, "OPENLEDGER_API_KEY="+key)
		c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
		require.NoError(t, err)
		tools, err := c.ListTools(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, tools.Tools, 6)
		res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "list_models"})
		require.NoError(t, err)
		require.Equal(t, key != "ol-test", res.IsError)
		require.Contains(t, res.Content[0].(*mcp.TextContent).Text, words)
		require.NoError(t, c.Close())
	}
	refused(t, "api key", "mcp", "--home", t.TempDir())
}
