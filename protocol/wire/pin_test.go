package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// What was hashed and signed before a field was added keeps its hash and its signature
// while the field is unset.
func TestOldDocumentsKeepTheirHashes(t *testing.T) {
	digest, err := EvidenceDigest(sampleEvidence())
	require.NoError(t, err)
	require.Equal(t, "0xf79cd6247cf69af9c3e433a299261fd29198ca064145e22ef9985b9c3acf57c9", digest.Hex())
	data, err := JobData(Domain{ChainID: 5, Contract: protocol.Account{6}}, sampleJob(), protocol.Account{7})
	require.NoError(t, err)
	hash, err := data.Digest()
	require.NoError(t, err)
	require.Equal(t, "0x1500c1991116021cb41edd0effb53ebd2bb0be180714ed41aff8dbc853f367d0", hash.Hex())
}
