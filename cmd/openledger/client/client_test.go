package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store/ipfs"
)

// serve answers with one handler and gives a client of it.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", "ol-key")
	require.NoError(t, err)
	return c
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	_, err := io.WriteString(w, s)
	require.NoError(t, err)
}

func TestAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:8420", "ftp://x", "http://", "://"} {
		_, err := New(bad, "")
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), bad)
		require.ErrorContains(t, err, "http://127.0.0.1:8420")
	}
}

func TestCallSendsKeyAndAmounts(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Contains(t, string(raw), `"access":"5"`, "amounts go out as decimal strings")
		require.Equal(t, "Bearer ol-key", r.Header.Get("Authorization"))
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.Equal(t, "/api/v1/training_jobs", r.URL.Path)
		write(t, w, `{"state":"queued"}`)
	})
	var out api.TrainingStatus
	job := protocol.TrainingJob{Order: protocol.TrainingOrder{Access: *uint256.NewInt(5)}}
	require.NoError(t, c.Call(t.Context(), http.MethodPost, "/api/v1/training_jobs", job, &out))
	require.Equal(t, "queued", out.State)
}

func TestRefusalsKeepTheirKind(t *testing.T) {
	for body, want := range map[string]protocol.Kind{
		`{"error":{"message":"deposit","code":"insufficient_escrow"}}`:              protocol.KindEscrow,
		`{"error":{"message":"key","code":"invalid_api_key"}}`:                      protocol.KindUnauthorized,
		`{"error":{"message":"no model","code":"model_not_found","param":"model"}}`: protocol.KindNotFound,
		`{"error":{"message":"slow down","code":"busy"}}`:                           protocol.KindBusy,
		`{"error":{"message":"odd","code":"something a proxy made up"}}`:            protocol.KindInternal,
		`<html>502 Bad Gateway</html>`:                                              protocol.KindInternal,
		``:                                                                          protocol.KindInternal,
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			write(t, w, body)
		})
		err := c.Call(t.Context(), http.MethodGet, "/", nil, nil)
		require.Equal(t, want, protocol.KindOf(err), "%s: %v", body, err)
		require.NotEmpty(t, err.Error())
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	c, err := New(s.URL, "")
	require.NoError(t, err)
	s.Close()
	_, err = c.Network(t.Context())
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	require.ErrorContains(t, err, "openledger devnet")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Network(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnswerThatIsNotJSON(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { write(t, w, "hello") })
	_, err := c.Models(t.Context())
	require.ErrorContains(t, err, "/api/v1/models")
}

func TestCutArchiveIsAnError(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		write(t, w, string(make([]byte, 1<<16)))
		panic(http.ErrAbortHandler)
	})
	body, err := c.Get(t.Context(), "/car")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, body)
	require.Error(t, errors.Join(err, body.Close()))
}

func TestBlocksAreChecked(t *testing.T) {
	content := []byte("a record")
	digest, err := ipfs.Digest(ipfs.CIDText(ipfs.RawCID(content)))
	require.NoError(t, err)
	send := content
	blocks := Blocks{Client: serve(t, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/api/v1/blocks/"+digest.Hex(), r.URL.Path)
		write(t, w, string(send))
	})}
	got, err := blocks.Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, content, got)
	for _, send = range [][]byte{nil, []byte("a record!"), make([]byte, maxBlock+1)} {
		_, err = blocks.Get(t.Context(), digest)
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	}
	_, err = blocks.Put(t.Context(), content)
	require.Error(t, err)
}
