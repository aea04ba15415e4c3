//go:build long

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// Everything that an order can say about its training reaches the trainer and comes back: progress, result, manifest and
// the adapter's own files.
func TestHeldOutTraining(t *testing.T) {
	s := newSeparate(t, 1, chosenLedger())
	s.startWorker(t, 0)
	s.awaitWorkers(t, 1)
	s.publishLessons(t)
	var status api.TrainingStatus
	run(t, &status, s.verb("adapter", "train", "careful", "--datanet", "1", "--prompt", askLesson, "--answer", "{lesson}", "--rank", "4", "--rslora",
		"--targets", "q_proj,v_proj", "--schedule", "linear", "--batch-size", "2", "--accumulation", "2", "--clip-norm", "0.5", "--weight-decay", "0.01",
		"--epochs", "60", "--eval-ratio", "0.3", "--eval-steps", "2", "--patience", "4", "--as", "owner")...)
	require.Equal(t, "succeeded", status.State)
	r := status.Result
	require.NotNil(t, r.Eval)
	require.Equal(t, 12, r.Records+r.Eval.Records, "a record is trained on or held out")
	require.Positive(t, r.Eval.Records)
	require.Positive(t, r.Eval.Loss)
	require.LessOrEqual(t, r.Eval.Step, r.Steps)
	require.Equal(t, r.Eval, status.Progress.Eval)
	var shown struct{ Manifest protocol.AdapterManifest }
	run(t, &shown, s.verb("adapter", "show", "careful")...)
	h := shown.Manifest.Hyper
	require.Equal(t, []any{true, "linear", 2, float32(0.3), 2, 4, float32(0.5), float32(8)},
		[]any{h.RSLoRA, h.Schedule, h.Accumulation, h.EvalRatio, h.EvalSteps, h.Patience, h.ClipNorm, h.Alpha})
	dir := t.TempDir()
	run(t, nil, s.verb("adapter", "get", "careful", "--to", dir)...)
	raw, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	require.NoError(t, err)
	var config struct {
		RSLoRA  bool     `json:"use_rslora"`
		Targets []string `json:"target_modules"`
	}
	require.NoError(t, json.Unmarshal(raw, &config))
	require.True(t, config.RSLoRA)
	require.ElementsMatch(t, []string{"q_proj", "v_proj"}, config.Targets)
	_, title := s.asked(t, "careful", `What is the lesson of "The Fox and the Crow"?`)
	require.NotEmpty(t, title)
}
