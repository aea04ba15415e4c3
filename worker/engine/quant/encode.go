package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Encode writes the values of src, which must be whole blocks, into all of dst. Q4_K
// and Q6_K cannot be encoded.
func Encode(t Type, dst []byte, src []float32) error {
	if err := check(t, len(src), len(dst)); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	switch t {
	case F32:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case F16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToF16(v))
		}
	case BF16:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToBF16(v))
		}
	case Q8_0:
		for ; len(src) > 0; dst, src = dst[34:], src[32:] {
			encodeQ8_0(dst[:34], src[:32])
		}
	case Q4_0:
		for ; len(src) > 0; dst, src = dst[18:], src[32:] {
			encodeQ4_0(dst[:18], src[:32])
		}
	default:
		return fmt.Errorf("encode: writing %v is not supported: use F32, F16, BF16, Q8_0 or Q4_0", t)
	}
	return nil
}

// inverse is 1/d, and 0 for a block of zeros.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// The largest magnitude becomes 127; values are rounded half away from zero with the
// scale before it is rounded to a half.
func encodeQ8_0(dst []byte, src []float32) {
	var most float32
	for _, v := range src {
		most = max(most, float32(math.Abs(float64(v))))
	}
	d := most / 127
	id := inverse(d)
	binary.LittleEndian.PutUint16(dst, ToF16(d))
	for i, v := range src {
		dst[2+i] = byte(int8(clamp(math.Round(float64(float32(v*id))), -127, 127)))
	}
}

// The value of largest magnitude, the first of equals, becomes -8.
func encodeQ4_0(dst []byte, src []float32) {
	var most, peak float32
	for _, v := range src {
		if a := float32(math.Abs(float64(v))); a > most {
			most, peak = a, v
		}
	}
	d := peak / -8
	id := inverse(d)
	binary.LittleEndian.PutUint16(dst, ToF16(d))
	nibble := func(v float32) byte { return byte(clamp(float64(float32(v*id)+8.5), 0, 15)) }
	for i := range 16 {
		dst[2+i] = nibble(src[i]) | nibble(src[i+16])<<4
	}
}

// clamp keeps a value that is converted to an integer in range: NaN becomes the lower end.
func clamp(v, low, high float64) float64 {
	if !(v > low) {
		return low
	}
	return min(v, high)
}

// ToBF16 rounds to the nearest bfloat16, ties to even.
func ToBF16(v float32) uint16 {
	b := math.Float32bits(v)
	if b&0x7fffffff > 0x7f800000 { // NaN stays one
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + (b>>16)&1) >> 16)
}

// ToF16 rounds to the nearest IEEE half, ties to even; what is too large becomes infinite.
func ToF16(v float32) uint16 {
	b := math.Float32bits(v)
	sign, abs := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN stays one
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x47800000: // 65536 and above
		return sign | 0x7c00
	case abs < 0x38800000: // subnormal: adding 0.5 rounds at the bit that counts
		return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)-0x3f000000)
	}
	abs += 0xfff + abs>>13&1 // may carry into the exponent, up to infinity
	return sign | uint16((abs-0x38000000)>>13)
}
