package node_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/libp2p/go-libp2p"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
	"github.com/openledger/openledger/store/ipfs"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/weights"
)

// apiKey has a key issued to a requester.
func (n *network) apiKey(t testing.TB, who *keystore.Key) string {
	t.Helper()
	return n.limitedKey(t, who, api.KeyLimits{})
}

func (n *network) limitedKey(t testing.TB, who *keystore.Key, limits api.KeyLimits) string {
	t.Helper()
	info, err := n.coord.Info(t.Context())
	require.NoError(t, err)
	r := api.KeyRequest{Requester: who.Account(), Label: fmt.Sprintf("test %d", net.n.Add(1)), At: time.Now().UnixMilli(), KeyLimits: limits}
	r.Signature, err = crypto.Sign(accounts.TextHash([]byte(api.KeyRequestText(info.Peer, r))), who.ECDSA())
	require.NoError(t, err)
	key, err := n.coord.IssueKey(t.Context(), r)
	require.NoError(t, err)
	return key.Secret
}

// post sends a completion request; the caller closes the body.
func (n *network) post(ctx context.Context, key, path string, body any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.coord.API.URL()+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	return http.DefaultClient.Do(req)
}

// story is one long streaming request: its tokens and their log-probabilities.
func (n *network) story(ctx context.Context, key string) (string, error) {
	res, err := n.post(ctx, key, "/v1/completions", map[string]any{"model": node.BaseName, "prompt": "Once upon a time", "max_tokens": 120,
		"temperature": 0.9, "seed": 11, "stream": true, "logprobs": 1})
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(res.Body)
		return "", fmt.Errorf("%s: %s: %w", res.Status, raw, err)
	}
	var out strings.Builder
	lines, done := bufio.NewScanner(res.Body), false
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if done = data == "[DONE]"; done {
			break
		}
		var chunk struct {
			Choices []struct {
				Text     string          `json:"text"`
				LogProbs json.RawMessage `json:"logprobs"`
			} `json:"choices"`
			Error json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil || chunk.Error != nil {
			return "", fmt.Errorf("%s: %w", data, err)
		}
		for _, c := range chunk.Choices {
			fmt.Fprintf(&out, "%q %s\n", c.Text, c.LogProbs)
		}
	}
	if !done {
		return "", errors.New("the stream broke off")
	}
	return out.String(), lines.Err()
}

// broken is an adapter that its owner registered though it is none.
type broken struct {
	name    string
	config  string // instead of a sound one
	tensors func(good []byte) []byte
	base    protocol.Hash // instead of the network's
	status  int           // that it is refused with; 400 if it is left out
	says    []string
}

// rawTensors is a safetensors file of zeros of one pair of maps.
func rawTensors(t *testing.T, dtype weights.DType, bytesEach, rank, in, out int) []byte {
	t.Helper()
	const path = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
	zeros := func(name string, shape ...int) weights.Stored {
		return weights.Stored{Name: path + name + ".weight", DType: dtype, Shape: shape, Data: func() ([]byte, error) {
			return make([]byte, bytesEach*shape[0]*shape[1]), nil
		}}
	}
	var b bytes.Buffer
	require.NoError(t, weights.WriteStored(&b, []weights.Stored{zeros("A", rank, in), zeros("B", out, rank)}, nil))
	return b.Bytes()
}

// register stores a broken adapter where a worker keeps its blocks, and registers it.
func (b *broken) register(t *testing.T, on taught, content *ipfs.Node, config, tensors []byte) {
	t.Helper()
	if b.config != "" {
		config = []byte(b.config)
	}
	if b.tensors != nil {
		tensors = b.tensors(tensors)
	}
	m := protocol.AdapterManifest{Name: b.name, Files: map[string]protocol.CID{}}
	for name, data := range map[string][]byte{weights.AdapterConfigFile: config, weights.AdapterWeightsFile: tensors, "attribution.index": []byte("none")} {
		id, err := content.AddBytes(t.Context(), data)
		require.NoError(t, err)
		m.Files[name] = id
	}
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	id, err := content.AddBytes(t.Context(), raw)
	require.NoError(t, err)
	digest, err := ipfs.Digest(id)
	require.NoError(t, err)
	job := net.orderFor(t, on, b.name, protocol.Hyper{Rank: 4, Seed: 1}, cmp.Or(b.base, net.base))
	_, err = net.chain.Client.As(on.owner).RegisterAdapter(t.Context(), job.Order, job.Signature, id, digest)
	require.NoError(t, err)
}

// Anything that can be wrong with a request, or with an adapter that somebody registered,
// is refused over HTTP with a 4xx that names what and where; the request that streams
// meanwhile gets the same tokens with the same probabilities as alone.
func TestBadInputOverHTTPLeavesOthersUndisturbed(t *testing.T) {
	on := net.published(t)
	other := protocol.Hash{0: 0xbb, 31: byte(net.n.Add(1))}
	_, err := net.chain.Client.As(net.deployer).RegisterBase(t.Context(), other, "other", "none")
	require.NoError(t, err)
	model, err := node.OpenModel(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, model.Close()) }()
	geom := model.Model.Config().Geometry()
	sound, err := lora.New(geom, lora.Config{Rank: 4, Alpha: 4, Targets: []lora.Module{lora.QProj}}, 1)
	require.NoError(t, err)
	config, tensors, err := weights.EncodePEFT(sound, "test")
	require.NoError(t, err)
	shape := geom.Shapes[lora.QProj]
	plain := func(rank int) string {
		return fmt.Sprintf(`{"peft_type":"LORA","r":%d,"lora_alpha":4,"target_modules":["q_proj"]}`, rank)
	}
	list := []broken{
		{name: "truncated", tensors: func(good []byte) []byte { return good[:len(good)-8] }, says: []string{"tensor \"base_model.", "lora_"}},
		{name: "hostile", tensors: func(good []byte) []byte {
			return append(binary.LittleEndian.AppendUint64(nil, 1<<62), good[8:]...)
		}, says: []string{"header of 4611686018427387904 bytes"}},
		{name: "not-tensors", tensors: func([]byte) []byte { return []byte("\x7fELF") }, says: []string{"adapter_model.safetensors"}},
		{name: "misshapen", config: plain(4), tensors: func([]byte) []byte { return rawTensors(t, weights.F32, 4, 4, shape.In+1, shape.Out) },
			says: []string{"q_proj.lora_A", fmt.Sprint(shape.In + 1)}},
		{name: "overranked", config: plain(1025), tensors: func([]byte) []byte { return rawTensors(t, weights.F32, 4, 1025, shape.In, shape.Out) },
			says: []string{"adapter_config.json: r:", "1024", "1025"}},
		{name: "overranked-tensors", config: plain(4), tensors: func([]byte) []byte { return rawTensors(t, weights.F32, 4, 1025, shape.In, shape.Out) },
			says: []string{"q_proj of layer 0", "rank 1025", "1024"}},
		{name: "quantised", config: plain(4), tensors: func([]byte) []byte { return rawTensors(t, weights.DType("U8"), 1, 4, shape.In, shape.Out) },
			says: []string{"q_proj.lora_A", "U8"}},
		{name: "another-kind", config: `{"peft_type":"IA3","r":4,"lora_alpha":4,"target_modules":["q_proj"]}`, says: []string{"peft_type", "IA3"}},
		{name: "no-json", config: "{", says: []string{"adapter_config.json"}},
		{name: "without-index", says: []string{"attribution.index"}},
		{name: "elsewhere", base: other, status: http.StatusNotFound, says: []string{"elsewhere", "base"}},
	}
	id := net.identity(t)
	db, err := store.Open(store.Config{Dir: id.home.Path("db")})
	require.NoError(t, err)
	host, err := libp2p.New(libp2p.NoListenAddrs)
	require.NoError(t, err)
	content, err := ipfs.Open(ipfs.Config{DB: db, Host: host})
	require.NoError(t, err)
	for i := range list {
		list[i].name += fmt.Sprint("-", net.n.Add(1))
		list[i].register(t, on, content, config, tensors)
	}
	require.NoError(t, errors.Join(content.Close(), host.Close(), db.Close()))
	net.worker(t, id)
	key := net.apiKey(t, net.requester(t, 5e18))

	alone, err := net.story(t.Context(), key)
	require.NoError(t, err)
	require.Greater(t, strings.Count(alone, "\n"), 20)

	var over atomic.Bool
	streams, streamed := 0, make(chan error, 1)
	go func() { // one stream after the other until the last bad request is answered
		for !over.Load() {
			text, err := net.story(context.WithoutCancel(t.Context()), key)
			if err == nil && text != alone {
				err = fmt.Errorf("it was disturbed:\n%s\nalone:\n%s", text, alone)
			}
			if err != nil {
				streamed <- err
				return
			}
			streams++
		}
		streamed <- nil
	}()
	refused := func(name, path string, status int, body map[string]any, says ...string) {
		t.Helper()
		res, err := net.post(t.Context(), key, path, body)
		require.NoError(t, err, name)
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, errors.Join(err, res.Body.Close()))
		require.Equal(t, status, res.StatusCode, "%s: %s", name, raw)
		var e struct {
			Error struct{ Message, Type, Code string } `json:"error"`
		}
		require.NoError(t, json.Unmarshal(raw, &e), "%s: %s", name, raw)
		for _, s := range says {
			require.Contains(t, e.Error.Message, s, name)
		}
	}
	for _, b := range list {
		status := b.status
		if status == 0 {
			status = http.StatusBadRequest
		}
		refused(b.name, "/v1/completions", status, map[string]any{"model": b.name, "prompt": "A fox", "max_tokens": 4}, b.says...)
	}
	text := func(field string, v any) map[string]any {
		return map[string]any{"model": node.BaseName, "prompt": "A fox", "max_tokens": 4, field: v}
	}
	schema := func(s string) map[string]any {
		return map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "x", "schema": json.RawMessage(s)}}
	}
	refused("no such model", "/v1/completions", 404, text("model", "llama-900b"), "llama-900b")
	refused("over the context", "/v1/completions", 400, text("prompt", strings.Repeat("once upon a time ", 600)), "token", "shorten the prompt")
	refused("more bytes than every cache has tokens", "/v1/completions", 400, text("prompt", strings.Repeat("once upon a time ", 2000)), "8003 tokens", "shorten the prompt")
	refused("over every cache", "/v1/completions", 400, text("max_tokens", 20_000), "KV cache", "fewer tokens")
	refused("a schema with an unknown keyword", "/v1/completions", 400,
		text("response_format", schema(`{"type":"object","properties":{"a":{"type":"string","contentEncoding":"base64","minProperties":1}}}`)), "response_format", "/properties/a", "minProperties")
	refused("a schema that is none", "/v1/completions", 400, text("response_format", schema(`{"type":"reel"}`)), "response_format", "reel")
	refused("a schema that allows nothing", "/v1/completions", 400, text("response_format", schema(`{"type":"integer","minimum":3,"maximum":1}`)), "response_format")
	refused("a role", "/v1/chat/completions", 400, map[string]any{"model": node.BaseName, "messages": []map[string]string{{"role": "king", "content": "x"}}}, "role", "king")
	messages := []map[string]string{{"role": "user", "content": "x"}}
	refused("tools that the template does not show", "/v1/chat/completions", 400, map[string]any{"model": node.BaseName, "messages": messages,
		"tools": []any{map[string]any{"type": "function", "function": map[string]any{"name": "weather"}}}}, "chat template does not know tools")
	over.Store(true)
	require.NoError(t, <-streamed)
	require.Positive(t, streams)

	again, err := net.story(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, alone, again)
}
