package node_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func TestSessionExpires(t *testing.T) {
	net.worker(t, net.identity(t))
	_, _, err := net.ask(t.Context(), net.brief, request("x", 4))
	if time.Now().Before(net.ended) { // the tests before this one may have taken longer
		require.NoError(t, err, "it is good until then")
	}
	time.Sleep(time.Until(net.ended))
	_, _, err = net.ask(t.Context(), net.brief, request("x", 4))
	require.Equal(t, protocol.KindEscrow, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "authorise")
}
