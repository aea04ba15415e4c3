package tensortest

import (
	"fmt"
	"math"

	"github.com/openledger/openledger/worker/engine/tensor"
)

// shape of the attention cases: two query heads to each key-value head.
type attnShape struct {
	kvHeads, group, dim int
	spans               []tensor.Span
	rows                int
	window              int
}

var attnShapes = []attnShape{
	{2, 2, 6, []tensor.Span{{Row: 0, Rows: 1}, {Row: 1, Rows: 19}, {Row: 20, Rows: 50}}, 70, 0},
	{1, 3, 32, []tensor.Span{{Row: 0, Rows: 33}}, 33, 0},
	{1, 1, 6, []tensor.Span{{Row: 0, Rows: 20}}, 20, 1},
	{2, 2, 6, []tensor.Span{{Row: 0, Rows: 1}, {Row: 1, Rows: 19}, {Row: 20, Rows: 90}}, 110, 3},
	{1, 3, 32, []tensor.Span{{Row: 0, Rows: 150}, {Row: 150, Rows: 20}}, 170, 21},
	{2, 1, 8, []tensor.Span{{Row: 0, Rows: 40}}, 40, 39},
	{2, 1, 8, []tensor.Span{{Row: 0, Rows: 40}}, 40, 40},
}

// first is the first row of the span that its row i sees.
func (s attnShape) first(i int) int {
	if s.window == 0 {
		return 0
	}
	return max(0, i+1-s.window)
}

// reference is causal attention in float64.
func (s attnShape) reference(q, k, v []float64) []float64 {
	heads := s.kvHeads * s.group
	out := make([]float64, len(q))
	for _, sp := range s.spans {
		for h := range heads {
			kvh := h / s.group
			for i := range sp.Rows {
				row := ((sp.Row+i)*heads + h) * s.dim
				p, sum := make([]float64, i+1), 0.0
				for j := s.first(i); j <= i; j++ {
					kr := ((sp.Row+j)*s.kvHeads + kvh) * s.dim
					dot := 0.0
					for d := range s.dim {
						dot += q[row+d] * k[kr+d]
					}
					p[j] = math.Exp(dot / math.Sqrt(float64(s.dim)))
					sum += p[j]
				}
				for j := range p {
					vr := ((sp.Row+j)*s.kvHeads + kvh) * s.dim
					for d := range s.dim {
						out[row+d] += p[j] / sum * v[vr+d]
					}
				}
			}
		}
	}
	return out
}

func attentionCases() (cs []testCase) {
	for _, s := range attnShapes {
		heads := s.kvHeads * s.group
		qc, kc := heads*s.dim, s.kvHeads*s.dim
		q, k, v, dout := Random(s.rows*qc, 1), Random(s.rows*kc, 2), Random(s.rows*kc, 3), Random(s.rows*qc, 4)
		scale := float32(1 / math.Sqrt(float64(s.dim)))
		name := fmt.Sprintf("/%dx%dx%d", s.kvHeads, s.group, s.dim)
		if s.window > 0 {
			name += fmt.Sprintf("/window=%d", s.window)
		}
		want := func() []float64 { return s.reference(wide(q), wide(k), wide(v)) }
		zero := func(h *Host, cols int) tensor.Mat { return h.Mat(s.rows, cols, make([]float32, s.rows*cols)) }
		cs = append(cs, testCase{"CausalAttention" + name, func(h *Host) []float32 {
			out := zero(h, qc)
			h.b.CausalAttention(out, zero(h, 2*heads), h.Mat(s.rows, qc, q), h.Mat(s.rows, kc, k), h.Mat(s.rows, kc, v), s.dim, s.spans, scale, s.window)
			return h.Values(out)
		}, want})
		for _, page := range []int{16, 32, 48, 128} {
			for _, chunk := range []int{1, 7, 1000} {
				cs = append(cs, testCase{fmt.Sprintf("Attention%s/chunk=%d/page=%d", name, chunk, page), func(h *Host) []float32 {
					return s.paged(h, q, k, v, chunk, page, scale)
				}, want})
			}
		}
		cs = append(cs, testCase{"CausalAttentionGrad" + name, func(h *Host) []float32 {
			qm, km, vm, out, lse := h.Mat(s.rows, qc, q), h.Mat(s.rows, kc, k), h.Mat(s.rows, kc, v), zero(h, qc), zero(h, 2*heads)
			h.b.CausalAttention(out, lse, qm, km, vm, s.dim, s.spans, scale, s.window)
			dq, dk, dv := zero(h, qc), zero(h, kc), zero(h, kc)
			h.b.CausalAttentionGrad(dq, dk, dv, h.Mat(s.rows, qc, dout), out, lse, qm, km, vm, s.dim, s.spans, scale, s.window)
			return append(append(h.Values(dq), h.Values(dk)...), h.Values(dv)...)
		}, func() []float64 { return s.gradient(wide(q), wide(k), wide(v), wide(dout)) }})
	}
	return cs
}

// paged runs each span as a sequence over scattered pages, in chunks; several sequences at a time.
func (s attnShape) paged(h *Host, q, k, v []float32, chunk, page int, scale float32) []float32 {
	qc, kc := s.kvHeads*s.group*s.dim, s.kvHeads*s.dim
	const pages = 31
	cache := func() tensor.Buffer {
		b, err := h.b.Alloc(pages * kc * page)
		if err != nil {
			h.t.Fatal(err)
		}
		return b
	}
	kv := tensor.KVLayer{K: cache(), V: cache(), Pages: pages, PageTokens: page, Heads: s.kvHeads, HeadDim: s.dim, Window: s.window}
	tables := make([][]int32, len(s.spans))
	next := int32(0)
	for i, sp := range s.spans {
		for p := 0; p*page < sp.Rows; p++ {
			tables[i] = append(tables[i], next*7%pages)
			next++
		}
	}
	result := make([]float32, s.rows*qc)
	for from, left := 0, true; left; from += chunk {
		left = false
		var qs, ks, vs []float32
		var slots []int32
		var seqs []tensor.AttnSeq
		var rows []int
		for i, sp := range s.spans {
			n := min(chunk, sp.Rows-from)
			if n <= 0 {
				continue
			}
			left = true
			seqs = append(seqs, tensor.AttnSeq{Row: len(slots), Rows: n, Pos: from, Blocks: tables[i]})
			for p := from; p < from+n; p++ {
				r := sp.Row + p
				rows = append(rows, r)
				slots = append(slots, tables[i][p/page]*int32(page)+int32(p%page))
				qs, ks, vs = append(qs, q[r*qc:(r+1)*qc]...), append(ks, k[r*kc:(r+1)*kc]...), append(vs, v[r*kc:(r+1)*kc]...)
			}
		}
		if !left {
			break
		}
		out := h.Mat(len(rows), qc, make([]float32, len(rows)*qc))
		h.b.KVAppend(kv, h.Mat(len(rows), kc, ks), h.Mat(len(rows), kc, vs), slots)
		h.b.Attention(out, h.Mat(len(rows), qc, qs), kv, seqs, scale)
		for i, x := range h.Values(out) {
			result[rows[i/qc]*qc+i%qc] = x
		}
	}
	return result
}

// gradient is that of the reference, in float64.
func (s attnShape) gradient(q, k, v, dout []float64) []float64 {
	heads := s.kvHeads * s.group
	dq, dk, dv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
	scale := 1 / math.Sqrt(float64(s.dim))
	for _, sp := range s.spans {
		for h := range heads {
			for i := range sp.Rows {
				row := ((sp.Row+i)*heads + h) * s.dim
				kr := func(j int) int { return ((sp.Row+j)*s.kvHeads + h/s.group) * s.dim }
				p, dp, sum, mean := make([]float64, i+1), make([]float64, i+1), 0.0, 0.0
				for j := s.first(i); j <= i; j++ {
					dot := 0.0
					for d := range s.dim {
						dot += q[row+d] * k[kr(j)+d]
						dp[j] += dout[row+d] * v[kr(j)+d]
					}
					p[j] = math.Exp(dot * scale)
					sum += p[j]
				}
				for j := s.first(i); j <= i; j++ {
					p[j] /= sum
					mean += p[j] * dp[j]
				}
				for j := range p {
					ds := p[j] * (dp[j] - mean) * scale
					for d := range s.dim {
						dq[row+d] += ds * k[kr(j)+d]
						dk[kr(j)+d] += ds * q[row+d]
						dv[kr(j)+d] += p[j] * dout[row+d]
					}
				}
			}
		}
	}
	return append(append(dq, dk...), dv...)
}
