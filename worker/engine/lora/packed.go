package lora

import (
	"fmt"
	"sync/atomic"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// Packed is an adapter in a backend's memory, ready to serve. It is immutable: its values are transposed copies, which
// take exactly as much memory as the adapter's own.
type Packed struct {
	key     string
	rank    int
	bytes   int64
	geom    Geometry
	backend tensor.Backend
	buf     tensor.Buffer
	pairs   [][NumModules]packedPair
	freed   atomic.Bool
}

type packedPair struct {
	a, b  tensor.Mat // [in, rank], [rank, out]
	scale float32
}

// Pack copies an adapter into a backend's memory. key identifies its content (a CID or a hash).
func Pack(b tensor.Backend, key string, a *Adapter) (*Packed, error) {
	buf, err := b.Alloc(len(a.Flat))
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", key, err)
	}
	p := &Packed{key: key, rank: a.MaxRank(), bytes: int64(len(a.Flat)) * 4, geom: a.Geom, backend: b, buf: buf,
		pairs: make([][NumModules]packedPair, a.Geom.Layers)}
	off := 0
	put := func(rows, cols int, src []float32) tensor.Mat { // src is [cols, rows]
		t := make([]float32, len(src))
		for j := range cols {
			for i := range rows {
				t[i*cols+j] = src[j*rows+i]
			}
		}
		b.Upload(buf, off, t)
		m := tensor.Mat{Buf: buf, Off: off, Rows: rows, Cols: cols, Stride: cols}
		off += len(src)
		return m
	}
	for i := range a.Pairs {
		x := &a.Pairs[i]
		p.pairs[x.Layer][x.Module] = packedPair{
			a: put(x.Shape.In, x.Rank, x.A), b: put(x.Rank, x.Shape.Out, x.B), scale: x.Scale,
		}
	}
	if err := b.Sync(); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", key, err)
	}
	return p, nil
}

// Key identifies the content.
func (p *Packed) Key() string { return p.key }

// Rank is the largest rank.
func (p *Packed) Rank() int { return p.rank }

// Bytes is the memory taken.
func (p *Packed) Bytes() int64 { return p.bytes }

// Geometry is that of the base model it was made for.
func (p *Packed) Geometry() Geometry { return p.geom }

// Free gives the memory back. The adapter must not be in use.
func (p *Packed) Free() {
	if p.freed.CompareAndSwap(false, true) {
		p.backend.Free(p.buf)
	}
}

// Use is a run of rows of a batch that one adapter applies to.
type Use struct {
	Row, Rows int
	Adapter   *Packed
}

// Segments appends to segs the low-rank products of one layer's module for a batch; runs whose adapter leaves the module
// alone are left out.
func Segments(segs []tensor.LoraSegment, uses []Use, layer int, m Module) []tensor.LoraSegment {
	for _, u := range uses {
		p := &u.Adapter.pairs[layer][m]
		if p.a.Buf == nil {
			continue
		}
		segs = append(segs, tensor.LoraSegment{Row: u.Row, Rows: u.Rows, A: p.a, B: p.b, Scale: p.scale})
	}
	return segs
}

// AddUse appends a run of rows, joining it to the run before if they touch and share the adapter.
func AddUse(uses []Use, row, rows int, a *Packed) []Use {
	if a == nil || rows == 0 {
		return uses
	}
	if n := len(uses); n > 0 && uses[n-1].Adapter == a && uses[n-1].Row+uses[n-1].Rows == row {
		uses[n-1].Rows += rows
		return uses
	}
	return append(uses, Use{Row: row, Rows: rows, Adapter: a})
}
