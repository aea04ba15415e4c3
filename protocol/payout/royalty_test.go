package payout

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

// lineages draws a model's lineage: each entry is owed by the model or by an earlier one.
var lineages = rapid.Custom(func(t *rapid.T) []Royalty {
	var out []Royalty
	left := uint16(BpsScale)
	from := uint16(0)
	for range rapid.IntRange(0, 12).Draw(t, "ancestors") {
		if next := rapid.Uint16Range(from, uint16(len(out))).Draw(t, "from"); next != from {
			from, left = next, BpsScale
		}
		bps := rapid.Uint16Range(0, left).Draw(t, "bps")
		left -= bps
		out = append(out, Royalty{Adapter: record(byte(len(out) + 1)), Account: account(rapid.ByteRange(100, 106).Draw(t, "account")), From: from, Bps: bps})
	}
	return out
})

// A lineage changes nothing but the owner's part, and divides that exactly.
func TestRoyaltiesComeFromTheOwnerAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := situations.Draw(t, "situation")
		var derived, paid uint256.Int
		var others []Share
		for _, share := range s.split(t) {
			if share.Role == RoleOwner || share.Role == RoleRoyalty {
				derived.Add(&derived, &share.Amount)
				continue
			}
			others = append(others, share)
		}
		s.Parties.Royalties = nil
		var without []Share
		for _, share := range s.split(t) {
			if share.Role == RoleOwner {
				paid = share.Amount
				continue
			}
			without = append(without, share)
		}
		require.Equal(t, paid, derived)
		require.Equal(t, without, others)
	})
}

// Every entry has, with all that is behind it, what it is owed to within a wei; nobody
// keeps less than the rest after its parents' parts, to within a wei for each of them.
func TestRoyaltiesAreTheBasisPointsOfWhoOwes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lineage := lineages.Draw(t, "lineage")
		amount := amounts.Draw(t, "amount")
		kept, err := Royalties(&amount, lineage)
		require.NoError(t, err)
		had := append([]uint256.Int(nil), kept...) // before its own royalties
		for i := len(lineage) - 1; i >= 0; i-- {
			from := &had[lineage[i].From]
			from.Add(from, &had[i+1])
		}
		require.Equal(t, amount, had[0])
		for i, r := range lineage {
			var floor, up uint256.Int
			floor.MulDivOverflow(&had[r.From], uint256.NewInt(uint64(r.Bps)), uint256.NewInt(BpsScale))
			up.AddUint64(&floor, 1)
			require.False(t, had[i+1].Lt(&floor), "entry %d has %s of %s", i+1, had[i+1].Dec(), had[r.From].Dec())
			require.False(t, had[i+1].Gt(&up), "entry %d has %s of %s", i+1, had[i+1].Dec(), had[r.From].Dec())
		}
	})
}

func TestRoyaltiesRefuse(t *testing.T) {
	thousand := uint256.NewInt(1000)
	for name, lineage := range map[string][]Royalty{
		"owed by a later one": {{From: 1, Bps: 1}},
		"owed by itself":      {{From: 0, Bps: 1}, {From: 2, Bps: 1}},
		"out of order":        {{From: 0, Bps: 1}, {From: 1, Bps: 1}, {From: 0, Bps: 1}},
		"more than all":       {{From: 0, Bps: 6000}, {From: 0, Bps: 4001}},
		"too long":            make([]Royalty, MaxRoyalties+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Royalties(thousand, lineage)
			var e *protocol.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "royalties", e.Field)
		})
	}
	_, err := Royalties(thousand, make([]Royalty, MaxRoyalties))
	require.NoError(t, err)
	fee := protocol.Fee{Access: *thousand}
	_, err = Split(fee, DefaultParams(), Parties{Treasury: account(1), ModelOwner: account(2), Pool: account(3), Royalties: []Royalty{{Bps: 1000}}},
		protocol.Attribution{Pool: protocol.WeightScale})
	require.ErrorContains(t, err, "zero account")
}
