package cpu

var kernelsF32 = loraKernels[float32]{
	size: 4,
	shrink: [3][]func(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32, *float32, int, *float32, int){
		levelAVX2:   {loraShrinkAVX2_F32_1, loraShrinkAVX2_F32_2, loraShrinkAVX2_F32_3},
		levelAVX512: {loraShrinkAVX512_F32_1, loraShrinkAVX512_F32_2, loraShrinkAVX512_F32_3, loraShrinkAVX512_F32_4},
	},
	expand: [3][]func(int, *float32, *float32, int, *float32){
		levelAVX2:   {loraExpandAVX2_F32_1, loraExpandAVX2_F32_2, loraExpandAVX2_F32_4, loraExpandAVX2_F32_8},
		levelAVX512: {loraExpandAVX512_F32_1, loraExpandAVX512_F32_2, loraExpandAVX512_F32_4, loraExpandAVX512_F32_8},
	},
}

var kernelsBF16 = loraKernels[uint16]{
	size: 2,
	shrink: [3][]func(int, *float32, *float32, *float32, *float32, *uint16, *uint16, *uint16, *uint16, int, *float32, int){
		levelAVX2:   {loraShrinkAVX2_BF16_1, loraShrinkAVX2_BF16_2, loraShrinkAVX2_BF16_3},
		levelAVX512: {loraShrinkAVX512_BF16_1, loraShrinkAVX512_BF16_2, loraShrinkAVX512_BF16_3, loraShrinkAVX512_BF16_4},
	},
	expand: [3][]func(int, *float32, *uint16, int, *float32){
		levelAVX2:   {loraExpandAVX2_BF16_1, loraExpandAVX2_BF16_2, loraExpandAVX2_BF16_4, loraExpandAVX2_BF16_8},
		levelAVX512: {loraExpandAVX512_BF16_1, loraExpandAVX512_BF16_2, loraExpandAVX512_BF16_4, loraExpandAVX512_BF16_8},
	},
}

var kernelsF16 = loraKernels[uint16]{
	size: 2,
	shrink: [3][]func(int, *float32, *float32, *float32, *float32, *uint16, *uint16, *uint16, *uint16, int, *float32, int){
		levelAVX2:   {loraShrinkAVX2_F16_1, loraShrinkAVX2_F16_2, loraShrinkAVX2_F16_3},
		levelAVX512: {loraShrinkAVX512_F16_1, loraShrinkAVX512_F16_2, loraShrinkAVX512_F16_3, loraShrinkAVX512_F16_4},
	},
	expand: [3][]func(int, *float32, *uint16, int, *float32){
		levelAVX2:   {loraExpandAVX2_F16_1, loraExpandAVX2_F16_2, loraExpandAVX2_F16_4, loraExpandAVX2_F16_8},
		levelAVX512: {loraExpandAVX512_F16_1, loraExpandAVX512_F16_2, loraExpandAVX512_F16_4, loraExpandAVX512_F16_8},
	},
}
