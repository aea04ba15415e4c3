package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
)

// keysFromTheCommandLine follows an API key from its issue to its end: a rotated key's old
// secret and a revoked key are refused, limits stay, and nobody ends another's key.
func (s *separate) keysFromTheCommandLine(t *testing.T) {
	t.Helper()
	usage := func(secret string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+"/api/v1/usage", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	key := func(out any, args ...string) {
		t.Helper()
		run(t, out, s.verb(append(append([]string{"coordinator", "key"}, args...), "--as", "requester")...)...)
	}
	one := func(id string) api.Key {
		t.Helper()
		var list struct {
			Keys []api.Key `json:"keys"`
		}
		key(&list, "list")
		for _, k := range list.Keys {
			if k.ID.Hex() == id {
				return k
			}
		}
		require.Fail(t, "the list lacks the key", id)
		return api.Key{}
	}

	var issued, rotated api.IssuedKey
	key(&issued, "create", "--label", "laptop", "--scope", "read", "--requests-per-minute", "50", "--budget", "0.5")
	id := issued.ID.Hex()
	require.Equal(t, http.StatusOK, usage(issued.Secret))
	before := one(id)
	require.Equal(t, "laptop", before.Label)
	require.Equal(t, 50, before.RequestsPerMinute)

	key(&rotated, "rotate", id)
	require.Equal(t, issued.ID, rotated.ID)
	require.NotEqual(t, issued.Secret, rotated.Secret)
	require.Equal(t, http.StatusUnauthorized, usage(issued.Secret), "the old secret ended")
	require.Equal(t, http.StatusOK, usage(rotated.Secret))
	after := one(id)
	require.Equal(t, before.KeyLimits, after.KeyLimits)

	_, errs, code := verb(t, s.verb("coordinator", "key", "revoke", id, "--as", "poor")...)
	require.NotZero(t, code, "another account's key")
	require.NotContains(t, errs, rotated.Secret)
	require.Equal(t, http.StatusOK, usage(rotated.Secret))

	var ended api.Key
	key(&ended, "revoke", id)
	require.Equal(t, http.StatusUnauthorized, usage(rotated.Secret))
	require.NotZero(t, one(id).RevokedAt)
	_, errs, code = verb(t, s.verb("coordinator", "key", "rotate", "0x12", "--as", "requester")...)
	require.NotZero(t, code)
	require.Contains(t, errs, "key list")
}
