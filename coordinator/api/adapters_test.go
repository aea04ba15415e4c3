package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) OrderAdapter(_ context.Context, requester protocol.Account, model string, action protocol.AdapterAction, worker protocol.PeerID) ([]AdapterPlacement, error) {
	if requester != tenant || model != "fables" {
		return nil, fmt.Errorf("wrong tenant %s or model %q", requester, model)
	}
	return []AdapterPlacement{{Worker: worker, Tier: string(action), Pinned: action == protocol.AdapterPin}}, s.err
}

func TestAdapterOrders(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil)
	for _, action := range []string{"load", "pin", "unpin", "unload"} {
		status, _, body := send(t, "POST", url+"/api/v1/adapters/fables/"+action, `{"worker":"12D3Koo"}`)
		require.Equal(t, http.StatusOK, status, body)
		require.JSONEq(t, fmt.Sprintf(`{"adapter":"fables","action":%q,"workers":[{"worker":"12D3Koo","tier":%q,"pinned":%v}]}`, action, action, action == "pin"), body)
	}
	status, _, body := send(t, "POST", url+"/api/v1/adapters/fables/load", "")
	require.Equal(t, http.StatusOK, status, body)
	status, _, body = send(t, "POST", url+"/api/v1/adapters/fables/erase", "")
	require.Equal(t, http.StatusNotFound, status, body)
	status, _, body = send(t, "POST", url+"/api/v1/adapters/fables/load", `{"worker":7}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "worker")

	res, err := http.Post(url+"/api/v1/adapters/fables/load", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusUnauthorized, res.StatusCode, "it needs an API key")

	s.err = protocol.Errorf(protocol.KindUnauthorized, "action", "only its operators may")
	status, _, _ = send(t, "POST", url+"/api/v1/adapters/fables/unload", "")
	require.Equal(t, http.StatusUnauthorized, status)
}
