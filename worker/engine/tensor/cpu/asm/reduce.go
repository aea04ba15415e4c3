//go:build generate

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

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
