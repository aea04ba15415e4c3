//go:build generate

// Command transpose writes transpose_amd64.s and its Go stub. Run it through "go generate" in tensor/cpu.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	TEXT("transposeTiles", NOSPLIT, "func(dst *float32, step int, src *float32, n int)")
	Pragma("noescape")
	Doc("transposeTiles transposes n dense tiles of 16 x 16; those of src follow each other, those of dst are step bytes apart.")
	d := Load(Param("dst"), GP64())
	step := Load(Param("step"), GP64())
	s := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	Label("tile")
	for i := 0; i < 2; i++ {
		for j := 0; j < 2; j++ {
			quadrant(d, s, 8*i, 8*j)
		}
	}
	ADDQ(step, d)
	ADDQ(U32(1024), s)
	DECQ(n)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
	Generate()
}

// quadrant writes the 8 x 8 values of src from (row, col) on to (col, row) of dst.
func quadrant(d, s Register, row, col int) {
	var r, t [8]VecVirtual
	for i := range r {
		r[i], t[i] = YMM(), YMM()
		VMOVUPS(Mem{Base: s, Disp: (row+i)*64 + col*4}, r[i])
	}
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		VSHUFPS(U8(0x44), t[i+2], t[i], r[i])
		VSHUFPS(U8(0xee), t[i+2], t[i], r[i+1])
		VSHUFPS(U8(0x44), t[i+3], t[i+1], r[i+2])
		VSHUFPS(U8(0xee), t[i+3], t[i+1], r[i+3])
	}
	for i := 0; i < 4; i++ {
		VPERM2F128(U8(0x20), r[i+4], r[i], t[i])
		VPERM2F128(U8(0x31), r[i+4], r[i], t[i+4])
	}
	for i := range t {
		VMOVUPS(t[i], Mem{Base: d, Disp: (col+i)*64 + row*4})
	}
}
