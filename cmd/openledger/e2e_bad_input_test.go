package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/p2p"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/worker/engine/weights"
)

// state is everything that a refused request must not change.
func (s *separate) state(t *testing.T) string {
	t.Helper()
	state := map[string]any{"models": s.models(t), "trainings": s.trainings(t)}
	receipts, err := s.cl.Receipts(t.Context(), 1000)
	require.NoError(t, err)
	state["receipts"] = receipts
	for _, name := range []string{"requester", "poor"} {
		escrow, err := s.chain.EscrowOf(t.Context(), s.accounts[name])
		require.NoError(t, err)
		state["escrow of "+name] = escrow.Dec()
	}
	datanets, err := s.cl.Datanets(t.Context())
	require.NoError(t, err)
	for _, d := range datanets {
		contributions, err := s.cl.Contributions(t.Context(), d.ID, "")
		require.NoError(t, err)
		versions, err := s.cl.Versions(t.Context(), d.ID)
		require.NoError(t, err)
		state["datanet "+d.Name] = []any{contributions, versions}
	}
	var batches json.RawMessage
	require.NoError(t, s.cl.Call(t.Context(), http.MethodGet, "/api/v1/batches", nil, &batches))
	state["batches"] = batches
	raw, err := json.MarshalIndent(state, "", " ")
	require.NoError(t, err)
	return string(raw)
}

// post sends JSON and reads an error in OpenAI's shape.
func (s *separate) post(t *testing.T, path, key string, body any) (status int, message, code string) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api+path, bytes.NewReader(raw))
	require.NoError(t, err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	var out struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
			Code    string `json:"code"`
		} `json:"error"`
	}
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(got, &out), "%s", got)
	if res.StatusCode >= 300 {
		require.NotEmpty(t, out.Error.Message, "%s", got)
		require.NotEmpty(t, out.Error.Type, "%s", got)
	}
	return res.StatusCode, out.Error.Message, out.Error.Code
}

// secret opens a person's key.
func (s *separate) secret(t *testing.T, name string) *keystore.Key {
	t.Helper()
	w, err := node.Home{Dir: s.user}.Wallet("", true)
	require.NoError(t, err)
	key, err := w.Key(name)
	require.NoError(t, err)
	return key
}

func (s *separate) badInput(t *testing.T) {
	var made protocol.Datanet
	run(t, &made, s.verb("datanet", "create", "empty", "--license", "CC0-1.0", "--as", "owner")...)
	run(t, nil, s.verb("wallet", "deposit", "0.0001", "--as", "poor")...)
	var poor struct {
		Key string `json:"key"`
	}
	run(t, &poor, s.verb("coordinator", "key", "--as", "poor")...)
	for name, test := range map[string]func(*testing.T){
		"requests":                   func(t *testing.T) { s.badRequests(t, poor.Key) },
		"contributions and reviews":  func(t *testing.T) { s.badContributions(t, made.ID) },
		"training orders":            s.badOrders,
		"receipts and vouchers":      s.badMoney,
		"a truncated archive":        s.truncatedArchive,
		"a corrupted adapter":        s.corruptedAdapter,
		"accounts and command lines": s.badVerbs,
	} {
		before := s.state(t)
		if t.Run(name, test) {
			require.Equal(t, before, s.state(t), "%s changed something", name)
		}
	}
	a, err := s.stream(t.Context(), rambling(1, 8), nil)
	require.NoError(t, err, "and the network still serves")
	require.NotZero(t, a.receipt)
}

func (s *separate) badRequests(t *testing.T, poor string) {
	request := func(change string, to any) map[string]any {
		r := rambling(1, 8)
		r[change] = to
		return r
	}
	for _, c := range []struct {
		name    string
		key     string
		body    any
		status  int
		code    string
		message string
	}{
		{"unknown model", s.key, request("model", "no-such-model"), 404, "model_not_found", "no model"},
		{"wrong key", "ol-wrong", rambling(1, 8), 401, "invalid_api_key", "key"},
		{"no key", "", rambling(1, 8), 401, "invalid_api_key", "no API key"},
		{"no tokens", s.key, request("max_tokens", 0), 400, "", "max_tokens"},
		{"too many tokens", s.key, request("max_tokens", 1<<20), 400, "", "max_tokens"},
		{"too hot", s.key, request("temperature", 2.5), 400, "", "temperature"},
		{"too cold", s.key, request("temperature", -1), 400, "", "temperature"},
		{"a number as prompt", s.key, request("prompt", 3), 400, "", "prompt"},
		{"a prompt beyond the context", s.key, request("prompt", strings.Repeat("once upon a time ", 600)), 400, "", "token"},
		{"a prompt beyond every worker", s.key, request("prompt", strings.Repeat("once upon a time ", 2000)), 400, "", "shorten the prompt"},
		{"a prompt beyond all bounds", s.key, request("prompt", strings.Repeat("x", protocol.MaxPromptBytes+1)), 400, "", "prompt"},
		{"over the escrow", poor, request("max_tokens", 1<<16), 402, "", "deposit"},
		{"not JSON", s.key, "{", 400, "", ""},
	} {
		status, message, code := s.post(t, "/v1/completions", c.key, c.body)
		require.Equal(t, c.status, status, "%s: %s", c.name, message)
		require.Contains(t, message, c.message, c.name)
		if c.code != "" {
			require.Equal(t, c.code, code, c.name)
		}
	}
}

func (s *separate) badContributions(t *testing.T, empty uint64) {
	dir := t.TempDir()
	refused(t, "refused", s.verb("datanet", "contribute", "1", writeFile(t, dir, "again.jsonl", lessons(0, 1)), "--as", "bob")...)
	refused(t, "half.jsonl:2", s.verb("datanet", "contribute", "1", writeFile(t, dir, "half.jsonl", lessons(12, 13)+"{\"title\":"), "--as", "bob")...)
	var records []datanet.Record
	lines := lessons(12, 13)
	require.NoError(t, datanet.Parse(t.Context(), datanet.File{Name: "new.jsonl", Content: strings.NewReader(lines), Size: int64(len(lines))},
		datanet.Target{Record: func(r datanet.Record) error { records = append(records, r); return nil }}))
	bob := s.secret(t, "bob")
	offer := func(license string, flip bool) (int, string) {
		sc, err := wire.SignContribution(registryDomain(s.info), protocol.Contribution{Datanet: 1, Record: records[0].ID,
			Contributor: bob.Account(), License: license, At: time.Now().UnixMilli()}, bob.ECDSA())
		require.NoError(t, err)
		if flip {
			sc.Signature[7] ^= 1
		}
		status, message, _ := s.post(t, "/api/v1/datanets/1/contributions", "", struct {
			protocol.SignedContribution
			Bytes string `json:"bytes"`
		}{sc, base64.StdEncoding.EncodeToString(records[0].Canonical)})
		return status, message
	}
	status, message := offer("MIT", false)
	require.Equal(t, 400, status, message)
	require.Contains(t, message, "CC0-1.0")
	status, message = offer("CC0-1.0", true)
	require.GreaterOrEqual(t, status, 400, message)
	require.Less(t, status, 500, message)

	known, err := s.cl.Contributions(t.Context(), 1, "")
	require.NoError(t, err)
	refused(t, "not by "+s.accounts["owner"].Hex(), s.verb("datanet", "review", "1", "--reject", string(known[0].CID), "--reason", "mine", "--as", "bob")...)
	refused(t, "accept", s.verb("datanet", "publish", "2", "--as", "owner")...)
	refused(t, "its owner "+s.accounts["owner"].Hex()+" publishes", s.verb("datanet", "publish", "1", "--as", "bob")...)
	require.EqualValues(t, 2, empty)
	refused(t, "SPDX", s.verb("datanet", "create", "odd", "--license", "Whatever-1.0", "--as", "owner")...)
}

func (s *separate) badOrders(t *testing.T) {
	v, err := s.chain.Version(t.Context(), 1, 1)
	require.NoError(t, err)
	h := node.DefaultHyper()
	h.PromptTemplate, h.AnswerTemplate = "{title}", "{lesson}"
	for name, c := range map[string]struct {
		change  func(*protocol.TrainingJob)
		message string
	}{
		"hyper-parameters": {func(j *protocol.TrainingJob) { j.Hyper.Epochs++ }, "hyper-parameters"},
		"signature":        {func(j *protocol.TrainingJob) { j.Signature[9] ^= 1 }, "sign"},
		"price":            {func(j *protocol.TrainingJob) { j.Order.Access = node.Open(1) }, "sign"},
		"another's name":   {func(j *protocol.TrainingJob) { j.Order.Owner = s.accounts["bob"] }, "sign"},
	} {
		job, err := SignOrder(t.Context(), s.info, s.secret(t, "owner"), protocol.TrainingOrder{Name: "bad", Datanet: 1, Version: 1, Root: v.Root}, h)
		require.NoError(t, err)
		c.change(&job)
		status, message, _ := s.post(t, "/api/v1/training_jobs", "", job)
		require.GreaterOrEqual(t, status, 400, name)
		require.Less(t, status, 500, "%s: %s", name, message)
		require.Contains(t, message, c.message, name)
	}
	odd := h
	odd.EvalRatio = 0.9
	job, err := SignOrder(t.Context(), s.info, s.secret(t, "owner"), protocol.TrainingOrder{Name: "bad", Datanet: 1, Version: 1, Root: v.Root}, odd)
	require.NoError(t, err)
	status, message, _ := s.post(t, "/api/v1/training_jobs", "", job)
	require.Equal(t, 400, status, message)
	require.Contains(t, message, "eval_ratio", "the coordinator names the bad field before anything is queued")
	train := []string{"adapter", "train", "bad", "--datanet", "1", "--as", "owner", "--prompt", "{title}"}
	refused(t, "patience", s.verb(append(train, "--answer", "{lesson}", "--patience", "2")...)...)
	refused(t, "answer_template", s.verb(append(train, "--answer", "{lesson")...)...)
	refused(t, "version", s.verb("adapter", "train", "bad", "--datanet", "1", "--version", "7", "--as", "owner")...)
}

// badMoney speaks to coordinator and worker as another peer.
func (s *separate) badMoney(t *testing.T) {
	key, err := p2p.LoadOrCreateKey(filepath.Join(t.TempDir(), "peer.key"))
	require.NoError(t, err)
	host, err := p2p.New(p2p.Config{PrivateKey: key, Bootstrap: s.info.Bootstrap, DHT: p2p.DHTClient,
		ListenAddrs: []string{"/ip4/127.0.0.1/tcp/0"}, Domain: wire.Domain{ChainID: s.info.ChainID, Contract: s.info.Contracts.Staking}})
	require.NoError(t, err)
	defer func() { require.NoError(t, host.Close()) }()
	coordinator, err := host.Connect(t.Context(), s.info.Bootstrap[0])
	require.NoError(t, err)

	receipts, err := s.cl.Receipts(t.Context(), 1)
	require.NoError(t, err)
	good := receipts[0].SignedReceipt
	_, err = host.RequestVoucher(t.Context(), coordinator, good)
	require.NoError(t, err, "the coordinator repeats the voucher of a receipt that it has accepted")
	for name, flip := range map[string]func(*protocol.SignedReceipt){
		"fee":       func(r *protocol.SignedReceipt) { r.Receipt.Compute.AddUint64(&r.Receipt.Compute, 1) },
		"tokens":    func(r *protocol.SignedReceipt) { r.Receipt.OutputTokens ^= 1 },
		"job":       func(r *protocol.SignedReceipt) { r.Receipt.ID[31] ^= 1 },
		"worker":    func(r *protocol.SignedReceipt) { r.Receipt.Worker[0] ^= 1 },
		"signature": func(r *protocol.SignedReceipt) { r.Signature[40] ^= 1 },
	} {
		bad := good
		bad.Signature = slices.Clone(good.Signature)
		flip(&bad)
		_, err := host.RequestVoucher(t.Context(), coordinator, bad)
		require.Error(t, err, "a flipped bit in the %s", name)
		require.Contains(t, []protocol.Kind{protocol.KindUnauthorized, protocol.KindInvalid}, protocol.KindOf(err), "%s: %v", name, err)
	}

	workers, err := s.cl.Workers(t.Context())
	require.NoError(t, err)
	w := workers[0]
	_, err = host.Connect(t.Context(), w.Addresses[0])
	require.NoError(t, err)
	poor := s.secret(t, "poor")
	escrow, err := s.chain.EscrowOf(t.Context(), poor.Account())
	require.NoError(t, err)
	offer := func(wei *uint256.Int, flip bool) error {
		v, err := wire.SignVoucher(wire.Domain{ChainID: s.info.ChainID, Contract: s.info.Contracts.Escrow}, protocol.Voucher{
			Requester: poor.Account(), Worker: w.Worker, Cumulative: *wei, Expires: time.Now().Add(48 * time.Hour).Unix()}, poor.ECDSA())
		require.NoError(t, err)
		if flip {
			v.Voucher.Cumulative.SubUint64(wei, 1)
		}
		return host.SendVoucher(t.Context(), w.Peer, v, good.Receipt.ID)
	}
	err = offer(new(uint256.Int).AddUint64(&escrow, 1), false)
	require.ErrorContains(t, err, "more than the escrow covers")
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err))
	err = offer(&escrow, true)
	require.Error(t, err, "a voucher whose amount was changed")
	require.NotEqual(t, protocol.KindEscrow, protocol.KindOf(err))
}

// truncatedArchive puts a proxy between that cuts archives short.
func (s *separate) truncatedArchive(t *testing.T) {
	target, err := url.Parse(s.api)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(res *http.Response) error {
		if !strings.HasSuffix(res.Request.URL.Path, "/car") {
			return nil
		}
		whole, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		res.Body = io.NopCloser(bytes.NewReader(whole[:len(whole)-100]))
		res.ContentLength = -1
		res.Header.Del("Content-Length")
		return nil
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	dir := t.TempDir()
	refused(t, "nothing was imported", "datanet", "export", "1", "--to", dir, "--home", s.user, "--api", server.URL)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	run(t, nil, s.verb("datanet", "export", "1", "--to", dir)...)
	left, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3, "the whole archive is taken")
}

func (s *separate) corruptedAdapter(t *testing.T) {
	dir := t.TempDir()
	run(t, nil, s.verb("adapter", "get", "lessons", "--to", dir)...)
	config, err := os.ReadFile(filepath.Join(dir, weights.AdapterConfigFile))
	require.NoError(t, err)
	tensors, err := os.ReadFile(filepath.Join(dir, weights.AdapterWeightsFile))
	require.NoError(t, err)
	m, err := node.OpenModel(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	geometry := m.Model.Config().Geometry()
	_, err = weights.ParsePEFT(config, tensors, geometry)
	require.NoError(t, err, "what was downloaded is sound")

	const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	require.Contains(t, string(tensors), name)
	_, err = weights.ParsePEFT(config, tensors[:len(tensors)-8], geometry)
	require.ErrorContains(t, err, "tensor")
	renamed := bytes.Replace(tensors, []byte(name), []byte(strings.Replace(name, "layers.0", "layers.x", 1)), 1)
	_, err = weights.ParsePEFT(config, renamed, geometry)
	require.ErrorContains(t, err, "layers.")
	infinite := slices.Clone(tensors)
	for i := range 4 {
		infinite[len(infinite)-1-i] = []byte{0x7f, 0x80, 0, 0}[i]
	}
	_, err = weights.ParsePEFT(config, infinite, geometry)
	require.ErrorContains(t, err, "not finite")
	require.ErrorContains(t, err, "lora_", "it names the tensor")
}

func (s *separate) badVerbs(t *testing.T) {
	refused(t, "no account", s.verb("wallet", "send", s.accounts["bob"].Hex(), "1", "--as", "nobody")...)
	refused(t, "amount", s.verb("wallet", "send", s.accounts["bob"].Hex(), "1.0000000000000000001", "--as", "alice")...)
	refused(t, "there is no receipt", s.verb("receipts", "verify", "0x"+strings.Repeat("ab", 32))...)
	refused(t, "is not the address of a coordinator", "worker", "status", "--api", "nowhere", "--home", s.user)
	refused(t, "worker init", "worker", "run", "--home", filepath.Join(t.TempDir(), "new"))
}
