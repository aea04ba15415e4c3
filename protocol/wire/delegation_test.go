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

// A delegation is hashed as wallets do, every part of it counts, and who signs an order,
// a contribution or a review in another's name is told from the signature alone.
func TestDelegationIsHashedAsWalletsDo(t *testing.T) {
	_, d, key := readGolden(t)
	g := protocol.Delegation{Owner: crypto.PubkeyToAddress(key.PublicKey), Delegate: protocol.Account{2},
		Scopes: protocol.ScopeTrain | protocol.ScopePublish, Expiry: 1 << 40, Nonce: *uint256.NewInt(7), Deadline: 99}
	signed, err := SignDelegation(d, g, key)
	require.NoError(t, err)
	data := DelegationData(d, g)
	require.NoError(t, Verify(data, g.Owner, signed.Signature))
	digest, err := data.Digest()
	require.NoError(t, err)
	doc, err := data.JSON()
	require.NoError(t, err)
	var wallet apitypes.TypedData
	require.NoError(t, json.Unmarshal(doc, &wallet))
	other, _, err := apitypes.TypedDataAndHash(wallet)
	require.NoError(t, err)
	require.Equal(t, digest[:], other)
	for _, change := range []func(*protocol.Delegation){
		func(g *protocol.Delegation) { g.Owner[0]++ }, func(g *protocol.Delegation) { g.Delegate[0]++ },
		func(g *protocol.Delegation) { g.Scopes |= protocol.ScopeContribute }, func(g *protocol.Delegation) { g.Expiry++ },
		func(g *protocol.Delegation) { g.Nonce = *uint256.NewInt(8) }, func(g *protocol.Delegation) { g.Deadline++ },
	} {
		changed := g
		change(&changed)
		require.Error(t, Verify(DelegationData(d, changed), g.Owner, signed.Signature))
	}
	raw, err := json.Marshal(&signed)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"nonce":"7"`)
	var back protocol.SignedDelegation
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, signed, back)

	stranger := protocol.Account{9}
	contribution, err := SignContribution(d, protocol.Contribution{Datanet: 1, Contributor: stranger, License: "MIT", At: 1}, key)
	require.NoError(t, err)
	signer, err := ContributionSigner(d, contribution)
	require.NoError(t, err)
	require.Equal(t, g.Owner, signer)
	require.Error(t, VerifyContribution(d, contribution))
	review, err := SignReview(d, protocol.Review{Datanet: 1, Status: protocol.ReviewAccepted, At: 1}, key)
	require.NoError(t, err)
	signer, err = ReviewSigner(d, review)
	require.NoError(t, err)
	require.Equal(t, g.Owner, signer)
	order := protocol.TrainingOrder{Owner: stranger, Name: "a"}
	sig, err := SignTrainingOrder(d, order, key)
	require.NoError(t, err)
	signer, err = TrainingOrderSigner(d, order, sig)
	require.NoError(t, err)
	require.Equal(t, g.Owner, signer)
	require.Error(t, VerifyTrainingOrder(d, order, sig))
}

func TestDelegateScopesAreParsed(t *testing.T) {
	s, err := protocol.ParseDelegateScopes([]string{"train", " publish"})
	require.NoError(t, err)
	require.Equal(t, protocol.DelegateScopes(3), s)
	require.Equal(t, "train,publish", s.String())
	require.True(t, s.Has(protocol.ScopeTrain))
	require.False(t, s.Has(protocol.ScopeTrain|protocol.ScopeContribute))
	for _, bad := range [][]string{nil, {"spend"}, {"train", ""}} {
		_, err := protocol.ParseDelegateScopes(bad)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	}
}
