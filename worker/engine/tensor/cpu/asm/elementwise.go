//go:build generate

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

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
