package chain

import (
	"crypto/ecdsa"
	"encoding/hex"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	signing "github.com/openledger/openledger/protocol/wire"
)

func sampleKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("session")))
	require.NoError(t, err)
	return key
}

// The two test vectors of EIP-2098.
func TestCompactSignatures(t *testing.T) {
	for _, c := range []struct{ r, s, v, vs string }{
		{
			"68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90",
			"7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064", "1b",
			"7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064",
		},
		{
			"9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76",
			"139c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793", "1c",
			"939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793",
		},
	} {
		r, vs, err := compact(common.FromHex(c.r + c.s + c.v))
		require.NoError(t, err)
		require.Equal(t, c.r, hex.EncodeToString(r[:]))
		require.Equal(t, c.vs, hex.EncodeToString(vs[:]))
	}
}

// The packed signature is the same signature: for either parity it unpacks to what was
// signed.
func TestVouchersArePackedForSettlement(t *testing.T) {
	key, worker := sampleKey(t), protocol.Account{7}
	domain := signing.Domain{ChainID: 1, Contract: protocol.Account{1}}
	parities := map[byte]bool{}
	for i := range uint64(32) {
		v, err := signing.SignVoucher(domain, protocol.Voucher{Requester: protocol.Account{2}, Worker: worker, Cumulative: *uint256.NewInt(i), Expires: 9}, key)
		require.NoError(t, err)
		out, err := vouchersOf(worker, []protocol.SignedVoucher{v})
		require.NoError(t, err)
		require.Equal(t, v.Voucher.Requester, out[0].Requester)
		require.Equal(t, i, out[0].Cumulative.Uint64())
		require.Equal(t, uint64(9), out[0].Expires)
		parity := out[0].Vs[0] >> 7
		parities[parity] = true
		s := out[0].Vs
		s[0] &= 0x7f
		require.Equal(t, v.Signature, append(append(out[0].R[:], s[:]...), 27+parity))
	}
	require.Len(t, parities, 2)
}

func TestBadVouchersAreNotSent(t *testing.T) {
	worker := protocol.Account{7}
	v, err := signing.SignVoucher(signing.Domain{ChainID: 1}, protocol.Voucher{Worker: worker, Expires: 9}, sampleKey(t))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		field string
		spoil func(*protocol.SignedVoucher)
	}{
		"another worker's": {"voucher.worker", func(v *protocol.SignedVoucher) { v.Voucher.Worker = protocol.Account{8} }},
		"before 1970":      {"voucher.expires", func(v *protocol.SignedVoucher) { v.Voucher.Expires = -1 }},
		"cut":              {"voucher.signature", func(v *protocol.SignedVoucher) { v.Signature = v.Signature[:64] }},
		"no parity":        {"voucher.signature", func(v *protocol.SignedVoucher) { v.Signature[64] = 1 }},
		"high s":           {"voucher.signature", func(v *protocol.SignedVoucher) { v.Signature[32] |= 0x80 }},
	} {
		bad := v
		bad.Signature = append([]byte(nil), v.Signature...)
		c.spoil(&bad)
		_, err := vouchersOf(worker, []protocol.SignedVoucher{bad})
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), name)
		require.ErrorContains(t, err, c.field, name)
	}
}
