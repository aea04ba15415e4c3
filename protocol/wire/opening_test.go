package wire

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// An opening has arrays. Its digest is that of go-ethereum's encoder, for none, one and
// several reserves, and every part of it counts.
func TestOpeningIsHashedAsWalletsDo(t *testing.T) {
	_, d, key := readGolden(t)
	o := protocol.Opening{
		Requester: crypto.PubkeyToAddress(key.PublicKey), Session: protocol.Account{2}, Limit: *uint256.NewInt(3), Expiry: 1 << 40,
		Amount: *new(uint256.Int).Lsh(uint256.NewInt(1), 90), Nonce: *uint256.NewInt(7), Deadline: 99,
	}
	seen := map[protocol.Hash]bool{}
	for range 3 {
		signed, err := SignOpening(d, o, key)
		require.NoError(t, err)
		data := OpeningData(d, o)
		require.NoError(t, Verify(data, o.Requester, signed.Signature))
		digest, err := data.Digest()
		require.NoError(t, err)
		require.False(t, seen[digest])
		seen[digest] = true
		doc, err := data.JSON()
		require.NoError(t, err)
		var wallet apitypes.TypedData
		require.NoError(t, json.Unmarshal(doc, &wallet))
		other, _, err := apitypes.TypedDataAndHash(wallet)
		require.NoError(t, err)
		require.Equal(t, digest[:], other)
		changed := o
		changed.Reserves = append([]protocol.Reserve{{Worker: protocol.Account{0xbb}}}, o.Reserves...)
		require.Error(t, Verify(OpeningData(d, changed), o.Requester, signed.Signature))
		o.Reserves = append(o.Reserves, protocol.Reserve{Worker: protocol.Account{byte(len(o.Reserves) + 1)}, Amount: *uint256.NewInt(5)})
	}
	o.Deadline = -1
	_, err := SignOpening(d, o, key)
	require.Error(t, err)

	var back protocol.SignedOpening
	raw, err := json.Marshal(&protocol.SignedOpening{Opening: o, Signature: []byte{1}})
	require.NoError(t, err)
	require.Contains(t, string(raw), `"amount":"1237940039285380274899124224"`)
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, o, back.Opening)
}
