package node_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/agent"
	"github.com/openledger/openledger/worker/settle"
)

// agentOf registers an agent's next version, from 1, and stores its manifest unless it is
// kept back.
func (n *network) agentOf(t *testing.T, owner *keystore.Key, m agent.Manifest, kept bool) uint64 {
	t.Helper()
	ctx := t.Context()
	m.Format, m.Owner = agent.Format, owner.Account()
	raw, err := m.Encode()
	require.NoError(t, err)
	price, err := m.PriceWei()
	require.NoError(t, err)
	o := protocol.AgentOrder{Owner: owner.Account(), Version: 1, Name: m.Name, Manifest: agent.CID(raw), Price: price, Deadline: time.Now().Unix() + 3600}
	var stake uint256.Int
	if id, err := n.chain.Client.AgentByName(ctx, owner.Account(), m.Name); err == nil {
		a, err := n.chain.Client.Agent(ctx, id)
		require.NoError(t, err)
		o.Agent, o.Version = id, a.Version+1
	} else if stake, err = n.chain.Client.AgentMinStake(ctx); err != nil {
		require.NoError(t, err)
	}
	sig, err := wire.SignAgentOrder(wire.Domain{ChainID: n.chain.ChainID(), Contract: n.chain.Addresses.Agents}, o, owner.ECDSA())
	require.NoError(t, err)
	_, id, err := n.chain.Client.As(owner).PublishAgent(ctx, o, sig, stake)
	require.NoError(t, err)
	if !kept {
		_, err = n.coord.StoreManifest(ctx, id, o.Version, raw)
		require.NoError(t, err)
	}
	return id
}

// chat asks a model over HTTP, and gives the status with the body.
func (n *network) chat(t *testing.T, key string, body map[string]any) (int, string) {
	t.Helper()
	res, err := n.post(t.Context(), key, "/v1/chat/completions", body)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(raw)
}

func user(text string) []map[string]string {
	return []map[string]string{{"role": "user", "content": text}}
}

// An agent is asked by its model id as any model: it is told its instructions before the
// question, its price is in the fee, and when the batch settles its owner claims the price
// less the platform's part, to the wei. Names lead to the agent that had them first.
func TestAgentIsServedAndPaid(t *testing.T) {
	ctx := t.Context()
	start, _, err := net.chain.Client.Head(ctx) // batches before it may be of workers that are gone
	require.NoError(t, err)
	w := net.worker(t, net.identity(t))
	bard, thief := net.key(t, 500), net.key(t, 200)
	name := fmt.Sprintf("bard-%d", net.n.Add(1))
	info, err := net.coord.Info(ctx)
	require.NoError(t, err)
	first := agent.Manifest{Name: name, Base: info.Base.Hex(), Instructions: "Answer in verse.", Price: "7000000000000005"}
	id := net.agentOf(t, bard, first, false)
	second := first
	second.Instructions, second.Price = "Answer in prose.", "11"
	require.Equal(t, id, net.agentOf(t, bard, second, false))
	fake := first
	fake.Instructions, fake.Price = "Send me money.", "1"
	other := net.agentOf(t, thief, fake, false)
	strange := first // of another base
	strange.Name, strange.Base = name+"-strange", "0x"+strings.Repeat("01", 32)

	who := net.requester(t, 1e18)
	key := net.apiKey(t, who)
	var asked protocol.InferenceJob // of the first version
	short, long := "agent/"+name, "agent/"+strings.ToLower(bard.Account().Hex())+"/"+name
	for model, want := range map[string]struct {
		id           uint64
		version      uint32
		instructions string
		markup       string
	}{
		short: {id, 2, second.Instructions, "11"}, long: {id, 2, second.Instructions, "11"},
		short + "@1": {id, 1, first.Instructions, first.Price}, long + "@2": {id, 2, second.Instructions, "11"},
		"agent/" + thief.Account().Hex() + "/" + name: {other, 1, fake.Instructions, "1"},
	} {
		status, body := net.chat(t, key, map[string]any{"model": model, "messages": user("A wolf"), "max_tokens": 3})
		require.Equal(t, http.StatusOK, status, "%s: %s", model, body)
		var out struct {
			Model string `json:"model"`
			Usage struct {
				Fee     string        `json:"fee"`
				Receipt protocol.Hash `json:"receipt"`
			} `json:"usage"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Equal(t, model, out.Model)
		view, err := net.coord.Receipt(ctx, out.Usage.Receipt)
		require.NoError(t, err)
		r := view.Receipt
		require.Equal(t, []any{want.id, want.version, want.markup}, []any{r.Agent, r.AgentVersion, r.Markup.Dec()}, model)
		total := r.Fee().Total()
		require.Equal(t, total.Dec(), out.Usage.Fee)
		require.Equal(t, protocol.Message{Role: "system", Content: want.instructions}, view.Evidence.Job.Messages[0])
		require.NoError(t, wire.CheckReceipt(r, view.Evidence))
		if model == short+"@1" {
			asked = view.Evidence.Job
		}
	}

	// A worker compares for itself what it is told in the agent's name, whatever its
	// requester signs.
	for field, change := range map[string]func(*protocol.InferenceJob){
		"messages": func(j *protocol.InferenceJob) {
			j.Messages = append([]protocol.Message{{Role: "system", Content: second.Instructions}}, j.Messages[1:]...)
		},
		"price.markup": func(j *protocol.InferenceJob) { j.Price.Markup.AddUint64(&j.Price.Markup, 1) },
		"base":         func(j *protocol.InferenceJob) { j.Agent, j.AgentVersion = net.agentOf(t, bard, strange, false), 1 },
	} {
		job := asked
		job.ID[1]++
		job.Deadline = time.Now().Add(time.Minute).UnixMilli()
		change(&job)
		err := net.direct(t, w, who, job)
		var typed *protocol.Error
		require.ErrorAs(t, err, &typed)
		require.Equal(t, []any{protocol.KindInvalid, field}, []any{typed.Kind, typed.Field}, "%v", err)
	}

	// What cannot be asked says why.
	bare := second
	bare.Name, bare.Base, bare.Adapter = name+"-lost", "", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
	net.agentOf(t, bard, bare, false)
	able := second
	able.Name, able.Tools = name+"-able", []agent.Tool{{Name: "look-up", Description: "Looks a word up"}}
	net.agentOf(t, bard, able, false)
	status, body := net.chat(t, key, map[string]any{"model": "agent/" + able.Name, "messages": user("A wolf")})
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "does not know tools", "the base's template has no place for them")
	for model, words := range map[string]string{
		"agent/nobody":         "there is no agent",
		short + "@3":           "has 2 versions",
		short + "@x":           "a number from 1",
		"agent/me/" + name:     "owner's address",
		"agent/" + bare.Name:   "there is no model",
		"agent/":               "there is no agent",
		long + "/" + name:      "there is no agent",
		"agent/" + name + "-x": "there is no agent",
	} {
		status, body := net.chat(t, key, map[string]any{"model": model, "messages": user("A wolf")})
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, status, body)
		require.Contains(t, body, words, model)
		require.Contains(t, body, `"param":"model"`, model)
	}
	res, err := net.post(ctx, key, "/v1/completions", map[string]any{"model": short, "prompt": "A wolf"})
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Contains(t, string(raw), "agents take part in chats")

	models, err := net.coord.Models(ctx)
	require.NoError(t, err)
	listed := map[string]uint64{}
	for _, m := range models {
		if m.Agent != nil {
			listed[m.ID] = m.Agent.ID
		}
	}
	require.Equal(t, id, listed[short])
	require.Equal(t, other, listed["agent/"+strings.ToLower(thief.Account().Hex())+"/"+name])
	require.NotContains(t, listed, "agent/"+bare.Name)

	// The answers settle, and the owner claims what its agent earned.
	require.Eventually(t, func() bool {
		require.NoError(t, w.Settle(ctx))
		for _, r := range net.receiptsOf(t, w.owner.Account()) {
			if !r.Settled {
				return false
			}
		}
		return true
	}, 30*time.Second, 50*time.Millisecond)
	web, err := client.New(net.coord.API.URL(), "")
	require.NoError(t, err)
	claims := &settle.Claims{Chain: net.chain.Client, Blocks: client.Blocks{Client: web}, Checks: settle.Checks{
		Receipt:         func(r protocol.SignedReceipt) error { return wire.VerifyReceipt(net.settlementDomain(), r) },
		AttributionRoot: wire.AttributionRoot,
	}}
	before, err := net.chain.Client.Balance(ctx, bard.Account())
	require.NoError(t, err)
	require.NoError(t, net.chain.AdvanceTime(10*time.Second))
	_, now := net.chain.Head()
	_, _, err = claims.Claim(ctx, net.chain.Client.As(thief), bard.Account(), start, now)
	require.NoError(t, err)
	after, err := net.chain.Client.Balance(ctx, bard.Account())
	require.NoError(t, err)
	var earned uint256.Int
	earned.Sub(&after, &before)
	// A tenth of 7000000000000005 leaves 6300000000000004.5, the odd wei is the platform's;
	// a tenth of 11 leaves 9.9, three times.
	require.Equal(t, "6300000000000034", earned.Dec())

	// A retired agent is not asked, nor one whose manifest nobody has.
	_, err = net.chain.Client.As(bard).SetAgentActive(ctx, id, false)
	require.NoError(t, err)
	status, body = net.chat(t, key, map[string]any{"model": short, "messages": user("A wolf")})
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "is not on offer")
	status, body = net.chat(t, key, map[string]any{"model": long, "messages": user("A wolf")})
	require.Equal(t, http.StatusNotFound, status, body)
}
