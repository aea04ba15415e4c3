package wire

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// The web application hashes an agent's order as this package does: its tests read the
// same file.
func TestAgentOrderVector(t *testing.T) {
	raw, err := os.ReadFile("testdata/agent_order.json")
	require.NoError(t, err)
	var v struct {
		protocol.AgentOrder
		ChainID  uint64           `json:"chain_id"`
		Contract protocol.Account `json:"contract"`
		Digest   protocol.Hash    `json:"digest"`
	}
	require.NoError(t, json.Unmarshal(raw, &v))
	digest, err := AgentOrderData(Domain{ChainID: v.ChainID, Contract: v.Contract}, v.AgentOrder).Digest()
	require.NoError(t, err)
	require.Equal(t, v.Digest, digest)
}
