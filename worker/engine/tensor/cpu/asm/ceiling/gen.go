//go:build generate

// Command gen writes ceiling_amd64.s: loops that do nothing but read, or nothing but multiply and add, to measure a
// machine's ceilings.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	read()
	fma("fmaAVX2", func() VecVirtual { return YMM() })
	fma("fmaAVX512", func() VecVirtual { return ZMM() })
	Generate()
}

func read() {
	TEXT("readBytes", NOSPLIT, "func(p *byte, n int)")
	Pragma("noescape")
	Doc("readBytes loads n bytes, a multiple of 256.")
	p := Load(Param("p"), GP64())
	n := Load(Param("n"), GP64())
	s := YMM()
	VPXOR(s, s, s)
	Label("loop")
	for i := range 4 {
		PREFETCHT0(Mem{Base: p, Disp: 2048 + 64*i})
	}
	for i := range 8 {
		VPOR(Mem{Base: p, Disp: 32 * i}, s, s)
	}
	ADDQ(U32(256), p)
	SUBQ(U32(256), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func fma(name string, vec func() VecVirtual) {
	TEXT(name, NOSPLIT, "func(n int, x *float32)")
	Pragma("noescape")
	Doc(name + " does n times 12 fused multiply-adds of vectors.")
	n := Load(Param("n"), GP64())
	x := Load(Param("x"), GP64())
	var acc [12]VecVirtual
	a, b := vec(), vec()
	VBROADCASTSS(Mem{Base: x}, a)
	VBROADCASTSS(Mem{Base: x}, b)
	for i := range acc {
		acc[i] = vec()
		VBROADCASTSS(Mem{Base: x}, acc[i])
	}
	Label("loop")
	for i := range acc {
		VFMADD231PS(a, b, acc[i])
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
