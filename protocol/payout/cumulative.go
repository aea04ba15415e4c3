package payout

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// CumulativeTree is a Merkle tree over what each account was owed in all epochs up to
// one: the tree that the epoch distributor checks claims against. It is OpenZeppelin's
// standard tree (their library merkle-tree, format standard-v1) of (address, uint256):
//
//	leaf = keccak256(keccak256(abi.encode(account, amount)))
//	node = keccak256(the smaller child, the greater child)
//
// The 2n-1 nodes are in one array, the root first, the children of node i at 2i+1 and
// 2i+2, and the leaves at its end, from the last place on in ascending order.
type CumulativeTree struct {
	payouts []Payout
	total   uint256.Int
	nodes   []protocol.Hash
	at      []int // of each payout's leaf in nodes
}

// NewCumulativeTree builds the tree. Payouts must be sorted by account without
// repetition and have positive amounts, as Aggregate and Accumulate give them.
func NewCumulativeTree(payouts []Payout) (*CumulativeTree, error) {
	if len(payouts) == 0 {
		return nil, protocol.Errorf(protocol.KindInvalid, "payouts", "are empty: there is nothing to distribute")
	}
	if err := checkSorted(payouts); err != nil {
		return nil, err
	}
	total, err := Total(payouts)
	if err != nil {
		return nil, err
	}
	n := len(payouts)
	t := &CumulativeTree{payouts: slices.Clone(payouts), total: total, nodes: make([]protocol.Hash, 2*n-1), at: make([]int, n)}
	leaves := make([]protocol.Hash, n)
	order := make([]int, n)
	for i := range payouts {
		leaves[i], order[i] = cumulativeLeaf(&payouts[i]), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(bytes.Compare(leaves[a][:], leaves[b][:]), cmp.Compare(a, b))
	})
	for rank, i := range order {
		t.at[i] = 2*n - 2 - rank
		t.nodes[t.at[i]] = leaves[i]
	}
	for i := n - 2; i >= 0; i-- {
		t.nodes[i] = hashPair(t.nodes[2*i+1], t.nodes[2*i+2])
	}
	return t, nil
}

// Root is what the distributor is given.
func (t *CumulativeTree) Root() protocol.Hash { return t.nodes[0] }

// Total is the sum of all amounts.
func (t *CumulativeTree) Total() uint256.Int { return t.total }

// Proof gives an account's amount and the siblings from its leaf up; ok is false if
// the tree has nothing for it.
func (t *CumulativeTree) Proof(a protocol.Account) (amount uint256.Int, proof []protocol.Hash, ok bool) {
	i, ok := slices.BinarySearchFunc(t.payouts, a, func(p Payout, a protocol.Account) int { return bytes.Compare(p.Account[:], a[:]) })
	if !ok {
		return amount, nil, false
	}
	for at := t.at[i]; at > 0; at = (at - 1) / 2 {
		sibling := at + 1
		if at%2 == 0 {
			sibling = at - 1
		}
		proof = append(proof, t.nodes[sibling])
	}
	return t.payouts[i].Amount, proof, true
}

// VerifyCumulative checks that a payout is a leaf of the cumulative tree with a root.
func VerifyCumulative(root protocol.Hash, p Payout, proof []protocol.Hash) error {
	h := cumulativeLeaf(&p)
	for _, sibling := range proof {
		h = hashPair(h, sibling)
	}
	if h != root {
		return protocol.Errorf(protocol.KindCorrupt, "root", "does not match: %s wei of %s are not in the tree", p.Amount.Dec(), p.Account)
	}
	return nil
}

// Accumulate adds what an epoch owes to what the epochs before it owed, both sorted by
// account without repetition.
func Accumulate(before, epoch []Payout) ([]Payout, error) {
	if err := checkSorted(before); err != nil {
		return nil, err
	}
	if err := checkSorted(epoch); err != nil {
		return nil, err
	}
	out := make([]Payout, 0, max(len(before), len(epoch)))
	for len(before) > 0 || len(epoch) > 0 {
		var order int
		switch {
		case len(epoch) == 0:
			order = -1
		case len(before) == 0:
			order = 1
		default:
			order = bytes.Compare(before[0].Account[:], epoch[0].Account[:])
		}
		switch {
		case order < 0:
			out, before = append(out, before[0]), before[1:]
		case order > 0:
			out, epoch = append(out, epoch[0]), epoch[1:]
		default:
			p := before[0]
			if _, over := p.Amount.AddOverflow(&p.Amount, &epoch[0].Amount); over {
				return nil, protocol.Errorf(protocol.KindInvalid, "amount", "payouts of %s do not fit in 256 bits", p.Account)
			}
			out, before, epoch = append(out, p), before[1:], epoch[1:]
		}
	}
	return out, nil
}

func checkSorted(payouts []Payout) error {
	for i := range payouts {
		p := &payouts[i]
		if p.Amount.IsZero() {
			return protocol.Errorf(protocol.KindInvalid, "payouts", "amount of %s is zero: leave it out", p.Account)
		}
		if i > 0 && bytes.Compare(payouts[i-1].Account[:], p.Account[:]) >= 0 {
			return protocol.Errorf(protocol.KindInvalid, "payouts", "account %s is out of order or repeated: use Aggregate", p.Account)
		}
	}
	return nil
}

func cumulativeLeaf(p *Payout) protocol.Hash {
	var b [2 * 32]byte
	copy(b[12:32], p.Account[:])
	p.Amount.WriteToSlice(b[32:64])
	return crypto.Keccak256Hash(crypto.Keccak256(b[:]))
}

func hashPair(a, b protocol.Hash) protocol.Hash {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return crypto.Keccak256Hash(a[:], b[:])
}
