package validator

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// Sample chooses a share of the receipts, one at least and most at most (0: no bound),
// by a seed. Named ones come first, and come always.
func Sample(seed protocol.Hash, share float64, most int, named ...protocol.Hash) Choose {
	return func(ids []protocol.Hash) []int {
		n := max(1, int(math.Ceil(share*float64(len(ids)))))
		if most > 0 {
			n = min(n, most)
		}
		type ticket struct {
			at    int
			named bool
			key   [32]byte
		}
		tickets := make([]ticket, len(ids))
		for i, id := range ids {
			tickets[i] = ticket{at: i, named: slices.Contains(named, id), key: sha256.Sum256(append(seed[:], id[:]...))}
			if tickets[i].named {
				n++
			}
		}
		slices.SortFunc(tickets, func(a, b ticket) int {
			if a.named != b.named {
				if a.named {
					return -1
				}
				return 1
			}
			return bytes.Compare(a.key[:], b.key[:])
		})
		out := make([]int, 0, n)
		for _, t := range tickets[:min(n, len(tickets))] {
			out = append(out, t.at)
		}
		return out
	}
}

// seed mixes a secret, the chain's randomness and what is judged.
func seed(secret []byte, random protocol.Hash, worker protocol.Account, nonce uint64) protocol.Hash {
	h := sha256.New()
	h.Write([]byte("openledger/sample/1"))
	h.Write(secret)
	h.Write(random[:])
	h.Write(worker[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], nonce)
	h.Write(n[:])
	return protocol.Hash(h.Sum(nil))
}
