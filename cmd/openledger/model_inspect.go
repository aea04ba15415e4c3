package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/weights"
)

// fileInfo is what inspect says.
type fileInfo struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`   // model or adapter
	Format string `json:"format"` // hf, gguf, peft or safetensors
	// Problem says why the file cannot be served, if it cannot.
	Problem      string         `json:"problem,omitempty"`
	Architecture string         `json:"architecture,omitempty"`
	Parameters   int64          `json:"parameters"`
	Bytes        int64          `json:"bytes,omitempty"` // of the tensors
	Types        map[string]int `json:"types"`           // tensors by type
	Context      int            `json:"context,omitempty"`
	Layers       int            `json:"layers,omitempty"`
	Hidden       int            `json:"hidden,omitempty"`
	Heads        int            `json:"heads,omitempty"`
	KVHeads      int            `json:"kv_heads,omitempty"`
	Vocab        int            `json:"vocab,omitempty"`
	Tied         bool           `json:"tied_embeddings,omitempty"`
	Rope         string         `json:"rope_scaling,omitempty"`
	// Window is how many positions the layers in WindowLayers attend to.
	Window       int          `json:"sliding_window,omitempty"`
	WindowLayers []int        `json:"sliding_window_layers,omitempty"`
	ChatTemplate bool         `json:"chat_template,omitempty"`
	Hash         string       `json:"hash,omitempty"`
	Tensors      []tensorInfo `json:"tensors,omitempty"`
}

type tensorInfo struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

func (i *fileInfo) tensor(name, typ string, shape []int) {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	i.Parameters += n
	if i.Types == nil {
		i.Types = map[string]int{}
	}
	i.Types[typ]++
	i.Tensors = append(i.Tensors, tensorInfo{name, typ, shape})
}

func (i *fileInfo) model(c llama.Config) {
	i.Architecture, i.Context, i.Layers, i.Hidden = c.ModelType, c.MaxPositions, c.Layers, c.HiddenSize
	i.Heads, i.KVHeads, i.Vocab, i.Tied, i.Rope = c.Heads, c.KVHeads, c.VocabSize, c.TieEmbeddings, c.RopeScaling.Type
	i.Parameters = c.ParamCount()
	i.Window = c.SlidingWindow
	for l := range c.Layers {
		if c.Window(l) > 0 {
			i.WindowLayers = append(i.WindowLayers, l)
		}
	}
}

func modelInspect(c *cli) *cobra.Command {
	var tensors bool
	cmd := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Show what a model or adapter is, without loading it",
		Long: `Inspect reads a Hugging Face folder, a GGUF file, a PEFT adapter's folder or one
safetensors file. A GGUF file of another architecture or quantisation is listed, and
the reason why it cannot be served is given.`,
		Example: "  openledger model inspect ./Llama-3.2-1B\n  openledger model inspect llama.gguf --tensors --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			info, err := inspect(args[0])
			if err != nil {
				return err
			}
			if !tensors {
				defer func(all []tensorInfo) { info.Tensors = all }(info.Tensors)
				info.Tensors = nil
			}
			return c.print(info, func(w io.Writer) { showInfo(w, info) })
		},
	}
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list every tensor")
	return cmd
}

func isAdapterFolder(path string) bool {
	_, err := os.Stat(filepath.Join(path, weights.AdapterConfigFile))
	return err == nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func inspect(path string) (*fileInfo, error) {
	i := &fileInfo{Path: path, Kind: "model"}
	switch {
	case isAdapterFolder(path):
		return i, i.peft(path)
	case isFolder(path):
		return i, i.folder(path)
	case strings.HasSuffix(path, ".safetensors"):
		i.Format, i.Kind = "safetensors", "tensors"
		return i, i.safetensors(path)
	}
	return i, i.gguf(path)
}

func (i *fileInfo) folder(path string) (err error) {
	b, err := weights.OpenPath(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	i.Format = string(b.Format)
	for _, t := range b.Tensors() {
		i.tensor(t.Name, string(t.DType), t.Shape)
	}
	i.model(b.Config)
	i.ChatTemplate, i.Hash = b.ChatTemplate != "", protocol.Hash(b.Hash).String()
	return nil
}

func (i *fileInfo) gguf(path string) (err error) {
	g, file, err := weights.OpenGGUF(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	i.Format = "gguf"
	for _, t := range g.Tensors() {
		i.tensor(t.Name, t.Type, t.Shape)
		i.Bytes += t.Bytes
	}
	if i.Architecture, err = g.Architecture(); err != nil {
		return err
	}
	if g.IsAdapter() {
		i.Kind = "adapter"
		return nil
	}
	b, err := weights.OpenPath(path)
	if err != nil { // it can be listed, not served
		i.Problem = err.Error()
		return nil
	}
	i.model(b.Config)
	i.ChatTemplate, i.Hash = b.ChatTemplate != "", protocol.Hash(b.Hash).String()
	return b.Close()
}

func (i *fileInfo) peft(path string) error {
	raw, err := os.ReadFile(filepath.Join(path, weights.AdapterConfigFile))
	if err != nil {
		return err
	}
	var conf struct {
		Rank int    `json:"r"`
		Type string `json:"peft_type"`
	}
	if err := json.Unmarshal(raw, &conf); err != nil {
		return fmt.Errorf("%s: %w", weights.AdapterConfigFile, err)
	}
	i.Format, i.Kind, i.Architecture = "peft", "adapter", fmt.Sprintf("%s of rank %d", conf.Type, conf.Rank)
	return i.safetensors(filepath.Join(path, weights.AdapterWeightsFile))
}

func (i *fileInfo) safetensors(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	sf, err := weights.ParseSafetensors(f, st.Size(), path)
	if err != nil {
		return err
	}
	for _, t := range sf.Tensors() {
		i.tensor(t.Name, string(t.DType), t.Shape)
	}
	i.Bytes = st.Size()
	return nil
}

func showInfo(w io.Writer, i *fileInfo) {
	t := newTable(w)
	row := func(name string, v any) {
		if s := fmt.Sprint(v); s != "" && s != "0" && s != "false" {
			t.AppendRow([]any{name, s})
		}
	}
	row(i.Kind, i.Path)
	row("format", i.Format)
	row("architecture", i.Architecture)
	row("parameters", i.Parameters)
	row("tensors", typeCounts(i.Types))
	row("bytes", i.Bytes)
	row("layers", i.Layers)
	row("hidden size", i.Hidden)
	if i.Heads > 0 {
		row("heads", fmt.Sprintf("%d, %d for keys and values", i.Heads, i.KVHeads))
	}
	row("vocabulary", i.Vocab)
	row("context", i.Context)
	if i.Window > 0 {
		row("sliding window", fmt.Sprintf("%d positions, in %d of %d layers", i.Window, len(i.WindowLayers), i.Layers))
	}
	row("rope scaling", i.Rope)
	row("tied embeddings", i.Tied)
	row("chat template", i.ChatTemplate)
	row("hash", i.Hash)
	row("cannot be served", i.Problem)
	t.Render()
	if len(i.Tensors) > 0 {
		t := newTable(w, "tensor", "type", "shape")
		for _, x := range i.Tensors {
			t.AppendRow([]any{x.Name, x.Type, fmt.Sprint(x.Shape)})
		}
		t.Render()
	}
}

func typeCounts(types map[string]int) string {
	names := make([]string, 0, len(types))
	for n := range types {
		names = append(names, n)
	}
	sort.Strings(names)
	for k, n := range names {
		names[k] = fmt.Sprintf("%d %s", types[n], n)
	}
	return strings.Join(names, ", ")
}

func modelVerify(c *cli) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "verify PATH",
		Short: "Read all of a model or adapter and check it",
		Long: `Verify checks that every parameter is there, in its shape and with finite values, and
that the tokenizer fits the model. An adapter is checked against its base. It ends
with an error that names the tensor if anything is wrong.`,
		Example: "  openledger model verify llama.gguf\n  openledger model verify ./adapter --base ./Llama-3.2-1B",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			if isAdapter(args[0]) {
				a, err := openAdapter(args[0], base)
				if err != nil {
					return err
				}
				return c.print(map[string]any{"path": args[0], "ok": true, "pairs": len(a.Pairs), "max_rank": a.MaxRank()}, func(w io.Writer) {
					fmt.Fprintf(w, "%s is sound: %d changes, ranks up to %d\n", args[0], len(a.Pairs), a.MaxRank())
				})
			}
			b, err := weights.OpenPath(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.Close()) }()
			bar := newBar(c.err, "reading tensors", 0)
			defer bar.stop()
			if err := b.Verify(bar.progress("reading tensors")); err != nil {
				return err
			}
			bar.stop()
			hash := protocol.Hash(b.Hash).String()
			return c.print(map[string]any{"path": args[0], "ok": true, "parameters": b.Config.ParamCount(), "hash": hash}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is sound: %d parameters\nhash %s\n", args[0], b.Config.ParamCount(), hash)
			})
		},
	}
	cmd.Flags().StringVar(&base, "base", "", "base model of an adapter")
	return cmd
}

// isAdapter says whether a path is an adapter of either format.
func isAdapter(path string) bool {
	if isFolder(path) {
		return isAdapterFolder(path)
	}
	g, file, err := weights.OpenGGUF(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // read only
	return g.IsAdapter()
}

// openAdapter reads an adapter of either format.
func openAdapter(path, base string) (_ *lora.Adapter, err error) {
	cfg, err := baseConfig(base)
	if err != nil {
		return nil, err
	}
	if isFolder(path) {
		return weights.ReadPEFT(os.DirFS(path), cfg.Geometry())
	}
	g, file, err := weights.OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return g.Adapter(cfg)
}

func baseConfig(base string) (llama.Config, error) {
	if base == "" {
		return llama.Config{}, protocol.Errorf(protocol.KindInvalid, "base", "an adapter is read for its base model: name it with --base")
	}
	return weights.ReadConfig(base)
}
