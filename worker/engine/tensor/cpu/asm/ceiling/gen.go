//go:build generate

// Command gen writes ceiling_amd64.s: loops that do nothing but read, or nothing but multiply and add, to measure a
// machine's ceilings, and one that does nothing at all, to wait.
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
	dot()
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause waits some tens of nanoseconds and leaves the core to its sibling.")
	PAUSE()
	RET()
	Generate()
}

// read emits a loop over eight runs of memory: one alone does not keep the memory busy.
func read() {
	TEXT("readBytes", NOSPLIT, "func(p *byte, step int, n int)")
	Pragma("noescape")
	Doc("readBytes loads eight runs of n bytes, a multiple of 64, step bytes apart.")
	p := Load(Param("p"), GP64())
	step := Load(Param("step"), GP64())
	n := Load(Param("n"), GP64())
	s, step3, q := YMM(), GP64(), GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	LEAQ(Mem{Base: p, Index: step, Scale: 4}, q)
	VPXOR(s, s, s)
	Label("loop")
	for _, base := range []Register{p, q} {
		for _, m := range []Mem{{Base: base}, {Base: base, Index: step, Scale: 1}, {Base: base, Index: step, Scale: 2}, {Base: base, Index: step3, Scale: 1}} {
			VPOR(m, s, s)
			m.Disp = 32
			VPOR(m, s, s)
			m.Disp = 1024
			PREFETCHT0(m)
		}
	}
	ADDQ(U8(64), p)
	ADDQ(U8(64), q)
	SUBQ(U8(64), n)
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

func dot() {
	TEXT("dotVNNI", NOSPLIT, "func(n int)")
	Doc("dotVNNI does n times 12 products of vectors of 64 bytes.")
	n := Load(Param("n"), GP64())
	var acc [12]VecVirtual
	a := ZMM()
	VPXORD(a, a, a)
	for i := range acc {
		acc[i] = ZMM()
		VPXORD(acc[i], acc[i], acc[i])
	}
	Label("loop")
	for i := range acc {
		VPDPBUSD(a, a, acc[i])
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
