package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/agent"
	"github.com/openledger/openledger/worker/engine/base"
)

// toolsTemplate is the base's chat template with a place for tools.
const toolsTemplate = `{{ '<|bos|>' }}{% if tools %}{{ '<|system|>Tools: ' }}{% for t in tools %}{{ t['function']['name'] + ' ' }}{% endfor %}{{ '<|end|>' }}{% endif %}` +
	`{% for m in messages %}{{ ('<|user|>Tool: ' if m['role'] == 'tool' else '<|' + m['role'] + '|>') + (m['content'] or '') }}` +
	`{% if m['tool_calls'] %}{{ m['tool_calls'] | tojson }}{% endif %}{{ '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}`

// withTools is a coordinator beside the others, whose base knows tools, with a worker.
func withTools(t *testing.T) (*network, *running) {
	t.Helper()
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	require.NoError(t, os.CopyFS(model, base.Files()))
	require.NoError(t, os.WriteFile(filepath.Join(model, "chat_template.jinja"), []byte(toolsTemplate), 0o600))
	bundle, err := node.OpenBase(model)
	require.NoError(t, err)
	require.NoError(t, bundle.Close())
	session, err := keystore.Generate()
	require.NoError(t, err)
	n := &network{dir: dir, deployer: net.deployer, chain: net.chain, base: bundle.Hash}
	n.coord, err = node.OpenCoordinator(t.Context(), node.CoordinatorConfig{
		Home: node.Home{Dir: filepath.Join(dir, "coordinator")}, RPC: n.chain.RPC(), Addresses: n.chain.Addresses, API: "127.0.0.1:0", ToolHosts: []string{"127.0.0.1"},
		Peer: node.PeerConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}, Base: n.base, BaseModel: model, SessionKey: session, X402: true, Logger: logger("coordinator"),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.coord.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, n.coord.Close())
	})
	return n, n.worker(t, n.identity(t), func(s *node.WorkerSettings) { s.BaseModel = model })
}

// toolServer has a tool that tells the weather and one that tells far too much.
func toolServer(t *testing.T) (url string, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, nil)
	schema := json.RawMessage(`{"type":"object","properties":{"city":{"enum":["Graz","Wien"]}},"required":["city"],"additionalProperties":false}`)
	add := func(name string, result func(arguments string) string) {
		s.AddTool(&mcp.Tool{Name: name, InputSchema: schema}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			calls.Add(1)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: result(string(r.Params.Arguments))}}}, nil
		})
	}
	add("forecast", func(arguments string) string { return "Sun over " + arguments })
	add("almanac", func(string) string { return strings.Repeat("It rains. ", 3000) })
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	h := httptest.NewServer(handler)
	t.Cleanup(h.Close)
	return h.URL, calls
}

// An agent's tools are called on their server by the network's own model: every round is a
// job with a receipt, and the rounds' fees are, to the wei, what the requester is told. A
// budget ends an answer between two rounds.
func TestAgentsToolsAreCalledAndEveryRoundIsPaid(t *testing.T) {
	ctx := t.Context()
	n, w := withTools(t)
	url, calls := toolServer(t)
	owner := n.key(t, 500)
	register := func(name string, tools ...string) string {
		name = fmt.Sprintf("%s-%d", name, net.n.Add(1))
		n.agentOf(t, owner, agent.Manifest{Name: name, Base: n.base.Hex(), Instructions: "Tell the weather.", Price: "7",
			Servers: []agent.Server{{URL: url, Tools: tools}}}, false)
		return "agent/" + name
	}
	guide := register("guide", "forecast")
	who := n.requester(t, 1e18)
	key := n.apiKey(t, who)
	type reply struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
				Ours    struct {
					Tools []api.ToolRun `json:"tools"`
				} `json:"openledger"`
			} `json:"message"`
		} `json:"choices"`
		Usage struct {
			PromptTokens, CompletionTokens int
			Fee                            string          `json:"fee"`
			Receipts                       []protocol.Hash `json:"receipts"`
		} `json:"usage"`
	}
	ask := func(model, key string, more map[string]any) (int, reply, string) {
		body := map[string]any{"model": model, "messages": user("Graz?"), "max_tokens": 60, "temperature": 0, "tool_choice": "required",
			"logit_bias": map[string]int{"38": -100, "16": -100}} // blanks, of which a small model finds no end
		for k, v := range more {
			body[k] = v
		}
		status, raw := n.chat(t, key, body)
		var out reply
		if status == http.StatusOK {
			require.NoError(t, json.Unmarshal([]byte(raw), &out), raw)
		}
		return status, out, raw
	}
	paid := func(out reply) (views []api.ReceiptView) {
		t.Helper()
		var sum uint256.Int
		for _, id := range out.Usage.Receipts {
			v, err := n.coord.Receipt(ctx, id)
			require.NoError(t, err)
			require.NoError(t, wire.CheckReceipt(v.Receipt, v.Evidence))
			require.Equal(t, "7", v.Receipt.Markup.Dec(), "the agent's price is for each round")
			fee := v.Receipt.Fee().Total()
			sum.Add(&sum, &fee)
			views = append(views, v)
		}
		require.Equal(t, sum.Dec(), out.Usage.Fee)
		return views
	}

	status, out, raw := ask(guide, key, nil)
	require.Equal(t, http.StatusOK, status, raw)
	views := paid(out)
	require.Len(t, views, 2, raw)
	require.EqualValues(t, 1, calls.Load())
	runs := out.Choices[0].Message.Ours.Tools
	require.Len(t, runs, 1)
	require.Equal(t, "forecast", runs[0].Name)
	require.Equal(t, "Sun over "+runs[0].Arguments, runs[0].Result)
	last := views[1].Evidence.Job.Messages
	require.Equal(t, []string{"system", "user", "assistant", "tool"}, []string{last[0].Role, last[1].Role, last[2].Role, last[3].Role})
	require.Equal(t, runs[0].Result, last[3].Content)
	require.Equal(t, views[1].Evidence.Text, out.Choices[0].Message.Content)
	require.LessOrEqual(t, views[0].Receipt.OutputTokens+views[1].Receipt.OutputTokens, uint32(60))

	t.Run("no more than the quote", func(t *testing.T) {
		all := func(views []api.ReceiptView) (sum uint256.Int) {
			for i := range views {
				fee := views[i].Receipt.Fee().Total()
				sum.Add(&sum, &fee)
			}
			return sum
		}
		body := map[string]any{"kind": "inference", "model": guide, "messages": user("Graz?"), "max_tokens": 60, "tool_choice": "required"}
		q := n.quote(t, body)
		require.Equal(t, 9, q.Rounds)
		require.Equal(t, "63", q.Markup.Dec(), "the agent's price, nine times")
		require.False(t, q.Most.Lt(&q.Cost))
		took := all(views)
		require.False(t, q.Cost.Lt(&took))
		var sum uint256.Int
		for _, p := range q.Parts {
			sum.Add(&sum, &p.Amount)
		}
		require.Equal(t, q.Cost.Dec(), sum.Dec(), "the parts are all of it")
		body["tool_choice"] = "none"
		one := n.quote(t, body)
		require.Equal(t, 1, one.Rounds)
		require.Equal(t, "7", one.Markup.Dec())
	})
	t.Run("paid without a key", func(t *testing.T) {
		const path = "/v1/chat/completions"
		payer := n.requester(t, 1e18)
		ask := func(choice string) string {
			return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Graz?"}],"max_tokens":60,"temperature":0,"tool_choice":%q,"logit_bias":{"38":-100,"16":-100}}`, guide, choice)
		}
		for choice, rounds := range map[string]int{"required": 2, "none": 1} {
			ran := calls.Load()
			_, terms := n.terms(t, path, ask(choice))
			require.Equal(t, ran, calls.Load())
			p := n.payment(t, payer, terms, nil)
			before, _ := n.feesOf(t, payer.Account())
			a := n.unkeyed(t, path, ask(choice), header(t, terms, p, nil))
			require.Equal(t, http.StatusOK, a.status, a.body)
			require.Equal(t, ran+int64(rounds-1), calls.Load())
			require.Len(t, a.result.Extra.Receipts, rounds)
			after, _ := n.feesOf(t, payer.Account())
			require.Equal(t, after.Sub(&after, &before).Dec(), a.result.Amount, "what is told is what the rounds' receipts say")
			require.False(t, uint256.MustFromDecimal(a.result.Amount).Gt(&p.Payment.Value), "and no more than was signed")
			again := n.unkeyed(t, path, ask(choice), header(t, terms, p, nil))
			require.Equal(t, a.body, again.body)
			require.Equal(t, a.result, again.result)
			require.Equal(t, ran+int64(rounds-1), calls.Load(), "no tool runs again")
		}
	})

	// What is too long for the model is cut until it fits.
	status, out, raw = ask(register("reader", "almanac"), key, nil)
	require.Equal(t, http.StatusOK, status, raw)
	views = paid(out)
	require.Less(t, len(views[1].Evidence.Job.Messages[3].Content), 4000)
	require.Contains(t, views[1].Evidence.Job.Messages[3].Content, "It rains.")

	// A key whose budget is what the first round may cost, with which it is refused by a wei
	// less, pays that round and no other.
	status, _, raw = ask(guide, n.limitedKey(t, who, api.KeyLimits{Budget: uint256.NewInt(1)}), nil)
	require.Equal(t, http.StatusPaymentRequired, status, raw)
	require.NotContains(t, raw, "are made and paid")
	cost := regexp.MustCompile(`may cost (\d+) wei`).FindStringSubmatch(raw)
	require.Len(t, cost, 2, raw)
	status, _, raw = ask(guide, n.limitedKey(t, who, api.KeyLimits{Budget: uint256.MustFromDecimal(cost[1])}), nil)
	require.Equal(t, http.StatusPaymentRequired, status, raw)
	ended := regexp.MustCompile(`1 rounds of the answer are made and paid with (\d+) wei: receipts (0x[0-9a-f]{64})`).FindStringSubmatch(raw)
	require.Len(t, ended, 3, raw)
	v, err := n.coord.Receipt(ctx, common.HexToHash(ended[2]))
	require.NoError(t, err)
	total := v.Receipt.Fee().Total()
	require.Equal(t, total.Dec(), ended[1])

	// Tools that are away, or may not be called, cost nothing.
	before, all := calls.Load(), len(n.receiptsOf(t, w.owner.Account()))
	lost := register("lost", "snow")
	status, _, raw = ask(lost, key, nil)
	require.Equal(t, http.StatusServiceUnavailable, status, raw)
	require.Contains(t, raw, `has no tool \"snow\", which the agent's manifest names`)
	url = strings.Replace(url, "127.0.0.1", "localhost", 1)
	status, _, raw = ask(register("inside"), key, nil)
	require.Equal(t, http.StatusBadRequest, status, raw)
	require.Contains(t, raw, "--tool-host")
	require.Equal(t, before, calls.Load())
	require.Len(t, n.receiptsOf(t, w.owner.Account()), all)
}
