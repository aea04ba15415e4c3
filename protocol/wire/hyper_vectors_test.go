package wire

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

var rewriteHyper = flag.Bool("rewrite-hyper", false, "write testdata/hyper.json anew")

// hyperVector is one entry of testdata/hyper.json: the web application hashes
// hyper-parameters by itself, and is tested against it.
type hyperVector struct {
	Hyper protocol.Hyper `json:"hyper"`
	JSON  string         `json:"json"` // what is hashed
	Hash  protocol.Hash  `json:"hash"`
}

func TestHyperVectors(t *testing.T) {
	list := []protocol.Hyper{
		{},
		{Rank: 16, Alpha: 64, Targets: []string{"q_proj", "down_proj"}, LearningRate: 4e-3, Epochs: 40, BatchSize: 16, MaxLength: 512, WarmupRatio: 0.05,
			PromptTemplate: `What is the lesson of "{title}"?`, AnswerTemplate: "{lesson}"},
		{Rank: 256, Alpha: 0.1, Targets: []string{}, LearningRate: 1e-7, WeightDecay: 0.333333343, Epochs: 1000, BatchSize: 1024, WarmupRatio: 1e-6, Seed: 1<<53 - 1,
			PromptTemplate: "<b>&amp;\u2028\t\n\\ \b\f\r\x01\x7f é 日本 😀 {a}", AnswerTemplate: "{{'\"}}"},
		{Alpha: 1e21, LearningRate: 3.4028235e-5, Schedule: "linear", Accumulation: 4, ClipNorm: 1e20, RSLoRA: true, EvalRatio: 0.1, EvalSteps: 50, Patience: 3},
		{Rank: 8, EvalSteps: 5, Patience: 2, HeldOut: "split<&>"},
		{Alpha: 16777216, LearningRate: math.SmallestNonzeroFloat32, ClipNorm: math.MaxFloat32, WeightDecay: 0.7, WarmupRatio: 1.0 / 3},
	}
	made := make([]hyperVector, len(list))
	for i, h := range list {
		raw, err := json.Marshal(h)
		require.NoError(t, err)
		made[i] = hyperVector{Hyper: h, JSON: string(raw)}
		made[i].Hash, err = HyperHash(h)
		require.NoError(t, err)
	}
	raw, err := json.MarshalIndent(made, "", " ")
	require.NoError(t, err)
	const file = "testdata/hyper.json"
	if *rewriteHyper {
		require.NoError(t, os.WriteFile(file, append(raw, '\n'), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(raw))
}
