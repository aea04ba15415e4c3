package node_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func TestSessionExpires(t *testing.T) {
	net.worker(t, net.identity(t))
	if time.Until(net.ended) > 2*time.Second {
		_, _, err := net.ask(t.Context(), net.brief, request("x", 4))
		require.NoError(t, err, "it is good until then")
	}
	time.Sleep(time.Until(net.ended))
	_, _, err := net.ask(t.Context(), net.brief, request("x", 4))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "authorise")
}
