package pretrain

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/worker/engine/base/corpus"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tensor/cpu"
	"github.com/openledger/openledger/worker/engine/weights"
)

func smallCorpus() *corpus.Corpus {
	c := &corpus.Corpus{}
	for i := range uint64(90) {
		d := corpus.Generate(3, i)
		d.Source = []string{"gsm8k", "kjv", "wordnet"}[i%3]
		if i < 6 {
			c.HeldOut = append(c.HeldOut, d)
		} else {
			c.Train = append(c.Train, d)
		}
	}
	return c
}

func smallConfig(dir string) Config {
	return Config{
		Dir: dir, Tokens: 24 * 256, BatchTokens: 256, Seed: 5, LR: 3e-3, CheckpointEvery: 5, EvalEvery: 10, Threads: 2,
		Model: llama.Config{VocabSize: 300, HiddenSize: 32, IntermediateSize: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
			MaxPositions: 256, RMSEps: 1e-5, RopeTheta: 10000, TieEmbeddings: true, ModelType: "llama"},
	}
}

func train(ctx context.Context, t testing.TB, cfg Config) (*Report, error) {
	t.Helper()
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Config{Threads: cfg.Threads})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := &run{cfg: cfg, backend: b, corpus: smallCorpus(), tokDocs: 50}
	return r.run(ctx)
}

func finished(t *testing.T, cfg Config) []byte {
	t.Helper()
	if _, err := train(t.Context(), t, cfg); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(cfg.Dir, weights.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLearnsAndWritesAModelFolder(t *testing.T) {
	cfg := smallConfig(t.TempDir())
	var first, last Progress
	evaluations := 0
	cfg.Progress = func(p Progress) {
		if first.Step == 0 {
			first = p
		}
		if len(p.HeldOut) > 0 {
			evaluations++
		}
		last = p
	}
	rep, err := train(t.Context(), t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if last.Step != 24 || last.Steps != 24 || evaluations != 2 || !(last.Loss < first.Loss-0.5) {
		t.Errorf("first %v, last %v, %d evaluations", first, last, evaluations)
	}
	if len(rep.HeldOut) != len(mixture) || !(rep.HeldOut[0].BitsPerByte > 0) {
		t.Errorf("held out: %+v", rep.HeldOut)
	}
	b, err := weights.Open(os.DirFS(cfg.Dir))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Config, cfg.Model) || b.Tokenizer.ChatFormat() != "openledger" {
		t.Errorf("folder has %+v, chat format %q", b.Config, b.Tokenizer.ChatFormat())
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	card, err := os.ReadFile(filepath.Join(cfg.Dir, CardFile))
	if err != nil || !strings.Contains(string(card), "--tokens 6144 --seed 5") || strings.Contains(string(card), "%!") {
		t.Errorf("card: %v\n%s", err, card)
	}
}

func TestThreadsDoNotMatter(t *testing.T) {
	one, three := smallConfig(t.TempDir()), smallConfig(t.TempDir())
	one.Threads, three.Threads = 1, 3
	if !bytes.Equal(finished(t, one), finished(t, three)) {
		t.Error("one and three threads give different weights")
	}
}

var childDir = flag.String("child-dir", "", "folder that the child process of a test trains in")

// The child of TestKilledRunsResumeBitExactly: trains until it is killed, and never to the end.
func TestChildToBeKilled(t *testing.T) {
	if *childDir == "" {
		t.Skip("runs as a child process only")
	}
	cfg := smallConfig(*childDir)
	cfg.Resume = true
	cfg.Progress = func(p Progress) {
		_, _ = fmt.Fprintln(os.Stdout, "at", p.Step)
		if p.Step == p.Steps-1 {
			time.Sleep(time.Hour)
		}
	}
	if _, err := train(t.Context(), t, cfg); err != nil {
		t.Fatal(err)
	}
}

func TestKilledRunsResumeBitExactly(t *testing.T) {
	want := finished(t, smallConfig(t.TempDir()))
	cfg := smallConfig(t.TempDir())
	for _, at := range []string{"at 8\n", "at 13\n"} {
		ctx, cancel := context.WithCancel(t.Context()) // CommandContext kills with SIGKILL
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChildToBeKilled$", "-child-dir="+cfg.Dir)
		cmd.Stdout = &trigger{want: at, do: cancel}
		if err := cmd.Run(); err == nil {
			t.Fatal("the child finished before it was killed")
		}
		cancel()
	}
	cfg.Resume, cfg.Threads = true, 1
	if !bytes.Equal(finished(t, cfg), want) {
		t.Error("a killed and resumed run gives other weights")
	}
}

// trigger acts once its text has been written.
type trigger struct {
	buf  bytes.Buffer
	want string
	do   func()
}

func (w *trigger) Write(b []byte) (int, error) {
	n, err := w.buf.Write(b)
	if strings.Contains(w.buf.String(), w.want) {
		w.do()
	}
	return n, err
}

func TestCancelKeepsACheckpointAndBudgetMayChange(t *testing.T) {
	short := smallConfig(t.TempDir())
	short.Tokens = 20 * 256
	short.Warmup = 2
	want := finished(t, short)

	cfg := smallConfig(t.TempDir())
	cfg.Warmup = 2
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(p Progress) {
		if p.Step == 12 {
			cancel()
		}
	}
	if _, err := train(ctx, t, cfg); !errors.Is(err, ErrStopped) {
		t.Fatalf("error %v", err)
	}
	cfg.Progress = nil
	cfg.Resume, cfg.Tokens = true, short.Tokens
	if !bytes.Equal(finished(t, cfg), want) {
		t.Error("a budget changed before the decay gives other weights than the budget from the start")
	}
	cfg.Tokens = 24 * 256
	if _, err := train(t.Context(), t, cfg); err == nil || !strings.Contains(err.Error(), "give the same budget") {
		t.Errorf("budget changed after the decay began: %v", err)
	}
}

func TestCheckpointsThatDoNotFitAreRefused(t *testing.T) {
	cfg := smallConfig(t.TempDir())
	want := finished(t, cfg)
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "has a checkpoint already") {
		t.Errorf("starting over a checkpoint: %v", err)
	}
	other := cfg
	other.Resume, other.LR = true, 1e-4
	if _, err := train(t.Context(), t, other); err == nil || !strings.Contains(err.Error(), "another configuration") {
		t.Errorf("another learning rate: %v", err)
	}
	path := filepath.Join(cfg.Dir, checkpointFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Resume = true
	for name, bad := range map[string][]byte{
		"truncated": data[:len(data)-1], "empty": nil, "head only": data[:20],
		"flipped": append(append(bytes.Clone(data[:len(data)/2]), data[len(data)/2]^1), data[len(data)/2+1:]...),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := train(t.Context(), t, cfg); err == nil || !strings.Contains(err.Error(), checkpointFile) {
			t.Errorf("%s checkpoint: %v", name, err)
		}
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(finished(t, cfg), want) {
		t.Error("exporting again gives other weights")
	}
}

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"output folder": func(c *Config) { c.Dir = "" },
		"batch of":      func(c *Config) { c.BatchTokens = 10 },
		"token budget":  func(c *Config) { c.Tokens = 100 },
		"vocab_size":    func(c *Config) { c.Model.VocabSize = -1 },
	} {
		cfg := smallConfig(t.TempDir())
		change(&cfg)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
