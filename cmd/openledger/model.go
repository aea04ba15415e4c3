package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

func newModel(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Inspect, convert and check model files and adapters",
		Example: `  openledger model inspect ./Llama-3.2-1B
  openledger model convert ./Llama-3.2-1B llama.gguf --type q8_0
  openledger model verify llama.gguf`,
	}
	cmd.AddCommand(modelInspect(c), modelConvert(c), modelVerify(c), modelRandom(c))
	return cmd
}

// shapes of models with random weights. The first is that of Llama 3.2 1B.
var shapes = map[string]llama.Config{
	"llama-1b": {ModelType: "llama", VocabSize: 128256, HiddenSize: 2048, IntermediateSize: 8192, Layers: 16, Heads: 32, KVHeads: 8, HeadDim: 64,
		MaxPositions: 8192, RMSEps: 1e-5, RopeTheta: 500000, TieEmbeddings: true},
	"llama-1.1b": {ModelType: "llama", VocabSize: 32000, HiddenSize: 2048, IntermediateSize: 5632, Layers: 22, Heads: 32, KVHeads: 4, HeadDim: 64,
		MaxPositions: 2048, RMSEps: 1e-5, RopeTheta: 10000},
	"llama-160m": {ModelType: "llama", VocabSize: 32000, HiddenSize: 768, IntermediateSize: 3072, Layers: 12, Heads: 12, KVHeads: 12, HeadDim: 64,
		MaxPositions: 2048, RMSEps: 1e-6, RopeTheta: 10000},
	"tiny": {ModelType: "llama", VocabSize: 512, HiddenSize: 64, IntermediateSize: 128, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 16,
		MaxPositions: 512, RMSEps: 1e-5, RopeTheta: 10000},
}

func shapeNames() string {
	names := make([]string, 0, len(shapes))
	for n := range shapes {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

func modelRandom(c *cli) *cobra.Command {
	var shape, typ string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "random OUT.gguf",
		Short: "Write a model with random weights, for benchmarks",
		Long: `Random writes a GGUF file with the shape of a known model, random weights and a
tokenizer of bytes. The same shape, type and seed give the same file. It says nothing
sensible, but computes as much as a real model; llama.cpp reads it too.`,
		Example: "  openledger model random --shape llama-1b --type q8_0 --seed 1 random.gguf\n  openledger model random --shape tiny --type f32 tiny.gguf",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, ok := shapes[shape]
			if !ok {
				return protocol.Errorf(protocol.KindInvalid, "shape", "%q is unknown: use one of %s", shape, shapeNames())
			}
			t, err := quant.ParseType(typ)
			if err != nil {
				return protocol.Errorf(protocol.KindInvalid, "type", "%w", err)
			}
			bar := newBar(c.err, "writing "+args[0], 0)
			defer bar.stop()
			model := gguf.Model{Name: "random " + shape, Config: cfg, Weights: llama.Random{Config: cfg, Seed: seed}, Type: t,
				Tokenizer: gguf.TokenizerKV(tokenizer.BytesOnly(cfg.VocabSize)), Progress: bar.progress("tensors")}
			size, err := writeWhole(args[0], func(w io.Writer) error { return gguf.WriteModel(w, model) })
			if err != nil {
				return err
			}
			bar.stop()
			return c.print(map[string]any{"file": args[0], "bytes": size, "parameters": cfg.ParamCount(), "type": t.String()}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %d parameters as %v, %d bytes\n", args[0], cfg.ParamCount(), t, size)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&shape, "shape", "llama-1b", "shape of the model: "+shapeNames())
	f.StringVar(&typ, "type", "q8_0", "type of the matrices: f32, f16, bf16, q8_0 or q4_0")
	f.Uint64Var(&seed, "seed", 1, "seed of the weights")
	return cmd
}

// progress is a callback that moves the bar.
func (b *bar) progress(what string) func(done, total int) {
	return func(done, total int) {
		if done == 0 || total != b.total {
			b.begin(what, total)
		}
		b.set(done, "")
	}
}

// writeWhole writes a file that appears only when it is complete.
func writeWhole(path string, write func(io.Writer) error) (size int64, err error) {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part) // the first error tells more
		}
	}()
	err = write(f)
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	return size, err
}
