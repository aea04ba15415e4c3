//go:build generate

// Command lora writes lora_amd64.s, the kernels of the low-rank products of single rows, and their Go stubs. Run it
// through "go generate" in the package's folder.
//
// Each kernel comes for values stored as float32, bfloat16 and float16. Widening is exact, so an element is the same
// chain of fused multiply-adds in all of them.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

type kind struct {
	name, typ string
	bytes     int
}

var kinds = []kind{{"F32", "float32", 4}, {"BF16", "uint16", 2}, {"F16", "uint16", 2}}

func main() {
	ConstraintExpr("amd64")
	for _, k := range kinds {
		for vecs := 1; vecs <= 3; vecs++ {
			shrink(k, vecs, 8)
		}
		for vecs := 1; vecs <= 4; vecs++ {
			shrink(k, vecs, 16)
		}
		for _, lanes := range []int{8, 16} {
			for _, ranks := range []int{1, 2, 4, 8} {
				expand(k, ranks, lanes)
			}
		}
	}
	widen(kinds[1])
	widen(kinds[2])
	Generate()
}

func isa(lanes int) string {
	if lanes == 16 {
		return "AVX512"
	}
	return "AVX2"
}

func vec(lanes int) VecVirtual {
	if lanes == 16 {
		return ZMM()
	}
	return YMM()
}

// fma adds t times the vector of values at m to acc.
func (k kind) fma(m Mem, t, acc VecVirtual, lanes int) {
	if k.name == "F32" {
		VFMADD231PS(m, t, acc)
		return
	}
	v := vec(lanes)
	k.load(m, v)
	VFMADD231PS(v, t, acc)
}

// load widens the two-byte values at m.
func (k kind) load(m Mem, v VecVirtual) {
	if k.name == "F16" {
		VCVTPH2PS(m, v)
		return
	}
	VPMOVZXWD(m, v)
	VPSLLD(U8(16), v, v)
}

// widen emits the expansion of two-byte values.
func widen(kd kind) {
	name := "loraWiden" + kd.name
	TEXT(name, NOSPLIT, "func(dst *float32, src *uint16, n int)")
	Pragma("noescape")
	Doc(name + " widens n values, a multiple of 16 that is not 0.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	for j := 0; j < 2; j++ {
		v := YMM()
		kd.load(Mem{Base: s, Disp: 16 * j}, v)
		VMOVUPS(v, Mem{Base: d, Disp: 32 * j})
	}
	ADDQ(U8(32), s)
	ADDQ(U8(64), d)
	SUBQ(U8(16), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// shrink emits four independent vector-matrix products, whose chains hide each other's latency and whose reads overlap.
// Reads go past the columns of the last vector: the caller pads its memory.
func shrink(kd kind, vecs, lanes int) {
	name := fmt.Sprintf("loraShrink%s_%s_%d", isa(lanes), kd.name, vecs)
	TEXT(name, NOSPLIT, fmt.Sprintf("func(k int, x0, x1, x2, x3 *float32, a0, a1, a2, a3 *%s, as int, h *float32, ldh int)", kd.typ))
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets row i of h (%d columns, ldh bytes apart) to the vector xi times the matrix ai, whose rows are as bytes apart.", name, vecs*lanes))
	k := Load(Param("k"), GP64())
	var x, a [4]Register
	for i := range x {
		x[i] = Load(Param(fmt.Sprintf("x%d", i)), GP64())
		a[i] = Load(Param(fmt.Sprintf("a%d", i)), GP64())
	}
	as := Load(Param("as"), GP64())
	var acc [4][]VecVirtual
	for i := range acc {
		for range vecs {
			v := vec(lanes)
			if lanes == 16 {
				VPXORD(v, v, v)
			} else {
				VXORPS(v, v, v)
			}
			acc[i] = append(acc[i], v)
		}
	}
	off, at := GP64(), GP64()
	XORQ(off, off)
	XORQ(at, at)
	TESTQ(k, k)
	JZ(LabelRef("store"))
	Label("loop")
	for i := range acc {
		t := vec(lanes)
		VBROADCASTSS(Mem{Base: x[i], Index: at, Scale: 4}, t)
		for j := range acc[i] {
			kd.fma(Mem{Base: a[i], Index: off, Scale: 1, Disp: j * lanes * kd.bytes}, t, acc[i][j], lanes)
		}
	}
	ADDQ(as, off)
	INCQ(at)
	CMPQ(at, k)
	JNE(LabelRef("loop"))
	Label("store")
	h := Load(Param("h"), GP64())
	ldh := Load(Param("ldh"), GP64())
	for i := range acc {
		for j := range acc[i] {
			VMOVUPS(acc[i][j], Mem{Base: h, Disp: j * lanes * 4})
		}
		if i+1 < len(acc) {
			ADDQ(ldh, h)
		}
	}
	VZEROUPPER()
	RET()
}

// expand emits the product of a few values with panels of 16 columns. The values stay in registers, so that a panel is
// one load and one store of y, and the panels are read in the order in which they lie.
func expand(kd kind, ranks, lanes int) {
	name := fmt.Sprintf("loraExpand%s_%s_%d", isa(lanes), kd.name, ranks)
	TEXT(name, NOSPLIT, fmt.Sprintf("func(panels int, h *float32, b *%s, bp int, y *float32)", kd.typ))
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds h (%d values) times panels of 16 columns, bp bytes apart, to y.", name, ranks))
	n := Load(Param("panels"), GP64())
	h := Load(Param("h"), GP64())
	b := Load(Param("b"), GP64())
	bp := Load(Param("bp"), GP64())
	y := Load(Param("y"), GP64())
	hs := make([]VecVirtual, ranks)
	for i := range hs {
		hs[i] = vec(lanes)
		VBROADCASTSS(Mem{Base: h, Disp: 4 * i}, hs[i])
	}
	Label("loop")
	acc := make([]VecVirtual, 16/lanes)
	for j := range acc {
		acc[j] = vec(lanes)
		VMOVUPS(Mem{Base: y, Disp: j * lanes * 4}, acc[j])
	}
	for i := range hs {
		for j := range acc {
			kd.fma(Mem{Base: b, Disp: (i*16 + j*lanes) * kd.bytes}, hs[i], acc[j], lanes)
		}
	}
	for j := range acc {
		VMOVUPS(acc[j], Mem{Base: y, Disp: j * lanes * 4})
	}
	ADDQ(U8(64), y)
	ADDQ(bp, b)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
