package finetune

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// Split says which examples are trained on and which are held out, as indexes in
// their order. Which side a record is on depends on its digest and the share alone,
// so that a record that was held out once is held out in every later version of its
// datanet. At least one is on each side, if there are two: then the one whose hash
// is nearest to the border crosses it.
func Split(examples []Example, ratio float32) (trained, held []int) {
	border := uint64(math.Ldexp(float64(ratio), 64))
	least, most := 0, 0
	hash := make([]uint64, len(examples))
	for i := range examples {
		hash[i] = place(examples[i].Record)
		if hash[i] < hash[least] {
			least = i
		}
		if hash[i] > hash[most] {
			most = i
		}
	}
	all := true
	for _, h := range hash {
		all = all && h < border
	}
	for i, h := range hash {
		if ratio > 0 && (h < border || i == least) && (!all || i != most) {
			held = append(held, i)
		} else {
			trained = append(trained, i)
		}
	}
	return trained, held
}

// Marked tells apart the examples that are trained on and those that say of themselves that
// they are held out, as indexes in their order.
func Marked(examples []Example) (trained, held []int) {
	for i := range examples {
		if examples[i].Held {
			held = append(held, i)
		} else {
			trained = append(trained, i)
		}
	}
	return trained, held
}

func (c *Config) split(examples []Example) (trained, held []int) {
	if c.HeldOut {
		return Marked(examples)
	}
	return Split(examples, c.EvalRatio)
}

// place is where a record lies between 0 and 2^64. Nothing is known of how a
// record's own digest came about, so it is hashed once more.
func place(record [32]byte) uint64 {
	h := sha256.Sum256(append([]byte("openledger held-out 1\n"), record[:]...))
	return binary.BigEndian.Uint64(h[:])
}
