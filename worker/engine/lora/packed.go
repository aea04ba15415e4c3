package lora

import (
	"fmt"
	"sync/atomic"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// Input is what some of a layer's linear maps have in common: maps that read the same values are computed together.
type Input int

// The inputs, in the order in which a layer needs them.
const (
	AttnIn  Input = iota // q, k and v
	AttnOut              // o
	MLPIn                // gate and up
	MLPOut               // down
	NumInputs
)

var readers = [NumInputs][]Module{{QProj, KProj, VProj}, {OProj}, {GateProj, UpProj}, {DownProj}}

// Modules are the maps that read it.
func (in Input) Modules() []Module { return readers[in] }

// Group is the number of a layer's input in a packed adapter.
func (in Input) Group(layer int) int { return layer*int(NumInputs) + int(in) }

// Packed is an adapter in a backend's memory, ready to serve. It is immutable, and a copy: it stays when the adapter that
// it was made from goes. A backend may keep values in fewer bytes where that loses nothing, so it takes about as much
// memory as the adapter's file.
type Packed struct {
	key     string
	rank    int
	bytes   int64
	geom    Geometry
	backend tensor.Backend
	pack    tensor.LoraPack
	freed   atomic.Bool
}

// Pack copies an adapter into a backend's memory. key identifies its content (a CID or a hash).
func Pack(b tensor.Backend, key string, a *Adapter) (*Packed, error) {
	groups := make([]tensor.LoraGroup, a.Geom.Layers*int(NumInputs))
	for l := range a.Geom.Layers {
		for in := range NumInputs {
			g := &groups[in.Group(l)]
			for _, m := range in.Modules() {
				part := tensor.LoraPart{Out: a.Geom.Shapes[m].Out}
				if p := a.Pair(l, m); p != nil {
					part.Rank, part.Scale, part.A, part.B = p.Rank, p.Scale, p.A, p.B
				}
				g.In, g.Parts = a.Geom.Shapes[m].In, append(g.Parts, part)
			}
		}
	}
	pack, err := b.PackLora(groups)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", key, err)
	}
	if err := b.Sync(); err != nil {
		return nil, fmt.Errorf("adapter %s: %w", key, err)
	}
	return &Packed{key: key, rank: a.MaxRank(), bytes: pack.Bytes(), geom: a.Geom, backend: b, pack: pack}, nil
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
		p.backend.FreeLora(p.pack)
	}
}

// Use is a run of rows of a batch that one adapter applies to.
type Use struct {
	Row, Rows int
	Adapter   *Packed
}

// Segments appends a batch's uses to segs in the backend's terms.
func Segments(segs []tensor.LoraSegment, uses []Use) []tensor.LoraSegment {
	for _, u := range uses {
		segs = append(segs, tensor.LoraSegment{Row: u.Row, Rows: u.Rows, Pack: u.Adapter.pack})
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

// PackedBytes is what Pack will take at most.
func PackedBytes(a *Adapter) int64 {
	n := int64(256 + a.Geom.Layers*1024) // tables and alignment
	for i := range a.Pairs {
		p := &a.Pairs[i]
		n += 4 * int64(p.Rank) * int64(p.Shape.In+(p.Shape.Out+15)/16*16)
	}
	return n
}
