package payout

import (
	"bytes"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Domain bytes that keep leaves and inner nodes apart.
const (
	leafTag = 0
	nodeTag = 1
)

// Node is a node of a Merkle-sum tree: its hash and the sum of the amounts below.
type Node struct {
	Hash protocol.Hash `json:"hash"`
	Sum  uint256.Int   `json:"sum"`
}

// Tree is a Merkle-sum tree over payouts.
//
//	leaf = keccak256(abi.encode(uint8(0), index, account, amount)), sum = amount
//	node = keccak256(abi.encode(uint8(1), left.hash, left.sum, right.hash, right.sum)), sum = left.sum + right.sum
//
// The last node of a level with an odd number of nodes is promoted unchanged.
type Tree struct {
	payouts []Payout
	levels  [][]Node // levels[0] are the leaves
}

// NewTree builds the tree. Payouts must be sorted by account without
// repetition and have positive amounts, as Aggregate gives them.
func NewTree(payouts []Payout) (*Tree, error) {
	if len(payouts) == 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, "payouts", "are empty: there is nothing to settle")
	}
	if _, err := Total(payouts); err != nil {
		return nil, err
	}
	if err := checkSorted(payouts); err != nil {
		return nil, err
	}
	level := make([]Node, len(payouts))
	for i := range payouts {
		level[i] = leafNode(uint64(i), &payouts[i])
	}
	t := &Tree{payouts: append([]Payout(nil), payouts...), levels: [][]Node{level}}
	for len(level) > 1 {
		next := make([]Node, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			n, _ := innerNode(&level[i], &level[i+1]) // the total was checked above
			next = append(next, n)
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1])
		}
		t.levels = append(t.levels, next)
		level = next
	}
	return t, nil
}

// Root is the root hash with the total.
func (t *Tree) Root() Node { return t.levels[len(t.levels)-1][0] }

// Count is the number of leaves.
func (t *Tree) Count() uint64 { return uint64(len(t.payouts)) }

// Payout is the leaf at an index.
func (t *Tree) Payout(index uint64) (Payout, error) {
	if index >= t.Count() {
		return Payout{}, protocol.Errorf(protocol.KindNotFound, "index", "%d is beyond the last of %d leaves", index, t.Count())
	}
	return t.payouts[index], nil
}

// Find gives the index of an account's leaf.
func (t *Tree) Find(a protocol.Account) (uint64, bool) {
	lo, hi := 0, len(t.payouts)
	for lo < hi {
		mid := (lo + hi) / 2
		if bytes.Compare(t.payouts[mid].Account[:], a[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint64(lo), lo < len(t.payouts) && t.payouts[lo].Account == a
}

// Proof shows that a leaf is in the tree. Sides derive from Index and Count.
type Proof struct {
	Index    uint64 `json:"index"`
	Count    uint64 `json:"count"`
	Siblings []Node `json:"siblings"` // from the leaf up
}

// Proof gives the proof of the leaf at an index.
func (t *Tree) Proof(index uint64) (Proof, error) {
	if _, err := t.Payout(index); err != nil {
		return Proof{}, err
	}
	p := Proof{Index: index, Count: t.Count()}
	for _, level := range t.levels[:len(t.levels)-1] {
		if sibling := index ^ 1; sibling < uint64(len(level)) {
			p.Siblings = append(p.Siblings, level[sibling])
		}
		index >>= 1
	}
	return p, nil
}

// Verify checks that leaf is at p.Index of the tree that root commits to.
func (p Proof) Verify(root Node, leaf Payout) error {
	if p.Index >= p.Count {
		return protocol.Errorf(protocol.KindInvalid, "index", "%d is beyond the last of %d leaves", p.Index, p.Count)
	}
	n := leafNode(p.Index, &leaf)
	used := 0
	for i, width := p.Index, p.Count; width > 1; i, width = i>>1, width/2+width%2 {
		if i == width-1 && width%2 == 1 {
			continue // promoted
		}
		if used == len(p.Siblings) {
			return protocol.Errorf(protocol.KindInvalid, "siblings", "are too few: %d for %d leaves", used, p.Count)
		}
		left, right := &n, &p.Siblings[used]
		if i%2 == 1 {
			left, right = right, left
		}
		used++
		var ok bool
		if n, ok = innerNode(left, right); !ok {
			return protocol.Errorf(protocol.KindInvalid, "siblings", "sums do not fit in 256 bits")
		}
	}
	if used != len(p.Siblings) {
		return protocol.Errorf(protocol.KindInvalid, "siblings", "are too many: %d of %d used", used, len(p.Siblings))
	}
	if n != root {
		return protocol.Errorf(protocol.KindCorrupt, "root", "does not match: the leaf is not in the batch")
	}
	return nil
}

func leafNode(index uint64, p *Payout) Node {
	var b [4 * 32]byte
	b[31] = leafTag
	uint256.NewInt(index).WriteToSlice(b[32:64])
	copy(b[64+12:96], p.Account[:])
	p.Amount.WriteToSlice(b[96:128])
	return Node{Hash: crypto.Keccak256Hash(b[:]), Sum: p.Amount}
}

func innerNode(left, right *Node) (Node, bool) {
	var sum uint256.Int
	if _, over := sum.AddOverflow(&left.Sum, &right.Sum); over {
		return Node{}, false
	}
	var b [5 * 32]byte
	b[31] = nodeTag
	copy(b[32:64], left.Hash[:])
	left.Sum.WriteToSlice(b[64:96])
	copy(b[96:128], right.Hash[:])
	right.Sum.WriteToSlice(b[128:160])
	return Node{Hash: crypto.Keccak256Hash(b[:]), Sum: sum}, true
}
