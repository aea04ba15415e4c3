package chain

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func TestActionsAreNamed(t *testing.T) {
	fees, treasury, to := common.HexToAddress("0x01"), common.HexToAddress("0x02"), common.HexToAddress("0x03")
	at := Addresses{Fees: fees, Treasury: treasury}
	c := &Client{cfg: Config{Addresses: at}}
	for _, s := range Settings() {
		if s.Name != "fees.shares" {
			continue
		}
		a, err := s.Action(at, []uint256.Int{*uint256.NewInt(500), *uint256.NewInt(4000), *uint256.NewInt(500), *uint256.NewInt(5000)})
		require.NoError(t, err)
		n, ok := c.Name(a)
		require.True(t, ok)
		require.Equal(t, "fees", n.Contract)
		require.Contains(t, n.String(), "fees.setShares(")
		require.Contains(t, n.String(), "4000")
		a.To = to
		_, ok = c.Name(a)
		require.False(t, ok, "a stranger's contract may mean anything by the same bytes")
		a.To = fees
		for n := range a.Data { // cut anywhere, it is not named wrongly and nothing breaks
			cut := a
			cut.Data = a.Data[:n]
			_, ok := c.Name(cut)
			require.False(t, ok, "%d bytes", n)
		}
	}
	n, ok := c.Name(GrantAction(at, to, *uint256.NewInt(7), "for the writers"))
	require.True(t, ok)
	require.Equal(t, "treasury", n.Contract)
	require.Contains(t, n.String(), to.Hex())
	require.Contains(t, n.String(), "for the writers")
	_, ok = c.Name(Action{To: fees, Data: []byte{1, 2, 3, 4}})
	require.False(t, ok)
}
