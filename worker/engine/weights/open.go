package weights

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/openledger/openledger/worker/engine/model/llama"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tokenizer"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

// Source is an open model's weights.
type Source interface {
	llama.EncodedSource
	// Tensors lists all tensors by name.
	Tensors() []Info
	Close() error
}

// OpenPath opens a model: a Hugging Face folder, or a GGUF file. Close it when the
// weights have been loaded.
func OpenPath(path string) (*Bundle, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("model: %w", err)
	case st.IsDir():
		b, err := Open(os.DirFS(path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return b, nil
	case strings.HasSuffix(path, ".safetensors"):
		return nil, fmt.Errorf("%s is only a part of a model: name the folder that it is in", path)
	}
	return openGGUF(path)
}

// ReadConfig reads a model's configuration only.
func ReadConfig(path string) (_ llama.Config, err error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		raw, err := readFile(os.DirFS(path), ConfigFile, maxConfig, map[string][32]byte{})
		if err != nil {
			return llama.Config{}, fmt.Errorf("%s: %w", path, err)
		}
		return llama.ParseConfig(raw)
	}
	g, file, err := OpenGGUF(path)
	if err != nil {
		return llama.Config{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return g.Config()
}

// ggufWeights are the weights of a GGUF file by their Hugging Face names.
type ggufWeights struct {
	*gguf.Source
	file io.Closer
}

func (w ggufWeights) Close() error { return w.file.Close() }

// Tensors lists the parameters; their type is the file's.
func (w ggufWeights) Tensors() []Info {
	var out []Info
	for _, p := range w.Parameters() {
		out = append(out, Info{Name: p.Name, DType: DType(p.Type), Shape: p.Shape})
	}
	return out
}

// OpenGGUF opens a GGUF file of any kind, without its content's being a model that
// can be run.
func OpenGGUF(path string) (*gguf.File, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	g, err := gguf.Parse(f, st.Size(), path)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return g, f, nil
}

func openGGUF(path string) (_ *Bundle, err error) {
	g, file, err := OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	src, err := g.Source()
	if err != nil {
		return nil, err
	}
	desc, err := g.Tokenizer()
	if err != nil {
		return nil, err
	}
	raw, err := desc.JSON()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	tok, err := tokenizer.Load(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(g, 0, g.Size())); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// The name of the file says nothing: the same content is the same model.
	hash := combine(map[string][32]byte{"model.gguf": [32]byte(h.Sum(nil))})
	b := &Bundle{Source: ggufWeights{Source: src, file: file}, Format: FormatGGUF, Config: src.Config(), Tokenizer: tok, Hash: hash,
		ChatTemplate: desc.ChatTemplate, TokenizerJSON: raw}
	name := func(id int) string {
		if id < 0 || id >= len(desc.Tokens) {
			return ""
		}
		return desc.Tokens[id]
	}
	b.BOS, b.EOS = name(desc.BOS), name(desc.EOS)
	if err := tok.SetChat(b.chat()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Encoded reads one tensor as it is stored.
func (w *Weights) Encoded(name string) (quant.Type, []byte, []int, error) {
	i, ok := w.where[name]
	if !ok {
		return 0, nil, nil, fmt.Errorf("tensor %q: %w", name, ErrNoTensor)
	}
	return w.files[i].Encoded(name)
}

// Encoded reads one tensor as it is stored.
func (f *File) Encoded(name string) (quant.Type, []byte, []int, error) {
	info, ok := f.Info(name)
	if !ok {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrNoTensor)
	}
	t, err := info.DType.quant()
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
	}
	b := make([]byte, info.end-info.begin) // bounded: the bytes were found in the file
	if n, err := f.r.ReadAt(b, info.begin); n < len(b) {
		return 0, nil, nil, fmt.Errorf("%s: tensor %q: read: %w", f.name, name, err)
	}
	return t, b, info.Shape, nil
}

func (d DType) quant() (quant.Type, error) {
	switch d {
	case F32:
		return quant.F32, nil
	case F16:
		return quant.F16, nil
	case BF16:
		return quant.BF16, nil
	}
	return 0, fmt.Errorf("dtype %s is not supported (F32, F16, BF16)", d)
}
