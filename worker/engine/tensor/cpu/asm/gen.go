//go:build generate

// Command gen writes kernels_amd64.s and its Go stubs. Run it through "go generate" in the parent folder.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for r := 1; r <= 6; r++ {
		gemm(r, 1, 8, false)
		gemm(r, 1, 8, true)
	}
	gemm(2, 2, 8, false)
	gemm(1, 4, 8, false)
	for r := 1; r <= 6; r++ {
		gemm(r, 1, 16, false)
		gemm(r, 2, 16, false)
	}
	gemm(2, 4, 16, false)
	gemm(1, 8, 16, false)

	for _, t := range [][3]int{{1, 1, 8}, {2, 1, 8}, {3, 1, 8}, {4, 1, 8}, {5, 1, 8}, {6, 1, 8}, {2, 2, 8}, {1, 4, 8},
		{1, 1, 16}, {2, 1, 16}, {3, 1, 16}, {4, 1, 16}, {5, 1, 16}, {6, 1, 16},
		{1, 2, 16}, {2, 2, 16}, {3, 2, 16}, {4, 2, 16}, {5, 2, 16}, {6, 2, 16}, {2, 4, 16}, {1, 8, 16}} {
		gemmHalf(t[0], t[1], t[2])
	}
	widen()
	for _, r := range []int{1, 2, 3, 4, 5, 6, 12} {
		narrow(r)
	}
	quad(1)
	quad(2)

	lanes("sumLanes", false)
	lanes("dotLanes", true)
	maxLanes()
	expScaled()
	swiglu()
	swigluGrad()
	add()
	mulScaled()
	copyPanel()
	Generate()
}

// gemm emits a kernel of rows x (panels*16) elements, with vectors of `lanes` floats. Every element of c is one chain of
// FMAs over k; it starts at c if acc is not 0, else at +0. Strides are in bytes: rs and cs from row to row and from k to
// k of a, bs from k to k of b, bp from panel to panel of b, ldc from row to row of c.
func gemm(rows, panels, lanes int, masked bool) {
	isa, params, doc := "AVX2", "", ""
	if lanes == 16 {
		isa = "AVX512"
	}
	name := fmt.Sprintf("gemm%s_%dx%d", isa, rows, panels)
	if masked {
		name += "m"
		params = ", mask *int32"
		doc = ", of which mask selects the columns"
	}
	TEXT(name, NOSPLIT, "func(k int, a *float32, rs int, cs int, b *float32, bs int, bp int, c *float32, ldc int, acc int"+params+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x %d%s.", name, rows, panels*16, doc))
	vec := func() VecVirtual {
		if lanes == 16 {
			return ZMM()
		}
		return YMM()
	}
	vecs := panels * 16 / lanes
	k := Load(Param("k"), GP64())
	a := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	b := Load(Param("b"), GP64())
	bs := Load(Param("bs"), GP64())
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	var maskp Register
	if masked {
		maskp = Load(Param("mask"), GP64())
	}

	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = make([]VecVirtual, vecs)
		for j := range acc[i] {
			acc[i][j] = vec()
		}
	}
	bv := make([]VecVirtual, vecs)
	if rows > 1 {
		for j := range bv {
			bv[j] = vec()
		}
	}
	t := vec()

	start := Load(Param("acc"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	cp := GP64()
	MOVQ(c, cp)
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			m := Mem{Base: cp, Disp: j * lanes * 4}
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(m, t, acc[i][j])
			} else {
				VMOVUPS(m, acc[i][j])
			}
		}
		if i+1 < rows {
			ADDQ(ldc, cp)
		}
	}
	JMP(LabelRef("begin"))
	Label("zero")
	for i := range acc {
		for j := range acc[i] {
			if lanes == 16 {
				VPXORD(acc[i][j], acc[i][j], acc[i][j])
			} else {
				VXORPS(acc[i][j], acc[i][j], acc[i][j])
			}
		}
	}
	Label("begin")

	// Panel p of b is at b + p*bp; two pointers and an index reach eight of them.
	var bp, bp3, b4 Register
	if panels > 1 {
		bp = Load(Param("bp"), GP64())
	}
	if panels > 3 {
		bp3 = GP64()
		LEAQ(Mem{Base: bp, Index: bp, Scale: 2}, bp3)
	}
	if panels > 4 {
		b4 = GP64()
		LEAQ(Mem{Base: b, Index: bp, Scale: 4}, b4)
	}
	bmem := func(j int) Mem {
		p, off := j*lanes/16, j*lanes%16*4
		base := Register(b)
		if p >= 4 {
			base, p = b4, p-4
		}
		switch p {
		case 0:
			return Mem{Base: base, Disp: off}
		case 1:
			return Mem{Base: base, Index: bp, Scale: 1, Disp: off}
		case 2:
			return Mem{Base: base, Index: bp, Scale: 2, Disp: off}
		}
		return Mem{Base: base, Index: bp3, Scale: 1, Disp: off}
	}
	var rs3, rs5 Register
	if rows > 3 {
		rs3 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		rs5 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	amem := func(i int) Mem {
		switch i {
		case 0:
			return Mem{Base: a}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i)}
	}

	TESTQ(k, k)
	JZ(LabelRef("store"))
	Label("loop")
	if rows > 1 {
		for j := range bv {
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(bmem(j), t, bv[j])
			} else {
				VMOVUPS(bmem(j), bv[j])
			}
		}
		for i := 0; i < rows; i++ {
			VBROADCASTSS(amem(i), t)
			for j := range bv {
				VFMADD231PS(bv[j], t, acc[i][j])
			}
		}
	} else {
		VBROADCASTSS(amem(0), t)
		for j := 0; j < vecs; j++ {
			if masked {
				mv, v := YMM(), YMM()
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, mv)
				VMASKMOVPS(bmem(j), mv, v)
				VFMADD231PS(v, t, acc[0][j])
			} else {
				VFMADD231PS(bmem(j), t, acc[0][j])
			}
		}
	}
	ADDQ(cs, a)
	ADDQ(bs, b)
	if b4 != nil {
		ADDQ(bs, b4)
	}
	DECQ(k)
	JNZ(LabelRef("loop"))

	Label("store")
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			m := Mem{Base: c, Disp: j * lanes * 4}
			if masked {
				VMOVDQU(Mem{Base: maskp, Disp: j * 32}, t)
				VMASKMOVPS(acc[i][j], t, m)
			} else {
				VMOVUPS(acc[i][j], m)
			}
		}
		if i+1 < rows {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// lanes emits acc[j] += x[8i+j] (or, with a dot, the FMA of x and y) for n values, n a multiple of 8.
func lanes(name string, dot bool) {
	sig := "func(acc *float32, x *float32, n int)"
	if dot {
		sig = "func(acc *float32, x *float32, y *float32, n int)"
	}
	TEXT(name, NOSPLIT, sig)
	Pragma("noescape")
	Doc(name + " adds n values, a multiple of 8, to eight lanes in order.")
	p := Load(Param("acc"), GP64())
	x := Load(Param("x"), GP64())
	var y Register
	if dot {
		y = Load(Param("y"), GP64())
	}
	n := Load(Param("n"), GP64())
	acc, t := YMM(), YMM()
	VMOVUPS(Mem{Base: p}, acc)
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	if dot {
		VMOVUPS(Mem{Base: x}, t)
		VFMADD231PS(Mem{Base: y}, t, acc)
		ADDQ(U8(32), y)
	} else {
		VADDPS(Mem{Base: x}, acc, acc)
	}
	ADDQ(U8(32), x)
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VMOVUPS(acc, Mem{Base: p})
	VZEROUPPER()
	RET()
}

func maxLanes() {
	TEXT("maxLanes", NOSPLIT, "func(acc *float32, x *float32, n int)")
	Pragma("noescape")
	Doc("maxLanes raises eight lanes to the largest of n values, a multiple of 8; a NaN value is taken.")
	p := Load(Param("acc"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	acc := YMM()
	VMOVUPS(Mem{Base: p}, acc)
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	VMAXPS(Mem{Base: x}, acc, acc) // acc > x ? acc : x
	ADDQ(U8(32), x)
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VMOVUPS(acc, Mem{Base: p})
	VZEROUPPER()
	RET()
}

// Constants of the exponential; the pure-Go twin in scalar.go has the same.
func constant(name string, bits uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	DATA(0, U32(bits))
	return m
}

type expConsts struct {
	hi, lo, log2e, magic, ln2hi, ln2lo, one, bias Mem
	p                                             [6]Mem
}

var consts *expConsts

func expData() *expConsts {
	if consts != nil {
		return consts
	}
	consts = &expConsts{
		hi:    constant("expHi", 0x42b00000),
		lo:    constant("expLo", 0xc2aeac4f),
		log2e: constant("expLog2e", 0x3fb8aa3b),
		magic: constant("expMagic", 0x4b400000),
		ln2hi: constant("expLn2Hi", 0x3f318000),
		ln2lo: constant("expLn2Lo", 0xb95e8083),
		one:   constant("expOne", 0x3f800000),
		bias:  constant("expBias", 127),
	}
	for i, b := range []uint32{0x39506967, 0x3ab743ce, 0x3c088908, 0x3d2aa9c1, 0x3e2aaaaa, 0x3f000000} {
		consts.p[i] = constant(fmt.Sprintf("expP%d", i), b)
	}
	return consts
}

// exp replaces x by its exponential.
func exp(x VecVirtual) {
	c := expData()
	t, n, y, keep, k := YMM(), YMM(), YMM(), YMM(), YMM()
	VBROADCASTSS(c.lo, k)
	VCMPPS(U8(5), k, x, keep) // not x < lo
	VBROADCASTSS(c.hi, k)
	VMINPS(x, k, x) // hi < x ? hi : x
	VBROADCASTSS(c.lo, k)
	VMAXPS(x, k, x) // lo > x ? lo : x
	VBROADCASTSS(c.log2e, k)
	VBROADCASTSS(c.magic, t)
	VFMADD231PS(k, x, t)
	VBROADCASTSS(c.magic, k)
	VSUBPS(k, t, n)
	VBROADCASTSS(c.ln2hi, k)
	VFNMADD231PS(k, n, x)
	VBROADCASTSS(c.ln2lo, k)
	VFNMADD231PS(k, n, x)
	VBROADCASTSS(c.p[0], y)
	for i := 1; i < 6; i++ {
		VBROADCASTSS(c.p[i], k)
		VFMADD213PS(k, x, y) // y = y*x + p
	}
	VMULPS(x, x, k)
	VFMADD213PS(x, k, y) // y = y*x^2 + x
	VBROADCASTSS(c.one, k)
	VADDPS(k, y, y)
	VPBROADCASTD(c.bias, k)
	VPADDD(k, t, t)
	VPSLLD(U8(23), t, t)
	VMULPS(t, y, y)
	VANDPS(keep, y, x)
}

func expScaled() {
	TEXT("expScaled", NOSPLIT, "func(dst *float32, src *float32, n int, scale float32, shift float32)")
	Pragma("noescape")
	Doc("expScaled is dst = exp(src*scale - shift) for n values, a multiple of 8.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	scale, shift := YMM(), YMM()
	VBROADCASTSS(NewParamAddr("scale", 24), scale)
	VBROADCASTSS(NewParamAddr("shift", 28), shift)
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	x := YMM()
	VMULPS(Mem{Base: s}, scale, x)
	VSUBPS(shift, x, x)
	exp(x)
	VMOVUPS(x, Mem{Base: d})
	ADDQ(U8(32), s)
	ADDQ(U8(32), d)
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

// sigmoid returns 1/(1+exp(-g)) and the vector of ones.
func sigmoid(g VecVirtual) (s, one VecVirtual) {
	s, one = YMM(), YMM()
	VXORPS(s, s, s)
	VSUBPS(g, s, s) // 0 - g
	exp(s)
	VBROADCASTSS(expData().one, one)
	VADDPS(one, s, s)
	VDIVPS(s, one, s)
	return s, one
}

func swiglu() {
	TEXT("swigluBlock", NOSPLIT, "func(y *float32, gate *float32, up *float32, n int)")
	Pragma("noescape")
	Doc("swigluBlock is y = silu(gate)*up for n values, a multiple of 8.")
	y := Load(Param("y"), GP64())
	gp := Load(Param("gate"), GP64())
	up := Load(Param("up"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	g := YMM()
	VMOVUPS(Mem{Base: gp}, g)
	s, _ := sigmoid(g)
	VMULPS(s, g, g)
	VMULPS(Mem{Base: up}, g, g)
	VMOVUPS(g, Mem{Base: y})
	for _, p := range []Register{y, gp, up} {
		ADDQ(U8(32), p)
	}
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

func swigluGrad() {
	TEXT("swigluGradBlock", NOSPLIT, "func(dgate *float32, dup *float32, dy *float32, gate *float32, up *float32, n int)")
	Pragma("noescape")
	Doc("swigluGradBlock is the gradient of swigluBlock.")
	dg := Load(Param("dgate"), GP64())
	du := Load(Param("dup"), GP64())
	dyp := Load(Param("dy"), GP64())
	gp := Load(Param("gate"), GP64())
	up := Load(Param("up"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	g, dy, t := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: gp}, g)
	s, one := sigmoid(g)
	VMOVUPS(Mem{Base: dyp}, dy)
	VSUBPS(s, one, t)      // 1 - s
	VFMADD213PS(one, g, t) // t = t*g + 1
	VMULPS(t, s, t)        // s * t
	VMULPS(s, g, g)        // silu
	VMULPS(dy, g, g)       // dup
	VMULPS(Mem{Base: up}, dy, dy)
	VMULPS(t, dy, dy) // dgate
	VMOVUPS(g, Mem{Base: du})
	VMOVUPS(dy, Mem{Base: dg})
	for _, p := range []Register{dg, du, dyp, gp, up} {
		ADDQ(U8(32), p)
	}
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

func add() {
	TEXT("addBlock", NOSPLIT, "func(y *float32, x *float32, n int)")
	Pragma("noescape")
	Doc("addBlock is y += x for n values, a multiple of 8.")
	y := Load(Param("y"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	t := YMM()
	VMOVUPS(Mem{Base: y}, t)
	VADDPS(Mem{Base: x}, t, t)
	VMOVUPS(t, Mem{Base: y})
	ADDQ(U8(32), y)
	ADDQ(U8(32), x)
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

func mulScaled() {
	TEXT("mulScaledBlock", NOSPLIT, "func(y *float32, x *float32, w *float32, n int, scale float32)")
	Pragma("noescape")
	Doc("mulScaledBlock is y = (x*scale)*w for n values, a multiple of 8.")
	y := Load(Param("y"), GP64())
	x := Load(Param("x"), GP64())
	w := Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	scale := YMM()
	VBROADCASTSS(NewParamAddr("scale", 32), scale)
	Label("loop")
	CMPQ(n, U8(8))
	JL(LabelRef("done"))
	t := YMM()
	VMULPS(Mem{Base: x}, scale, t)
	VMULPS(Mem{Base: w}, t, t)
	VMOVUPS(t, Mem{Base: y})
	for _, p := range []Register{y, x, w} {
		ADDQ(U8(32), p)
	}
	SUBQ(U8(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

func copyPanel() {
	TEXT("copyPanelRows", NOSPLIT, "func(dst *float32, src *float32, k int, ld int)")
	Pragma("noescape")
	Doc("copyPanelRows gathers k rows of 16 values, ld bytes apart, into a panel.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	k := Load(Param("k"), GP64())
	ld := Load(Param("ld"), GP64())
	a, b := YMM(), YMM()
	Label("loop")
	VMOVUPS(Mem{Base: s}, a)
	VMOVUPS(Mem{Base: s, Disp: 32}, b)
	VMOVUPS(a, Mem{Base: d})
	VMOVUPS(b, Mem{Base: d, Disp: 32})
	ADDQ(ld, s)
	ADDQ(U8(64), d)
	DECQ(k)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// gemmHalf emits a kernel as gemm's, with b in bfloat16: a 32-bit word holds the values of k (low half) and k+1 (high
// half) of a column, so k counts pairs. The chain of every element is the same as with b widened to float32.
func gemmHalf(rows, panels, lanes int) {
	isa := "AVX2"
	vec := func() VecVirtual { return YMM() }
	if lanes == 16 {
		isa = "AVX512"
		vec = func() VecVirtual { return ZMM() }
	}
	name := fmt.Sprintf("gemmHalf%s_%dx%d", isa, rows, panels)
	TEXT(name, NOSPLIT, "func(pairs int, a *float32, rs int, b *uint32, bp int, c *float32, ldc int, acc int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x %d with b in pairs of bfloat16.", name, rows, panels*16))
	vecs := panels * 16 / lanes
	k := Load(Param("pairs"), GP64())
	a := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	b := Load(Param("b"), GP64())
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	acc := make([][]VecVirtual, rows)
	for i := range acc {
		acc[i] = make([]VecVirtual, vecs)
		for j := range acc[i] {
			acc[i][j] = vec()
		}
	}
	start := Load(Param("acc"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	cp := GP64()
	MOVQ(c, cp)
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			VMOVUPS(Mem{Base: cp, Disp: j * lanes * 4}, acc[i][j])
		}
		if i+1 < rows {
			ADDQ(ldc, cp)
		}
	}
	JMP(LabelRef("begin"))
	Label("zero")
	for i := range acc {
		for j := range acc[i] {
			if lanes == 16 {
				VPXORD(acc[i][j], acc[i][j], acc[i][j])
			} else {
				VXORPS(acc[i][j], acc[i][j], acc[i][j])
			}
		}
	}
	Label("begin")
	var bp, bp3, b4, rs3, rs5 Register
	if panels > 1 {
		bp = Load(Param("bp"), GP64())
	}
	if panels > 3 {
		bp3 = GP64()
		LEAQ(Mem{Base: bp, Index: bp, Scale: 2}, bp3)
	}
	if panels > 4 {
		b4 = GP64()
		LEAQ(Mem{Base: b, Index: bp, Scale: 4}, b4)
	}
	bmem := func(j int) Mem {
		p, off := j*lanes/16, j*lanes%16*4
		base := Register(b)
		if p >= 4 {
			base, p = b4, p-4
		}
		switch p {
		case 0:
			return Mem{Base: base, Disp: off}
		case 1:
			return Mem{Base: base, Index: bp, Scale: 1, Disp: off}
		case 2:
			return Mem{Base: base, Index: bp, Scale: 2, Disp: off}
		}
		return Mem{Base: base, Index: bp3, Scale: 1, Disp: off}
	}
	if rows > 3 {
		rs3 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		rs5 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	amem := func(i, disp int) Mem {
		switch i {
		case 0:
			return Mem{Base: a, Disp: disp}
		case 3:
			return Mem{Base: a, Index: rs3, Scale: 1, Disp: disp}
		case 5:
			return Mem{Base: a, Index: rs5, Scale: 1, Disp: disp}
		}
		return Mem{Base: a, Index: rs, Scale: uint8(i), Disp: disp}
	}
	high := vec() // selects the high half of each word
	VPBROADCASTD(highMask(), high)
	Label("loop")
	t := vec()
	if rows == 1 {
		hi := vec()
		VBROADCASTSS(amem(0, 0), t)
		VBROADCASTSS(amem(0, 4), hi)
		for j := 0; j < vecs; j++ {
			v := vec()
			if lanes == 16 {
				w := vec()
				VMOVUPS(bmem(j), w)
				VPSLLD(U8(16), w, v)
				VFMADD231PS(v, t, acc[0][j])
				VPANDD(w, high, w)
				VFMADD231PS(w, hi, acc[0][j])
			} else {
				VPSLLD(U8(16), load(bmem(j)), v)
				VFMADD231PS(v, t, acc[0][j])
				VPAND(bmem(j), high, v)
				VFMADD231PS(v, hi, acc[0][j])
			}
		}
	} else {
		bv := make([]VecVirtual, vecs)
		for half := 0; half < 2; half++ {
			for j := range bv {
				if half == 0 {
					bv[j] = vec()
				}
				switch {
				case half == 0 && lanes == 16:
					VMOVUPS(bmem(j), bv[j])
					VPSLLD(U8(16), bv[j], bv[j])
				case half == 0:
					VMOVDQU(bmem(j), bv[j])
					VPSLLD(U8(16), bv[j], bv[j])
				case lanes == 16:
					VPANDD(bmem(j), high, bv[j])
				default:
					VPAND(bmem(j), high, bv[j])
				}
			}
			for i := 0; i < rows; i++ {
				VBROADCASTSS(amem(i, 4*half), t)
				for j := range bv {
					VFMADD231PS(bv[j], t, acc[i][j])
				}
			}
		}
	}
	ADDQ(U8(8), a)
	ADDQ(U8(64), b)
	if b4 != nil {
		ADDQ(U8(64), b4)
	}
	DECQ(k)
	JNZ(LabelRef("loop"))
	for i := 0; i < rows; i++ {
		for j := 0; j < vecs; j++ {
			VMOVUPS(acc[i][j], Mem{Base: c, Disp: j * lanes * 4})
		}
		if i+1 < rows {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

var highHalf *Mem

func highMask() Mem {
	if highHalf == nil {
		m := constant("highHalf", 0xffff0000)
		highHalf = &m
	}
	return *highHalf
}

// load brings a vector into a register.
func load(m Mem) VecVirtual {
	v := YMM()
	VMOVDQU(m, v)
	return v
}

// widen emits the expansion of a panel of bfloat16 pairs to float32, k-major.
func widen() {
	TEXT("widenPairs", NOSPLIT, "func(dst *float32, src *uint32, pairs int)")
	Pragma("noescape")
	Doc("widenPairs expands pairs of k of a 16-column panel of bfloat16 to float32.")
	d := Load(Param("dst"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("pairs"), GP64())
	Label("loop")
	for j := 0; j < 2; j++ {
		v, lo := YMM(), YMM()
		VMOVDQU(Mem{Base: s, Disp: 32 * j}, v)
		VPSLLD(U8(16), v, lo)
		VPSRLD(U8(16), v, v)
		VPSLLD(U8(16), v, v)
		VMOVDQU(lo, Mem{Base: d, Disp: 32 * j})
		VMOVDQU(v, Mem{Base: d, Disp: 64 + 32*j})
	}
	ADDQ(U8(64), s)
	ADDQ(U32(128), d)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// narrow emits a kernel of rows x 8, of whose columns mask selects some. Rows come in halves of six, so that two
// pointers and three multiples of the stride reach twelve.
func narrow(rows int) {
	name := fmt.Sprintf("gemmNarrow_%d", rows)
	TEXT(name, NOSPLIT, "func(k int, a *float32, rs int, cs int, b *float32, bs int, c *float32, ldc int, acc int, mask *int32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d x 8, of which mask selects the columns.", name, rows))
	k := Load(Param("k"), GP64())
	a := Load(Param("a"), GP64())
	rs := Load(Param("rs"), GP64())
	cs := Load(Param("cs"), GP64())
	b := Load(Param("b"), GP64())
	bs := Load(Param("bs"), GP64())
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	acc := make([]VecVirtual, rows)
	for i := range acc {
		acc[i] = YMM()
	}
	mask, bv, t := YMM(), YMM(), YMM()
	mp := Load(Param("mask"), GP64())
	VMOVDQU(Mem{Base: mp}, mask)
	start := Load(Param("acc"), GP64())
	TESTQ(start, start)
	JZ(LabelRef("zero"))
	cp := GP64()
	MOVQ(c, cp)
	for i := range acc {
		VMASKMOVPS(Mem{Base: cp}, mask, acc[i])
		if i+1 < rows {
			ADDQ(ldc, cp)
		}
	}
	JMP(LabelRef("begin"))
	Label("zero")
	for i := range acc {
		VXORPS(acc[i], acc[i], acc[i])
	}
	Label("begin")
	var rs3, rs5, a6 Register
	if rows > 3 {
		rs3 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if rows > 5 {
		rs5 = GP64()
		LEAQ(Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	if rows > 6 {
		a6 = GP64()
		LEAQ(Mem{Base: a, Index: rs3, Scale: 2}, a6)
	}
	amem := func(i int) Mem {
		base := Register(a)
		if i >= 6 {
			base, i = a6, i-6
		}
		switch i {
		case 0:
			return Mem{Base: base}
		case 3:
			return Mem{Base: base, Index: rs3, Scale: 1}
		case 5:
			return Mem{Base: base, Index: rs5, Scale: 1}
		}
		return Mem{Base: base, Index: rs, Scale: uint8(i)}
	}
	Label("loop")
	VMASKMOVPS(Mem{Base: b}, mask, bv)
	for i := range acc {
		VBROADCASTSS(amem(i), t)
		VFMADD231PS(bv, t, acc[i])
	}
	ADDQ(cs, a)
	if a6 != nil {
		ADDQ(cs, a6)
	}
	ADDQ(bs, b)
	DECQ(k)
	JNZ(LabelRef("loop"))
	for i := range acc {
		VMASKMOVPS(acc[i], mask, Mem{Base: c})
		if i+1 < rows {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}

// quad emits four independent vector-matrix products at once, whose chains hide each other's latency.
func quad(vecs int) {
	name := fmt.Sprintf("quad%d", 8*vecs)
	TEXT(name, NOSPLIT, "func(k int, a *[4]*float32, b *[4]*float32, bs int, c *float32, ldc int, mask *int32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s sets row i of c (%d columns, of which mask selects some) to the vector a[i] times the matrix b[i].", name, 8*vecs))
	k := Load(Param("k"), GP64())
	ap := Load(Param("a"), GP64())
	bp := Load(Param("b"), GP64())
	var a, b [4]Register
	for i := range a {
		x, y := GP64(), GP64()
		MOVQ(Mem{Base: ap, Disp: 8 * i}, x)
		MOVQ(Mem{Base: bp, Disp: 8 * i}, y)
		a[i], b[i] = x, y
	}
	mp := Load(Param("mask"), GP64())
	var acc [4][]VecVirtual
	masks := make([]VecVirtual, vecs)
	for j := range masks {
		masks[j] = YMM()
		VMOVDQU(Mem{Base: mp, Disp: 32 * j}, masks[j])
	}
	for i := range acc {
		acc[i] = make([]VecVirtual, vecs)
		for j := range acc[i] {
			acc[i][j] = YMM()
			VXORPS(acc[i][j], acc[i][j], acc[i][j])
		}
	}
	bs := Load(Param("bs"), GP64())
	t, v := YMM(), YMM()
	Label("loop")
	for i := range acc {
		VBROADCASTSS(Mem{Base: a[i]}, t)
		for j := range acc[i] {
			VMASKMOVPS(Mem{Base: b[i], Disp: 32 * j}, masks[j], v)
			VFMADD231PS(v, t, acc[i][j])
		}
		ADDQ(U8(4), a[i])
		ADDQ(bs, b[i])
	}
	DECQ(k)
	JNZ(LabelRef("loop"))
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	for i := range acc {
		for j := range acc[i] {
			VMASKMOVPS(acc[i][j], masks[j], Mem{Base: c, Disp: 32 * j})
		}
		if i+1 < len(acc) {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}
