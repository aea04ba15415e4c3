package cpu

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// loraKind is how an adapter's values are kept: in the narrowest type that holds every one of them exactly. Most
// adapters come in two bytes a value; reading them from memory is most of the cost of a decode step with many adapters.
type loraKind int

const (
	loraF32 loraKind = iota
	loraBF16
	loraF16
)

// loraPack holds an adapter in one piece of memory, in the order in which it is read: of each group first A, k-major with
// the columns of all parts side by side, then each part's B in panels of 16 columns, k-major.
type loraPack struct {
	serial uint64 // orders packs
	kind   loraKind
	f32    []float32
	u16    []uint16
	groups []packedGroup
}

type packedGroup struct {
	in, rank int // rank is the sum of the parts'
	a        int // where A begins
	parts    []packedPart
}

type packedPart struct {
	rank, out int
	col       int // first column of A
	b         int // where B begins
	scale     float32
}

var loraSerial atomic.Uint64

const (
	// loraAlign is the multiple at which each matrix begins, so that vectors cross few cache lines.
	loraAlign = 16
	// loraSlack is how far the kernels read past the end of A.
	loraSlack = 64
)

// Bytes counts values and tables.
func (p *loraPack) Bytes() int64 {
	n := int64(len(p.f32))*4 + int64(len(p.u16))*2
	for i := range p.groups {
		n += 48 + int64(len(p.groups[i].parts))*40
	}
	return n
}

// PackLora lays an adapter out for Lora.
func (b *Backend) PackLora(groups []tensor.LoraGroup) (tensor.LoraPack, error) {
	p := &loraPack{serial: loraSerial.Add(1), kind: loraKindOf(groups), groups: make([]packedGroup, len(groups))}
	at := 0
	take := func(n int) (from int) {
		from = at
		at += (n + loraAlign - 1) / loraAlign * loraAlign
		return from
	}
	for i, g := range groups {
		d := &p.groups[i]
		d.in, d.parts = g.In, make([]packedPart, len(g.Parts))
		for j, q := range g.Parts {
			if q.Rank < 0 || q.Out < 1 || g.In < 1 || len(q.A) != q.Rank*g.In || len(q.B) != q.Rank*q.Out {
				return nil, fmt.Errorf("cpu: map %d of group %d: a pair of %d x %d x %d cannot have %d and %d values", j, i, q.Out, q.Rank, g.In, len(q.A), len(q.B))
			}
			d.parts[j] = packedPart{rank: q.Rank, out: q.Out, col: d.rank, scale: q.Scale}
			d.rank += q.Rank
		}
		d.a = take(g.In * d.rank)
		for j := range d.parts {
			d.parts[j].b = take(packedLen(d.parts[j].out, d.parts[j].rank))
		}
	}
	switch at += loraSlack; p.kind {
	case loraF32:
		p.f32 = make([]float32, at)
		fillLora(p, p.f32, groups, func(v float32) float32 { return v })
	case loraBF16:
		p.u16 = make([]uint16, at)
		fillLora(p, p.u16, groups, func(v float32) uint16 { return uint16(math.Float32bits(v) >> 16) })
	case loraF16:
		p.u16 = make([]uint16, at)
		fillLora(p, p.u16, groups, quant.ToF16)
	}
	return p, nil
}

// fillLora puts the values in their places.
func fillLora[T float32 | uint16](p *loraPack, dst []T, groups []tensor.LoraGroup, conv func(float32) T) {
	for i, g := range groups {
		d := &p.groups[i]
		for j, q := range g.Parts {
			t := &d.parts[j]
			for r := range q.Rank {
				col := dst[d.a+t.col+r:]
				for k, v := range q.A[r*g.In:][:g.In] {
					col[k*d.rank] = conv(v)
				}
			}
			for o := range q.Out {
				panel := dst[t.b+o/panelCols*panelCols*q.Rank+o%panelCols:]
				for r, v := range q.B[o*q.Rank:][:q.Rank] {
					panel[r*panelCols] = conv(v)
				}
			}
		}
	}
}

// FreeLora leaves the memory to the garbage collector.
func (b *Backend) FreeLora(tensor.LoraPack) {}

// loraKindOf finds the narrowest type that holds every value.
func loraKindOf(groups []tensor.LoraGroup) loraKind {
	bf16, f16 := true, true
	look := func(x []float32) {
		for i := 0; i < len(x) && (bf16 || f16); i++ {
			bits := math.Float32bits(x[i])
			bf16 = bf16 && bits&0xffff == 0
			if f16 {
				_, f16 = toF16(x[i])
			}
		}
	}
	for _, g := range groups {
		for _, q := range g.Parts {
			look(q.A)
			look(q.B)
		}
	}
	switch {
	case bf16:
		return loraBF16
	case f16:
		return loraF16
	}
	return loraF32
}

// toF16 is v as float16, and whether that is exact.
func toF16(v float32) (h uint16, exact bool) {
	h = quant.ToF16(v)
	return h, math.Float32bits(quant.FromF16(h)) == math.Float32bits(v)
}

// widen writes values [at, at+len(dst)) as float32.
func (p *loraPack) widen(dst []float32, at int) {
	switch p.kind {
	case loraF32:
		copy(dst, p.f32[at:])
	case loraBF16:
		for i, v := range p.u16[at:][:len(dst)] {
			dst[i] = math.Float32frombits(uint32(v) << 16)
		}
	case loraF16:
		for i, v := range p.u16[at:][:len(dst)] {
			dst[i] = quant.FromF16(v)
		}
	}
}
