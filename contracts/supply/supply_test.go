package supply_test

import (
	"os"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/contracts/supply"
	"github.com/openledger/openledger/protocol"
)

func file(t require.TestingT) []byte {
	raw, err := os.ReadFile("../genesis/token.json")
	require.NoError(t, err)
	return raw
}

func config(t require.TestingT) supply.Config {
	c, err := supply.Parse(file(t))
	require.NoError(t, err)
	return c
}

func open(tenths uint64) string {
	return new(uint256.Int).Mul(uint256.NewInt(tenths), uint256.NewInt(1e17)).Dec()
}

// The known points: 215.5 M at TGE, a quarter of the 48-month parts more at month 12,
// all at month 48.
func TestKnownPoints(t *testing.T) {
	c := config(t)
	require.Equal(t, open(1e10), c.Supply.Dec())
	for month, tenths := range map[uint64]uint64{0: 2_155_000_000, 12: 2_155_000_000 + 1_129_000_000, 48: 1e10, 60: 1e10} {
		got := c.Circulating(c.At(month))
		require.Equal(t, open(tenths), got.Dec(), "month %d", month)
	}
	require.EqualValues(t, 48, c.Months())
	before := c.Circulating(c.TGE - 1)
	require.True(t, before.IsZero(), "nothing before TGE")
	almost := c.Circulating(c.At(48) - 1)
	require.True(t, almost.Lt(&c.Supply))
}

func TestNeverFallsNeverExceeds(t *testing.T) {
	c := config(t)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Uint64Range(c.TGE-1000, c.At(50))
		a, b := at.Draw(t, "a"), at.Draw(t, "b")
		early, late := c.Circulating(min(a, b)), c.Circulating(max(a, b))
		require.False(t, late.Lt(&early))
		require.False(t, late.Gt(&c.Supply))
	})
}

func TestBadConfigurationsAreNamed(t *testing.T) {
	for _, c := range []struct{ from, to, field string }{
		{`"517100000000000000000000000"`, `"517100000000000000000000001"`, "add up to"},
		{`"tge_wei": "165500000000000000000000000"`, `"tge_wei": "565500000000000000000000000"`, "community frees"},
		{`"tge": 1798761600`, `"tge": 0`, "tge"},
		{`"month_seconds": 2629800`, `"month_seconds": 0`, "month_seconds"},
		{`"name": "team"`, `"name": "investors"`, "twice"},
		{`0x00000000000000000000000000000000000C0004`, `0x0000000000000000000000000000000000000000`, "team has no beneficiary"},
		{`"linear_months": 0`, `"linear_months": 3`, "liquidity: a locked part"},
		{`"symbol"`, `"symbols"`, "not as expected"},
	} {
		require.Contains(t, string(file(t)), c.from)
		_, err := supply.Parse([]byte(strings.Replace(string(file(t)), c.from, c.to, 1)))
		require.ErrorContains(t, err, c.field)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(f))
	f.Add([]byte(`{"supply_wei":"1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := supply.Parse(raw)
		if err != nil {
			return
		}
		end := c.Circulating(c.At(c.Months()))
		require.Equal(t, c.Supply.Dec(), end.Dec())
	})
}
