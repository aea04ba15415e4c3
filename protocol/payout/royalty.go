package payout

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// MaxRoyalties bounds the steps of one lineage, as the model registry does.
const MaxRoyalties = 64

// Royalty is one step of a model's lineage: what the owner of a parent is owed of what
// the owner of the derived model would have had. A lineage lists the steps from the
// model itself (From 0), then those from the first entry (From 1), and so on; entries
// that owe nothing are left out of the order.
type Royalty struct {
	Adapter protocol.Hash    `json:"adapter"` // the parent
	Account protocol.Account `json:"account"` // its owner
	From    uint16           `json:"from"`    // who owes: 0 the model's owner, k the k-th entry's
	Bps     uint16           `json:"bps"`     // of what that one has before its own royalties
}

// Royalties divides an owner's part along a lineage: what the owner keeps, then what
// each entry has. They add up to the amount. Whoever is owed a part passes on what its
// own parents ask of it, and keeps the rest; each level is divided with largest
// remainders, ties to the one that owes, then in the order of the list.
func Royalties(amount *uint256.Int, lineage []Royalty) ([]uint256.Int, error) {
	var s Splitter
	if err := s.divideOwner(amount, lineage); err != nil {
		return nil, err
	}
	return slices.Clone(s.owed), nil
}

// splitOwner adds the shares of a model's owner and of the owners along its lineage.
func (s *Splitter) splitOwner(out *shareList, amount *uint256.Int, parties *Parties) error {
	if err := s.divideOwner(amount, parties.Royalties); err != nil {
		return err
	}
	out.add(RoleOwner, "model_owner", parties.ModelOwner, &s.owed[0], protocol.Hash{})
	for i := range parties.Royalties {
		out.add(RoleRoyalty, "royalties", parties.Royalties[i].Account, &s.owed[i+1], protocol.Hash{})
	}
	return nil
}

// divideOwner puts what Royalties gives into s.owed.
func (s *Splitter) divideOwner(amount *uint256.Int, lineage []Royalty) error {
	if len(lineage) > MaxRoyalties {
		return protocol.Errorf(protocol.KindInvalid, "royalties", "are %d: a lineage has at most %d", len(lineage), MaxRoyalties)
	}
	s.owed = slices.Grow(s.owed[:0], len(lineage)+1)[:len(lineage)+1]
	s.owed[0] = *amount
	for first := 0; first < len(lineage); {
		from := lineage[first].From
		if int(from) > first || first > 0 && from <= lineage[first-1].From {
			return protocol.Errorf(protocol.KindInvalid, "royalties", "entry %d is owed by %d, which is out of order", first+1, from)
		}
		end, left := first, uint64(BpsScale)
		s.weights = append(s.weights[:0], uint256.Int{})
		for ; end < len(lineage) && lineage[end].From == from; end++ {
			bps := uint64(lineage[end].Bps)
			if bps > left {
				return protocol.Errorf(protocol.KindInvalid, "royalties", "of entry %d are more than %d basis points together", from, BpsScale)
			}
			left -= bps
			s.weights = append(s.weights, *uint256.NewInt(bps))
		}
		s.weights[0].SetUint64(left)
		parts := s.partsFor(len(s.weights))
		if err := s.scratch.apportion(parts, &s.owed[from], s.weights); err != nil {
			return err
		}
		s.owed[from] = parts[0]
		copy(s.owed[first+1:], parts[1:])
		first = end
	}
	return nil
}
