package llama

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/worker/engine/lora"
	"github.com/openledger/openledger/worker/engine/nn"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// EncodedSource is a WeightSource that can give a tensor as it is stored, so that nothing is decoded on the way to a
// backend that keeps the format. raw may be memory of the source; it is not changed, and not used after the call that
// asked for it.
type EncodedSource interface {
	WeightSource
	Encoded(name string) (t quant.Type, raw []byte, shape []int, err error)
}

// load puts one parameter in its place.
func (m *Model) load(src WeightSource, p NamedShape) error {
	lin, val, grad := m.place(p.Name)
	matrix := val == nil || val == &m.embed
	if enc, ok := src.(EncodedSource); ok && matrix && !m.opt.Trainable {
		t, raw, shape, err := enc.Encoded(p.Name)
		if err == nil {
			err = checkShape(p, shape)
		}
		if err == nil {
			err = m.keep(p, lin, t, raw)
		}
		if err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		return nil
	}
	data, shape, err := src.Tensor(p.Name)
	if err != nil {
		return fmt.Errorf("tensor %s: %w", p.Name, err)
	}
	if err := checkShape(p, shape); err != nil {
		return fmt.Errorf("tensor %s: %w", p.Name, err)
	}
	rows, cols := p.dims()
	if len(data) != rows*cols {
		return fmt.Errorf("tensor %s has %d values, its shape %v needs %d", p.Name, len(data), p.Shape, rows*cols)
	}
	if matrix && !m.opt.Trainable {
		if m.opt.Weights != nil {
			raw, err := encodeRows(*m.opt.Weights, rows, cols, func(dst []float32, from int) error {
				copy(dst, data[from*cols:])
				return nil
			})
			if err == nil {
				err = m.keep(p, lin, *m.opt.Weights, raw)
			}
			if err != nil {
				return fmt.Errorf("tensor %s: %w", p.Name, err)
			}
			return nil
		}
		w, err := m.backend.Pack(rows, cols, data)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		m.hold(lin, w)
		return nil
	}
	linear := lin != nil && val == nil
	if linear {
		if lin.W, err = m.backend.Pack(rows, cols, data); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		m.count(lin.W)
		val, grad = &lin.Rows, &lin.Grad
	}
	if *val, err = nn.Upload(m.backend, rows, cols, data); err != nil {
		return fmt.Errorf("tensor %s: %w", p.Name, err)
	}
	m.bytes += int64(len(data)) * 4
	if m.opt.Trainable {
		if *grad, err = nn.Zeros(m.backend, rows, cols); err != nil {
			return fmt.Errorf("tensor %s: %w", p.Name, err)
		}
		m.bytes += int64(len(data)) * 4
		m.params = append(m.params, Param{Name: p.Name, Shape: p.Shape, Data: val.Host(), Grad: grad.Host()})
		if linear {
			m.repacks = append(m.repacks, repack{lin.W, lin.Rows})
		}
	}
	return nil
}

func (p NamedShape) dims() (rows, cols int) {
	if len(p.Shape) == 2 {
		return p.Shape[0], p.Shape[1]
	}
	return 1, p.Shape[0]
}

func checkShape(p NamedShape, shape []int) error {
	if !slices.Equal(p.Shape, shape) {
		return fmt.Errorf("its shape is %v, the configuration asks for %v", shape, p.Shape)
	}
	return nil
}

// keep packs a matrix of format t in the format that the model is to have.
func (m *Model) keep(p NamedShape, lin *nn.Linear, t quant.Type, raw []byte) error {
	rows, cols := p.dims()
	size, err := quant.RowBytes(t, cols)
	if err != nil {
		return err
	}
	if len(raw) != rows*size {
		return fmt.Errorf("%d bytes of %v for %d rows of %d values, which take %d each", len(raw), t, rows, cols, size)
	}
	if m.opt.Weights != nil && *m.opt.Weights != t {
		from := raw
		raw, err = encodeRows(*m.opt.Weights, rows, cols, func(dst []float32, row int) error {
			return quant.Decode(t, dst, from[row*size:][:len(dst)/cols*size])
		})
		if err != nil {
			return err
		}
		t = *m.opt.Weights
	}
	w, err := m.backend.PackEncoded(rows, cols, t, raw)
	if err != nil {
		return err
	}
	m.hold(lin, w)
	return nil
}

// encodeRows encodes a matrix, a few rows at a time.
func encodeRows(t quant.Type, rows, cols int, read func(dst []float32, row int) error) ([]byte, error) {
	size, err := quant.RowBytes(t, cols)
	if err != nil {
		return nil, fmt.Errorf("converting the weights: %w", err)
	}
	const chunk = 64
	out, buf := make([]byte, rows*size), make([]float32, min(chunk, rows)*cols)
	for r := 0; r < rows; r += chunk {
		n := min(chunk, rows-r)
		if err := read(buf[:n*cols], r); err != nil {
			return nil, err
		}
		if err := quant.Encode(t, out[r*size:][:n*size], buf[:n*cols]); err != nil {
			return nil, fmt.Errorf("converting the weights: %w", err)
		}
	}
	return out, nil
}

// hold takes a packed matrix: the weight of a linear map, or the embeddings.
func (m *Model) hold(lin *nn.Linear, w tensor.Weight) {
	m.count(w)
	if lin == nil {
		m.table = w
		return
	}
	lin.W = w
}

func (m *Model) count(w tensor.Weight) {
	m.bytes += w.Bytes()
	m.kept[w.Type()] += w.Bytes()
}

// tieHead makes the output map of the embeddings.
func (m *Model) tieHead() error {
	if !m.opt.Trainable {
		m.head.W = m.table
		return nil
	}
	data := make([]float32, m.cfg.VocabSize*m.cfg.HiddenSize)
	m.backend.Download(data, m.embed.Buf, 0)
	w, err := m.backend.Pack(m.cfg.VocabSize, m.cfg.HiddenSize, data)
	if err != nil {
		return fmt.Errorf("tied lm_head: %w", err)
	}
	m.head = nn.Linear{W: w, Rows: m.embed, Grad: m.embedGrad}
	m.count(w)
	m.repacks = append(m.repacks, repack{w, m.embed})
	return nil
}

// embeddings sets x to those of the tokens.
func (m *Model) embeddings(x tensor.Mat, ids []int32) {
	if m.table != nil {
		m.backend.GatherWeight(x, m.table, ids)
		return
	}
	m.backend.Gather(x, m.embed, ids)
}

// place finds where a parameter lives: the linear map (for its weight), or the matrix and its gradient.
func (m *Model) place(name string) (lin *nn.Linear, val, grad *tensor.Mat) {
	norm := func(n *nn.Norm) (*nn.Linear, *tensor.Mat, *tensor.Mat) {
		n.Eps = float32(m.cfg.RMSEps)
		return nil, &n.W, &n.Grad
	}
	switch name {
	case "model.embed_tokens.weight":
		return nil, &m.embed, &m.embedGrad
	case "model.norm.weight":
		return norm(&m.norm)
	case "lm_head.weight":
		return &m.head, nil, nil
	}
	var l int
	var rest string
	if _, err := fmt.Sscanf(name, "model.layers.%d.%s", &l, &rest); err != nil {
		panic("llama: no place for " + name)
	}
	ly := &m.layers[l]
	switch rest {
	case "input_layernorm.weight":
		return norm(&ly.attnNorm)
	case "post_attention_layernorm.weight":
		return norm(&ly.mlpNorm)
	case "self_attn.q_norm.weight":
		return norm(&ly.qNorm)
	case "self_attn.k_norm.weight":
		return norm(&ly.kNorm)
	}
	dot := strings.LastIndexByte(rest, '.')
	mod, err := lora.ParseModule(rest[:dot])
	if err != nil {
		panic("llama: no place for " + name)
	}
	lin = &ly.lin[mod]
	if rest[dot:] == ".bias" {
		return lin, &lin.Bias, &lin.BiasGrad
	}
	return lin, nil, nil
}
