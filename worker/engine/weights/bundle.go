package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"strings"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/tokenizer"
)

// Files of a model folder.
const (
	ConfigFile          = "config.json"
	WeightsFile         = "model.safetensors"
	IndexFile           = "model.safetensors.index.json"
	TokenizerFile       = "tokenizer.json"
	TokenizerConfigFile = "tokenizer_config.json"
	ChatTemplateFile    = "chat_template.jinja"
)

const (
	maxConfig = 1 << 20
	// Some tokenizers list thousands of added tokens there.
	maxTokenizerConfig = 16 << 20
	maxIndex           = 64 << 20
	maxShards          = 4096
)

// Weights are the open weight files of a model folder: a llama.WeightSource.
type Weights struct {
	files   []*File
	where   map[string]int // tensor -> file
	closers []io.Closer
	sums    map[string][32]byte // sha256 of what was read
}

var _ Source = (*Weights)(nil)

// OpenWeights opens model.safetensors, or the files that
// model.safetensors.index.json lists.
func OpenWeights(fsys fs.FS) (*Weights, error) {
	w := &Weights{where: map[string]int{}, sums: map[string][32]byte{}}
	shards, err := listShards(fsys, w.sums)
	for i := 0; i < len(shards) && err == nil; i++ {
		err = w.openShard(fsys, shards[i])
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Format is how a model is stored.
type Format string

// The formats of models.
const (
	FormatHF   Format = "hf"
	FormatGGUF Format = "gguf"
)

// Bundle is an open model: configuration, weights and tokenizer.
type Bundle struct {
	Source
	Format    Format
	Config    llama.Config
	Tokenizer *tokenizer.Tokenizer
	// TokenizerJSON is the tokenizer.json, or one that does what a GGUF file describes.
	TokenizerJSON []byte
	// ChatTemplate is the Jinja template that the model came with, empty if none did.
	ChatTemplate string
	// BOS and EOS are the tokens that begin and end a text, empty if the model names none.
	BOS, EOS string
	// Hash identifies the content. Of a folder it is sha256 over the names and sha256
	// of all files that were read, sorted by name; of a GGUF file the same, as if its
	// name were model.gguf.
	Hash [32]byte
}

// Open opens a model folder. Close it when the weights have been loaded.
func Open(fsys fs.FS) (*Bundle, error) {
	b := &Bundle{Format: FormatHF}
	if err := b.open(fsys); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Bundle) open(fsys fs.FS) error {
	sums := map[string][32]byte{}
	raw, err := readFile(fsys, ConfigFile, maxConfig, sums)
	if err != nil {
		return err
	}
	if b.Config, err = llama.ParseConfig(raw); err != nil {
		return err
	}
	if b.TokenizerJSON, err = readFile(fsys, TokenizerFile, tokenizer.MaxFileSize, sums); err != nil {
		return err
	}
	if b.Tokenizer, err = tokenizer.Load(b.TokenizerJSON); err != nil {
		return err
	}
	if err = b.readTokenizerConfig(fsys, sums); err != nil {
		return err
	}
	if err = b.Tokenizer.SetChat(b.chat()); err != nil {
		return err
	}
	w, err := OpenWeights(fsys)
	if err != nil {
		return err
	}
	b.Source = w
	for name, sum := range w.sums { // combine sorts
		sums[name] = sum
	}
	b.Hash = combine(sums)
	return nil
}

// chat is what the model's files say about chats.
func (b *Bundle) chat() tokenizer.ChatConfig {
	return tokenizer.ChatConfig{Template: b.ChatTemplate, BOS: b.BOS, EOS: b.EOS}
}

// tokenText is a token's spelling: a string, or an object with it.
type tokenText string

func (t *tokenText) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = tokenText(s)
		return nil
	}
	var o struct {
		Content string `json:"content"`
	}
	err := json.Unmarshal(data, &o)
	*t = tokenText(o.Content)
	return err
}

// readTokenizerConfig finds special tokens and the chat template, which may be in a
// file of its own, or a list of named ones.
func (b *Bundle) readTokenizerConfig(fsys fs.FS, sums map[string][32]byte) error {
	var c struct {
		BOS      tokenText       `json:"bos_token"`
		EOS      tokenText       `json:"eos_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	raw, err := readFile(fsys, TokenizerConfigFile, maxTokenizerConfig, sums)
	if err == nil {
		err = json.Unmarshal(raw, &c)
		if err != nil {
			err = fmt.Errorf("%s: %w", TokenizerConfigFile, err)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.BOS, b.EOS = string(c.BOS), string(c.EOS)
	own, err := readFile(fsys, ChatTemplateFile, maxConfig, sums)
	if err == nil {
		b.ChatTemplate = string(own)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var list []struct{ Name, Template string }
	switch {
	case len(c.Template) == 0 || json.Unmarshal(c.Template, &b.ChatTemplate) == nil:
		return nil
	case json.Unmarshal(c.Template, &list) != nil:
		return fmt.Errorf("%s: chat_template is neither a text nor a list of named ones", TokenizerConfigFile)
	}
	for _, t := range list {
		if t.Name == "default" {
			b.ChatTemplate = t.Template
		}
	}
	return nil
}

// listShards names the weight files.
func listShards(fsys fs.FS, sums map[string][32]byte) ([]string, error) {
	raw, err := readFile(fsys, IndexFile, maxIndex, sums)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{WeightsFile}, nil
	}
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", IndexFile, err)
	}
	seen := map[string]bool{}
	var out []string
	for _, file := range index.WeightMap { // sorted below
		if !seen[file] {
			seen[file] = true
			out = append(out, file)
		}
	}
	if len(out) == 0 || len(out) > maxShards {
		return nil, fmt.Errorf("%s: weight_map names %d files; want 1 to %d", IndexFile, len(out), maxShards)
	}
	sort.Strings(out)
	for _, file := range out {
		if !fs.ValidPath(file) || strings.Contains(file, "/") || !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("%s: weight_map: %q is not a safetensors file in the same folder", IndexFile, file)
		}
	}
	return out, nil
}

func (w *Weights) openShard(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.closers = append(w.closers, f)
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(f, st.Size()))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r = bytes.NewReader(data)
	}
	sf, err := ParseSafetensors(r, st.Size(), name)
	if err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, st.Size())); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.sums[name] = [32]byte(h.Sum(nil))
	for _, t := range sf.tensors {
		if at, dup := w.where[t.Name]; dup {
			return fmt.Errorf("%s: tensor %q: is in %s too", name, t.Name, w.files[at].name)
		}
		w.where[t.Name] = len(w.files)
	}
	w.files = append(w.files, sf)
	return nil
}

// Tensor reads one tensor by its Hugging Face name.
func (w *Weights) Tensor(name string) ([]float32, []int, error) {
	i, ok := w.where[name]
	if !ok {
		return nil, nil, fmt.Errorf("tensor %q: %w", name, ErrNoTensor)
	}
	return w.files[i].Tensor(name)
}

// Tensors lists all tensors by name.
func (w *Weights) Tensors() []Info {
	var out []Info
	for _, f := range w.files {
		out = append(out, f.tensors...)
	}
	slices.SortFunc(out, func(x, y Info) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// HashString is the hash in hexadecimal.
func (b *Bundle) HashString() string { return hex.EncodeToString(b.Hash[:]) }

// Close closes the files. Tensors that were read stay valid.
func (w *Weights) Close() error {
	var errs []error
	for _, c := range w.closers {
		errs = append(errs, c.Close())
	}
	w.closers = nil
	return errors.Join(errs...)
}

func readFile(fsys fs.FS, name string, limit int64, sums map[string][32]byte) (data []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: is larger than the %d bytes allowed", name, limit)
	}
	sums[name] = sha256.Sum256(data)
	return data, nil
}

func combine(sums map[string][32]byte) [32]byte {
	names := make([]string, 0, len(sums))
	for n := range sums {
		names = append(names, n)
	}
	sort.Strings(names)
	h := sha256.New()
	for _, n := range names {
		s := sums[n]
		h.Write([]byte(n + "\x00"))
		h.Write(s[:])
	}
	return [32]byte(h.Sum(nil))
}
