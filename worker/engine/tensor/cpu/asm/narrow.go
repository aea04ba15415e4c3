//go:build generate

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

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
