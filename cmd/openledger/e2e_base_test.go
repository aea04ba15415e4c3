package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// A network of another base than the embedded one trains, answers, attributes and is
// audited like any; what is for another base is refused with both hashes.
func TestNetworkOfAnotherBase(t *testing.T) {
	dir := t.TempDir()
	base, random := filepath.Join(dir, "quantised.gguf"), filepath.Join(dir, "random.gguf")
	run(t, nil, "model", "convert", "../../worker/engine/base", base, "--type", "q8_0")
	run(t, nil, "model", "random", "--shape", "tiny", "--type", "f32", random)
	home := filepath.Join(dir, "net")
	var ready struct {
		API        string `json:"api"`
		APIKeyFile string `json:"api_key_file"`
	}
	start(t, &ready, "devnet", "--home", home, "--base-model", base, "--workers", "1", "--listen", "127.0.0.1:0", "--rpc-listen", "127.0.0.1:0")
	n := connect(t, ready.API, readLine(ready.APIKeyFile))
	require.Equal(t, "quantised", n.info.BaseName)
	n.awaitWorkers(t, 1)
	on := func(args ...string) []string { return append(args, "--home", home, "--api", ready.API) }

	run(t, nil, on("datanet", "create", "lessons", "--license", "CC0-1.0", "--as", "owner")...)
	run(t, nil, on("datanet", "contribute", "1", writeFile(t, dir, "lessons.jsonl", lessons(0, 4)), "--as", "owner")...)
	run(t, nil, on("datanet", "review", "1", "--accept-all", "--as", "owner")...)
	run(t, nil, on("datanet", "publish", "1", "--as", "owner")...)
	var status api.TrainingStatus
	run(t, &status, on("adapter", "train", "lessons", "--datanet", "1", "--prompt", askLesson, "--answer", "{lesson}", "--access", "0.01",
		"--rank", "8", "--epochs", "60", "--as", "owner")...)
	require.Equal(t, "succeeded", status.State)

	var a answer
	run(t, &a, on("infer", "lessons", `What is the lesson of "The Fox and the Crow"?`, "--max-tokens", "24")...)
	r, err := n.cl.Receipt(t.Context(), a.Receipt)
	require.NoError(t, err)
	require.Equal(t, n.info.Base, r.Receipt.Base)
	var why struct {
		Shares []explained `json:"shares"`
	}
	run(t, &why, on("attribution", "explain", a.Receipt.Hex(), "--base-model", base)...)
	require.NotEmpty(t, why.Shares, "%q is attributed to nobody", a.Text)
	var report struct {
		OK bool `json:"ok"`
	}
	run(t, &report, on("receipts", "verify", a.Receipt.Hex(), "--base-model", base)...)
	require.True(t, report.OK, "an auditor with the same base computes the same")

	n.requireOtherBaseRefused(t, home, "", a.Receipt)
	n.requireOtherBaseRefused(t, home, random, a.Receipt)
}

// requireOtherBaseRefused tries an audit, a training order and a worker of another base.
func (n *network) requireOtherBaseRefused(t *testing.T, home, base string, receipt protocol.Hash) {
	t.Helper()
	bundle, err := node.OpenBase(base)
	require.NoError(t, err)
	other := protocol.Hash(bundle.Hash)
	require.NoError(t, bundle.Close())
	require.NotEqual(t, other, n.info.Base)
	refused(t, other.Hex(), "receipts", "verify", receipt.Hex(), "--home", home, "--api", n.api, "--base-model", base)

	w, err := node.Home{Dir: home}.Wallet("", true)
	require.NoError(t, err)
	owner, err := w.Key(netOwnerKey)
	require.NoError(t, err)
	v, err := n.chain.Version(t.Context(), 1, 1)
	require.NoError(t, err)
	h := node.DefaultHyper()
	h.PromptTemplate, h.AnswerTemplate = askLesson, "{lesson}"
	info := n.info
	info.Base = other
	order, err := SignOrder(t.Context(), info, owner, protocol.TrainingOrder{Name: "elsewhere", Datanet: 1, Version: 1, Root: v.Root}, h)
	require.NoError(t, err)
	err = n.cl.Call(t.Context(), http.MethodPost, "/api/v1/training_jobs", order, nil)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "this network serves the base quantised")
	require.ErrorContains(t, err, n.info.Base.Hex())

	workerHome := filepath.Join(t.TempDir(), "worker")
	require.NoError(t, os.MkdirAll(workerHome, 0o700))
	_, errs, code := verb(t, "worker", "init", "--home", workerHome, "--api", n.api, "--base-model", base)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "this model's hash is "+other.Hex())
	require.Contains(t, strings.ToLower(errs), strings.ToLower(n.info.Base.Hex()))
}
