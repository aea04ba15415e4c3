package payout

import (
	"math/rand"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/protocol"
)

func account(n byte) protocol.Account { return protocol.Account{0xaa, 19: n} }
func record(n byte) protocol.Hash     { return protocol.Hash{0xbb, 31: n} }

var amounts = rapid.Custom(func(t *rapid.T) uint256.Int {
	limbs := rapid.SliceOfN(rapid.Uint64(), 1, 3).Draw(t, "limbs")
	var a uint256.Int
	copy(a[:], limbs)
	if rapid.Bool().Draw(t, "small") {
		a = *uint256.NewInt(limbs[0] % 1000)
	}
	return a
})

type situation struct {
	Fee     protocol.Fee
	Params  Params
	Parties Parties
	Att     protocol.Attribution
}

var situations = rapid.Custom(func(t *rapid.T) situation {
	s := situation{
		Fee: protocol.Fee{Compute: amounts.Draw(t, "compute"), Access: amounts.Draw(t, "access"), Markup: amounts.Draw(t, "markup")},
		Params: Params{
			PlatformBps:      rapid.Uint64Range(0, BpsScale).Draw(t, "bps"),
			OwnerPart:        rapid.Uint64Range(0, 100).Draw(t, "owner"),
			StakersPart:      rapid.Uint64Range(0, 100).Draw(t, "stakers"),
			ContributorsPart: rapid.Uint64Range(1, 100).Draw(t, "contributors"),
		},
		Parties: Parties{Treasury: account(250), WorkerPayout: account(251), AgentOwner: account(249), ModelOwner: account(252), Pool: account(253)},
	}
	for range rapid.IntRange(0, 6).Draw(t, "n stakers") {
		s.Parties.Stakers = append(s.Parties.Stakers, Stake{account(rapid.ByteRange(1, 4).Draw(t, "staker")), amounts.Draw(t, "stake")})
	}
	s.Parties.Royalties = lineages.Draw(t, "lineage")
	left := uint64(protocol.WeightScale)
	for i := range rapid.IntRange(0, 8).Draw(t, "n records") {
		w := rapid.Uint64Range(0, left).Draw(t, "weight")
		left -= w
		s.Att.Shares = append(s.Att.Shares, protocol.RecordShare{Record: record(byte(i + 1)), Contributor: account(byte(20 + i%3)), Weight: w})
	}
	s.Att.Pool = left
	return s
})

func (s situation) split(t require.TestingT) []Share {
	shares, err := Split(s.Fee, s.Params, s.Parties, s.Att)
	require.NoError(t, err)
	return shares
}

func TestSplitAddsUpToTheFee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := situations.Draw(t, "situation")
		var sum uint256.Int
		for _, share := range s.split(t) {
			sum.Add(&sum, &share.Amount)
			require.False(t, share.Amount.IsZero())
		}
		require.Equal(t, s.Fee.Total(), sum)
		payouts, err := Aggregate(s.split(t))
		require.NoError(t, err)
		total, err := Total(payouts)
		require.NoError(t, err)
		require.Equal(t, sum, total)
	})
}

func TestSplitDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := situations.Draw(t, "situation")
		want := s.split(t)
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		stakers := append([]Stake(nil), s.Parties.Stakers...)
		shares := append([]protocol.RecordShare(nil), s.Att.Shares...)
		r.Shuffle(len(stakers), func(i, j int) { stakers[i], stakers[j] = stakers[j], stakers[i] })
		r.Shuffle(len(shares), func(i, j int) { shares[i], shares[j] = shares[j], shares[i] })
		s.Parties.Stakers, s.Att.Shares = stakers, shares
		require.Equal(t, want, s.split(t))

		r.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
		a, err := Aggregate(want)
		require.NoError(t, err)
		b, err := Aggregate(s.split(t))
		require.NoError(t, err)
		require.Equal(t, b, a)
	})
}

// A record with more weight, or a staker with more stake, never earns less.
func TestSplitIsMonotonicInWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := situations.Draw(t, "situation")
		byRecord := map[protocol.Hash]uint256.Int{}
		byStaker := map[protocol.Account]uint256.Int{}
		for _, share := range s.split(t) {
			switch share.Role {
			case RoleContributor:
				byRecord[share.Record] = share.Amount
			case RoleStaker:
				byStaker[share.Account] = share.Amount
			}
		}
		for _, a := range s.Att.Shares {
			for _, b := range s.Att.Shares {
				if a.Weight > b.Weight {
					x, y := byRecord[a.Record], byRecord[b.Record]
					require.False(t, x.Lt(&y), "weights %d > %d earn %s < %s", a.Weight, b.Weight, x.Dec(), y.Dec())
				}
			}
		}
		stakes, err := mergeStakes(s.Parties.Stakers)
		require.NoError(t, err)
		for _, a := range stakes {
			for _, b := range stakes {
				if a.Amount.Gt(&b.Amount) {
					x, y := byStaker[a.Account], byStaker[b.Account]
					require.False(t, x.Lt(&y))
				}
			}
		}
	})
}

// Every part lies between the floor and the ceiling of its quota, so a larger
// amount never takes more than one wei away from anybody.
func TestApportionKeepsTheQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64(), 1, 8).Draw(t, "weights")
		w := make([]uint256.Int, len(weights))
		var sum uint256.Int
		for i := range weights {
			w[i].SetUint64(weights[i])
			sum.Add(&sum, &w[i])
		}
		if sum.IsZero() {
			t.Skip("all weights zero")
		}
		amount := amounts.Draw(t, "amount")
		parts := make([]uint256.Int, len(w))
		err := new(apportioner).apportion(parts, &amount, w)
		require.NoError(t, err)
		more := amount
		more.AddUint64(&more, rapid.Uint64().Draw(t, "more"))
		bigger := make([]uint256.Int, len(w))
		err = new(apportioner).apportion(bigger, &more, w)
		require.NoError(t, err)
		for i := range w {
			var floor, up uint256.Int
			floor.MulDivOverflow(&amount, &w[i], &sum)
			up.AddUint64(&floor, 1)
			require.False(t, parts[i].Lt(&floor))
			require.False(t, parts[i].Gt(&up))
			up.AddUint64(&bigger[i], 1)
			require.False(t, parts[i].Gt(&up), "more money took from a party")
		}
	})
}

func TestSplitRefuses(t *testing.T) {
	good := func() situation {
		return situation{
			Fee:     protocol.Fee{Compute: *uint256.NewInt(1000), Access: *uint256.NewInt(1000)},
			Params:  DefaultParams(),
			Parties: Parties{Treasury: account(1), WorkerPayout: account(2), ModelOwner: account(3), Pool: account(4), Stakers: []Stake{{account(5), *uint256.NewInt(5)}}},
			Att:     protocol.Attribution{Pool: protocol.WeightScale - 10, Shares: []protocol.RecordShare{{Record: record(1), Contributor: account(6), Weight: 10}}},
		}
	}
	good().split(t)
	var most uint256.Int
	most.SetAllOne()
	for name, c := range map[string]struct {
		field string
		edit  func(*situation)
	}{
		"fee too large":      {"fee", func(s *situation) { s.Fee.Compute = most }},
		"bps":                {"platform_bps", func(s *situation) { s.Params.PlatformBps = 10_001 }},
		"no parts":           {"contributors_part", func(s *situation) { s.Params = Params{PlatformBps: 1} }},
		"huge part":          {"owner_part", func(s *situation) { s.Params.OwnerPart = 1 << 63 }},
		"no treasury":        {"treasury", func(s *situation) { s.Parties.Treasury = protocol.Account{} }},
		"markup too large":   {"fee", func(s *situation) { s.Fee.Markup = most }},
		"no agent's owner":   {"agent_owner", func(s *situation) { s.Fee.Markup = *uint256.NewInt(1) }},
		"no worker":          {"worker_payout", func(s *situation) { s.Parties.WorkerPayout = protocol.Account{} }},
		"no owner":           {"model_owner", func(s *situation) { s.Parties.ModelOwner = protocol.Account{} }},
		"no pool":            {"pool", func(s *situation) { s.Parties.Pool = protocol.Account{} }},
		"stake overflow":     {"weights", func(s *situation) { s.Parties.Stakers = append(s.Parties.Stakers, Stake{account(9), most}) }},
		"same stake twice":   {"stakers", func(s *situation) { s.Parties.Stakers = append(s.Parties.Stakers, Stake{account(5), most}) }},
		"weights short":      {"attribution", func(s *situation) { s.Att.Pool-- }},
		"weights over":       {"attribution", func(s *situation) { s.Att.Pool++ }},
		"weight wraps round": {"attribution.shares", func(s *situation) { s.Att.Shares[0].Weight = ^uint64(0) }},
		"pool wraps round":   {"attribution.pool", func(s *situation) { s.Att.Pool = ^uint64(0) - 9 }},
		"record twice":       {"attribution.shares", func(s *situation) { s.Att.Shares = append(s.Att.Shares, s.Att.Shares[0]) }},
		"record without id":  {"attribution.shares", func(s *situation) { s.Att.Shares[0].Record = protocol.Hash{} }},
		"empty attribution":  {"attribution", func(s *situation) { s.Att = protocol.Attribution{} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			c.edit(&s)
			_, err := Split(s.Fee, s.Params, s.Parties, s.Att)
			var e *protocol.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.field, e.Field, e.Message)
			require.Equal(t, protocol.KindInvalid, e.Kind)
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	s := situation{
		Fee:     protocol.Fee{Compute: *uint256.NewInt(1e15), Access: *uint256.NewInt(1e15)},
		Params:  DefaultParams(),
		Parties: Parties{Treasury: account(1), WorkerPayout: account(2), ModelOwner: account(3), Pool: account(4), Stakers: []Stake{{account(5), *uint256.NewInt(5)}, {account(6), *uint256.NewInt(7)}}},
		Att:     protocol.Attribution{Pool: protocol.WeightScale - 160},
	}
	for i := range 16 {
		s.Att.Shares = append(s.Att.Shares, protocol.RecordShare{Record: record(byte(i + 1)), Contributor: account(6), Weight: 10})
	}
	for b.Loop() {
		s.split(b)
	}
}

// A splitter that has divided other fees before divides like a fresh one, and what it
// gave out stays as it was.
func TestSplitterKeepsNothingBetweenFees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(situations, 2, 6).Draw(t, "situations")
		s, err := NewSplitter(list[0].Params, list[0].Parties.Stakers)
		require.NoError(t, err)
		got := make([][]Share, len(list))
		for i, c := range list {
			got[i], err = s.Split(c.Fee, c.Parties, c.Att)
			require.NoError(t, err)
			_ = append(got[i], Share{Role: "beyond"}) // must not reach into the next list
		}
		for i, c := range list {
			c.Params, c.Parties.Stakers = list[0].Params, list[0].Parties.Stakers
			require.Equal(t, c.split(t), got[i])
		}
	})
}
