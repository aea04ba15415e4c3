package tensortest

import (
	"fmt"
	"math"
	"testing"

	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/tensor"
)

// encodedTypes are the formats that every backend takes; those it has no kernel for become another.
var encodedTypes = []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0, quant.Q4_K, quant.Q6_K}

// encodedWeight is a random matrix of format t: its bytes and what they stand for.
func encodedWeight(tb testing.TB, t quant.Type, out, in int, seed uint64) (raw []byte, values []float32) {
	size, err := quant.RowBytes(t, out*in)
	if err != nil {
		tb.Fatal(err)
	}
	raw, values = make([]byte, size), Random(out*in, seed)
	if t.CanEncode() {
		err = quant.Encode(t, raw, values)
	} else { // random bytes with small scales
		for i, v := range values[:size] {
			raw[i] = byte(int(math.Abs(float64(v)) * 60))
		}
		for b := 0; b < size; b += t.BlockBytes() {
			switch t {
			case quant.Q4_K:
				raw[b+1], raw[b+3] = 0x14, 0x14
			case quant.Q6_K:
				raw[b+209] = 0x14
			}
		}
	}
	if err == nil {
		err = quant.Decode(t, values, raw)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return raw, values
}

func packEncoded(h *Host, t quant.Type, out, in int, raw []byte) tensor.Weight {
	w, err := h.b.PackEncoded(out, in, t, raw)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// roundedActs is what a weight in blocks is multiplied by: x in steps of its block's scale.
func roundedActs(x []float32) []float32 {
	out := make([]float32, len(x))
	for b := 0; b < len(x); b += 32 {
		top := 0.0
		for _, v := range x[b:][:32] {
			top = math.Max(top, math.Abs(float64(v)))
		}
		for i, v := range x[b:][:32] {
			out[b+i] = float32(math.RoundToEven(float64(v)*127/top) * top / 127)
		}
	}
	return out
}

func encodedCases(tb testing.TB) (cs []testCase) {
	for _, t := range encodedTypes {
		for _, s := range [][3]int{{1, 16, 32}, {1, 169, 64}, {2, 33, 256}, {7, 48, 96}, {13, 40, 512}, {40, 129, 64}} {
			m, n, k := s[0], s[1], s[2]
			if k%t.BlockSize() != 0 || !t.CanEncode() {
				continue
			}
			raw, values := encodedWeight(tb, t, n, k, 2)
			x, c := Random(m*k, 1), Random(m*n, 3)
			acts := x
			if t.BlockSize() > 1 {
				acts = roundedActs(x)
			}
			dy, dx := Random(m*n, 4), Random(m*k, 5)
			cs = append(cs, testCase{
				name: fmt.Sprintf("LinearGrad/%v/%dx%dx%d", t, m, n, k),
				run: func(h *Host) []float32 {
					pw := packEncoded(h, t, n, k, raw)
					x := h.Mat(m, k, dx)
					h.b.LinearGrad(x, h.Mat(m, n, dy), pw, true)
					out := h.Values(x)
					h.b.LinearGrad(x, h.Mat(m, n, dy), pw, false)
					return append(out, h.Values(x)...)
				},
				want: func() []float64 {
					return append(matmul(dx, dy, values, m, k, n, false, false), matmul(nil, dy, values, m, k, n, false, false)...)
				},
			}, testCase{
				name: fmt.Sprintf("Linear/%v/%dx%dx%d", t, m, n, k),
				run: func(h *Host) []float32 {
					pw := packEncoded(h, t, n, k, raw)
					y := h.Mat(m, n, c)
					h.b.Linear(y, h.Mat(m, k, x), pw, true)
					out := h.Values(y)
					h.b.Linear(y, h.Mat(m, k, x), pw, false)
					return append(out, h.Values(y)...)
				},
				want: func() []float64 {
					return append(matmul(c, acts, values, m, n, k, false, true), matmul(nil, acts, values, m, n, k, false, true)...)
				},
			})
		}
	}
	return cs
}

// encodedRows holds what does not depend on how a product is rounded: decoding, types, sizes, and that a weight in two
// bytes has the bits of the same values in four.
func encodedRows(t *testing.T, b tensor.Backend) {
	h := &Host{t: t, b: b}
	const n, k, m = 53, 256, 5
	x := h.Mat(m, k, Random(m*k, 9))
	for _, typ := range encodedTypes {
		raw, values := encodedWeight(t, typ, n, k, 4)
		w := packEncoded(h, typ, n, k, raw)
		back := h.Mat(n, k, make([]float32, n*k))
		b.Unpack(back, w)
		if w.Type() == typ && !equal(h.Values(back), values) {
			t.Errorf("%v: unpacked values are not what the bytes stand for", typ)
		}
		if w.Type() != typ { // another format's rounding comes in
			want := make([]float64, len(values))
			for i, v := range values {
				want[i] = float64(v)
			}
			near(t, h.Values(back), want, 2e-2)
		}
		if typ.CanEncode() && w.Type() != typ {
			t.Errorf("%v is kept as %v", typ, w.Type())
		}
		if padded := (n + 15) / 16 * 16; w.Type() == typ && w.Bytes() > int64(len(raw)/n*padded) {
			t.Errorf("%v: %d bytes for a weight of %d", typ, w.Bytes(), len(raw))
		}
		rows := []int32{0, n - 1, 17, 17}
		got := h.Mat(len(rows), k, make([]float32, len(rows)*k))
		b.GatherWeight(got, w, rows)
		all := h.Values(back)
		for i, r := range rows {
			if !equal(h.Values(got)[i*k:(i+1)*k], all[int(r)*k:(int(r)+1)*k]) {
				t.Errorf("%v: row %d gathered is not row %d unpacked", typ, i, r)
			}
		}
		y := h.Mat(m, n, make([]float32, m*n))
		b.Linear(y, x, w, false)
		together := h.Values(y)
		for r := range m {
			b.Linear(y.RowRange(0, 1), x.RowRange(r, 1), w, false)
			if !equal(h.Values(y)[:n], together[r*n:(r+1)*n]) {
				t.Errorf("%v: row %d alone has other bits", typ, r)
			}
		}
		if typ == quant.F16 || typ == quant.BF16 {
			plain, err := b.Pack(n, k, values)
			if err != nil {
				t.Fatal(err)
			}
			b.Linear(y, x, plain, false)
			if !equal(h.Values(y), together) {
				t.Errorf("%v: products differ from those of the same values in float32", typ)
			}
		}
		b.Repack(w, h.Mat(n, k, Random(n*k, 5)))
		b.Unpack(back, w)
		if !equal(h.Values(back), Random(n*k, 5)) {
			t.Errorf("%v: repacked values differ", typ)
		}
		if _, err := b.PackEncoded(n, k, typ, raw[1:]); err == nil {
			t.Errorf("%v: a truncated weight was packed", typ)
		}
	}
	if _, err := b.PackEncoded(1, 33, quant.Q8_0, make([]byte, 34)); err == nil {
		t.Error("a row that is not whole blocks was packed")
	}
}
