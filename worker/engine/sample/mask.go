package sample

import (
	"math"
	"math/bits"
)

// Mask is a set of token ids, one bit each; ids beyond its end are not in it. The nil
// Mask stands for every token.
type Mask []uint64

// NewMask makes an empty mask for ids below n.
func NewMask(n int) Mask { return make(Mask, (n+63)/64) }

// Add puts an id below the mask's size into it.
func (m Mask) Add(id uint32) { m[id/64] |= 1 << (id % 64) }

// Has says whether id is in the mask.
func (m Mask) Has(id uint32) bool {
	return m == nil || int(id/64) < len(m) && m[id/64]>>(id%64)&1 != 0
}

// Count is the number of ids.
func (m Mask) Count() (n int) {
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

// lowest is the lowest id in the mask, 0 for one with none.
func (m Mask) lowest() uint32 {
	for i, w := range m {
		if w != 0 {
			return uint32(i*64 + bits.TrailingZeros64(w))
		}
	}
	return 0
}

// exclude sets the logits of ids outside the mask to -Inf. The mask is not nil.
func (m Mask) exclude(x []float32) {
	none := float32(math.Inf(-1))
	for i := 0; i < len(x); i += 64 {
		var w uint64
		if i/64 < len(m) {
			w = m[i/64]
		}
		part := x[i:min(i+64, len(x))]
		switch w {
		case ^uint64(0):
		case 0:
			for j := range part {
				part[j] = none
			}
		default:
			for j := range part {
				if w>>j&1 == 0 {
					part[j] = none
				}
			}
		}
	}
}
