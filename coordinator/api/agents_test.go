package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// StoreManifest takes version 2 of agent 7 only.
func (s *service) StoreManifest(_ context.Context, agent uint64, version uint32, manifest []byte) (protocol.CID, error) {
	if agent != 7 || version != 2 {
		return "", protocol.Errorf(protocol.KindNotFound, "agent", "there is no such version")
	}
	return protocol.CID("cid of " + string(manifest)), nil
}

func TestManifestsAreTakenAsTheyAre(t *testing.T) {
	url := serve(t, &service{}, nil)
	status, _, body := send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bytesOf(`{"name":"poet"}`))
	require.Equal(t, http.StatusCreated, status)
	require.JSONEq(t, `{"cid":"cid of {\"name\":\"poet\"}"}`, body)
	for path, want := range map[string]int{
		"/api/v1/agents/x/versions/2/manifest": http.StatusBadRequest,
		"/api/v1/agents/7/versions/x/manifest": http.StatusBadRequest,
		"/api/v1/agents/7/versions/3/manifest": http.StatusNotFound,
	} {
		status, _, _ := send(t, "POST", url+path, bytesOf("{}"))
		require.Equal(t, want, status, path)
	}
	status, _, _ = send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bytesOf(strings.Repeat("x", maxManifest+1)))
	require.Equal(t, http.StatusBadRequest, status)
	for _, bad := range []string{"", `{"bytes":"*"}`} {
		status, _, _ = send(t, "POST", url+"/api/v1/agents/7/versions/2/manifest", bad)
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
}

func bytesOf(s string) string {
	return `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`
}
