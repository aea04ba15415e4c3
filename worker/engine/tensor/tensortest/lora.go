package tensortest

import (
	"strings"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// loraSeg is a run of rows with an adapter of its own; ranks are those of the group's parts.
type loraSeg struct {
	row, rows int
	ranks     []int
	round     func(float32) float32 // to the type in which the adapter comes
}

func f32(v float32) float32  { return v }
func bf16(v float32) float32 { return quant.FromBF16(quant.ToBF16(v)) }
func f16(v float32) float32  { return quant.FromF16(quant.ToF16(v)) }

// loraCases have adapters of any ranks and types, alone and side by side, and rows that no adapter covers.
func loraCases() []testCase {
	decode := func(round func(float32) float32, ranks ...[]int) (out []loraSeg) {
		for i, r := range ranks {
			out = append(out, loraSeg{i, 1, r, round})
		}
		return out
	}
	same := func(n int, ranks ...int) (out [][]int) {
		for range n {
			out = append(out, ranks)
		}
		return out
	}
	var cs []testCase
	for _, in := range []int{30, 64} {
		for _, t := range []struct {
			name  string
			round func(float32) float32
		}{{"f32", f32}, {"bf16", bf16}, {"f16", f16}} {
			name := func(s string) string { return strings.Join([]string{s, t.name}, " ") }
			cs = append(cs,
				loraCase(name("decode"), in, 9, decode(t.round, same(9, 8)...)),
				loraCase(name("decode three maps"), in, 9, decode(t.round, same(9, 8, 8, 8)...)),
				loraCase(name("decode odd ranks"), in, 7, decode(t.round, same(7, 13, 7)...)),
				loraCase(name("decode wide"), in, 5, decode(t.round, same(5, 64, 33, 5)...)),
				loraCase(name("decode mixed ranks"), in, 11, decode(t.round, []int{4, 0}, []int{2, 2}, []int{16, 16}, []int{4, 0}, []int{16, 16},
					[]int{0, 4}, []int{0, 0}, []int{40, 1}, []int{0, 4}, []int{31, 1}, []int{8, 8})),
				loraCase(name("long"), in, 130, []loraSeg{{0, 100, []int{8, 8, 8}, t.round}, {100, 0, []int{4, 0, 9}, t.round}, {110, 20, []int{0, 24, 16}, t.round}}),
			)
		}
	}
	return append(cs, loraCase("mixed", 30, 60, []loraSeg{{0, 1, []int{8, 8}, f32}, {2, 4, []int{3, 0}, bf16}, {6, 2, []int{8, 8}, f16},
		{8, 1, []int{16, 16}, bf16}, {9, 1, []int{8, 8}, bf16}, {10, 40, []int{8, 16}, f16}, {50, 1, []int{8, 8}, f32}, {55, 5, []int{8, 8}, f32}}))
}

// loraCase runs segments over maps of several widths. The group in question is the second of three.
func loraCase(name string, in, rows int, segs []loraSeg) testCase {
	outs := []int{41, 16, 80}[:len(segs[0].ranks)]
	x := Random(rows*in, 1)
	y := func(j int) []float32 { return Random(rows*outs[j], uint64(2+j)) }
	pair := func(i, j int) (a, b []float32) {
		s := segs[i]
		a, b = Random(s.ranks[j]*in, uint64(10+100*i+j)), Random(outs[j]*s.ranks[j], uint64(50+100*i+j))
		for _, m := range [][]float32{a, b} {
			for k := range m {
				m[k] = s.round(m[k])
			}
		}
		return a, b
	}
	scale := func(i int) float32 { return 0.5 + float32(i)/4 }
	return testCase{
		name: "Lora/" + name,
		run: func(h *Host) []float32 {
			var ls []tensor.LoraSegment
			for i, s := range segs {
				g := tensor.LoraGroup{In: in}
				for j, r := range s.ranks {
					a, b := pair(i, j)
					g.Parts = append(g.Parts, tensor.LoraPart{Rank: r, Out: outs[j], Scale: scale(i), A: a, B: b})
				}
				other := tensor.LoraGroup{In: 5, Parts: []tensor.LoraPart{{Rank: 1, Out: 3, Scale: 1, A: make([]float32, 5), B: make([]float32, 3)}}}
				p, err := h.b.PackLora([]tensor.LoraGroup{other, g, other})
				if err != nil {
					h.t.Fatal(err)
				}
				ls = append(ls, tensor.LoraSegment{Row: s.row, Rows: s.rows, Pack: p})
			}
			var ys []tensor.Mat
			for j := range outs {
				ys = append(ys, h.Mat(rows, outs[j], y(j)))
			}
			h.b.Lora(ys, h.Mat(rows, in, x), 1, ls)
			var got []float32
			for j := range ys {
				got = append(got, h.Values(ys[j])...)
			}
			for _, s := range ls {
				h.b.FreeLora(s.Pack)
			}
			return got
		},
		want: func() []float64 {
			var want []float64
			for j, out := range outs {
				at := len(want)
				for _, v := range y(j) {
					want = append(want, float64(v))
				}
				for i, s := range segs {
					a, b := pair(i, j)
					for r := s.row; r < s.row+s.rows; r++ {
						for q := range s.ranks[j] {
							h := 0.0
							for k := range in {
								h += float64(x[r*in+k]) * float64(a[q*in+k])
							}
							for o := range out {
								want[at+r*out+o] += float64(scale(i)) * h * float64(b[o*s.ranks[j]+q])
							}
						}
					}
				}
			}
			return want
		},
	}
}
