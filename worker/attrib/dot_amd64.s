#include "textflag.h"

// func dotAVX2(a, b *int16, n int) int64
// n is a positive multiple of 32. Sums of products of vectors no longer than
// unit length fit in 32 bits, whatever the order.
TEXT ·dotAVX2(SB), NOSPLIT, $0-32
	MOVQ  a+0(FP), SI
	MOVQ  b+8(FP), DI
	MOVQ  n+16(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1

loop:
	VMOVDQU  (SI), Y2
	VMOVDQU  32(SI), Y3
	VPMADDWD (DI), Y2, Y2
	VPMADDWD 32(DI), Y3, Y3
	VPADDD   Y2, Y0, Y0
	VPADDD   Y3, Y1, Y1
	ADDQ     $64, SI
	ADDQ     $64, DI
	SUBQ     $32, CX
	JNZ      loop

	VPADDD       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPADDD       X1, X0, X0
	VMOVD        X0, AX
	MOVLQSX      AX, AX
	MOVQ         AX, ret+24(FP)
	VZEROUPPER
	RET
