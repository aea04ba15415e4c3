package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Decode reads len(dst) values, which must be whole blocks and all of src. The
// products are rounded to float32 one by one, never fused, as the reference does.
func Decode(t Type, dst []float32, src []byte) error {
	if err := check(t, len(dst), len(src)); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = FromF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = FromBF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	default:
		f, _ := t.format()
		block := map[Type]func([]float32, []byte){Q8_0: decodeQ8_0, Q4_0: decodeQ4_0, Q4_K: decodeQ4K, Q6_K: decodeQ6K}[t]
		for len(dst) > 0 {
			block(dst[:f.values], src[:f.bytes])
			dst, src = dst[f.values:], src[f.bytes:]
		}
	}
	return nil
}

func half(b []byte) float32 { return FromF16(binary.LittleEndian.Uint16(b)) }

func decodeQ8_0(dst []float32, b []byte) {
	d, q := half(b), b[2:34]
	for i := range dst {
		dst[i] = d * float32(int8(q[i]))
	}
}

// The first 16 values are the low nibbles, the other 16 the high ones, both less 8.
func decodeQ4_0(dst []float32, b []byte) {
	d, q := half(b), b[2:18]
	for i, v := range q {
		dst[i] = d * float32(int(v&15)-8)
		dst[i+16] = d * float32(int(v>>4)-8)
	}
}

// Q4_K: value = d*scale*q - dmin*min, with a scale and a minimum for each run of 32.
// Each 32 bytes hold a run in their low nibbles and the next in their high ones.
func decodeQ4K(dst []float32, b []byte) {
	d, dmin, scales, q := half(b), half(b[2:]), b[4:16], b[16:144]
	for run := range 8 {
		sc, mn := scaleMinK4(run, scales)
		scale, low := float32(d*float32(sc)), float32(dmin*float32(mn))
		part, shift := q[32*(run/2):32*(run/2)+32], 4*(run%2)
		for i, v := range part {
			dst[32*run+i] = float32(scale*float32(v>>shift&15)) - low
		}
	}
}

// scaleMinK4 unpacks 6-bit numbers: the first four runs have theirs whole in bytes 0-7;
// the others have 4 bits in bytes 8-11 and the 2 upper ones atop those of the first four.
func scaleMinK4(run int, b []byte) (scale, low byte) {
	if run < 4 {
		return b[run] & 63, b[run+4] & 63
	}
	return b[run+4]&15 | b[run-4]>>6<<4, b[run+4]>>4 | b[run]>>6<<4
}

// Q6_K: value = d*scale*(q-32), with a scale for each run of 16. Of each half of 128
// values, 64 bytes hold the lower 4 bits and 32 bytes the upper 2.
func decodeQ6K(dst []float32, b []byte) {
	d := half(b[208:])
	for h := range 2 {
		low, high, scales := b[64*h:64*h+64], b[128+32*h:160+32*h], b[192+8*h:200+8*h]
		for i := range 128 {
			quarter, at := i/32, i%32
			q := int(low[32*(quarter%2)+at]>>(4*(quarter/2))&15) | int(high[at]>>(2*quarter)&3)<<4
			scale := float32(d * float32(int8(scales[i/16])))
			dst[128*h+i] = scale * float32(q-32)
		}
	}
}

// FromBF16 widens a bfloat16, exactly.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// FromF16 widens an IEEE half, exactly.
func FromF16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&0x3ff
	switch exp {
	case 0: // zero or subnormal
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	default:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
}
