package api

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

func (s *service) key() Key {
	return Key{ID: hash, Account: owner, Label: "l", CreatedAt: 1, KeyLimits: KeyLimits{Scopes: []Scope{ScopeRead}, Budget: &huge}, Spent: huge, SpentToday: huge}
}

func (s *service) Keys(context.Context, protocol.Account, SignedRequest) ([]Key, error) {
	return []Key{s.key()}, s.err
}

func (s *service) RevokeKey(context.Context, protocol.Hash, SignedRequest) (Key, error) {
	return s.key(), s.err
}

func (s *service) RotateKey(context.Context, protocol.Hash, SignedRequest) (IssuedKey, error) {
	return IssuedKey{Secret: "ol-next", ID: hash}, s.err
}

func TestKeysAreManaged(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/keys"
	signed := `{"at":1,"signature":"0x01"}`
	for path, want := range map[string]string{
		"/list": `"spent":` + hugeText, "/" + hash.Hex() + "/revoke": `"budget":` + hugeText, "/" + hash.Hex() + "/rotate": `"key":"ol-next"`,
	} {
		status, _, body := send(t, "POST", url+path, strings.Replace(signed, "{", `{"account":"`+owner.Hex()+`",`, 1))
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, want)
	}
	status, _, body := send(t, "POST", url, `{"requester":"`+owner.Hex()+`","label":"l","at":5,"signature":"0x01","scopes":["inference"],"models":["tiny"],"expires":9,"requests_per_minute":1,"tokens_per_minute":2,"budget":"3","budget_per_day":"4"}`)
	require.Equal(t, http.StatusCreated, status, body)
	require.Equal(t, KeyLimits{Scopes: []Scope{ScopeInference}, Models: []string{"tiny"}, Expires: 9, RequestsPerMinute: 1, TokensPerMinute: 2, Budget: uint256.NewInt(3), BudgetPerDay: uint256.NewInt(4)}, s.keyed.KeyLimits)
	for param, bad := range map[string]string{
		"scopes": `"scopes":["admin"]`, "models": `"models":[""]`, "expires": `"expires":-1`, "requests_per_minute": `"requests_per_minute":-1`,
		"tokens_per_minute": `"tokens_per_minute":1000000001`, "label": `"label":"a\nb"`, "body": `"budget":"five"`,
	} {
		status, _, body := send(t, "POST", url, `{`+bad+`}`)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, body, `"param":"`+param+`"`)
	}
	status, _, _ = send(t, "POST", url+"/xyz/revoke", signed)
	require.Equal(t, http.StatusBadRequest, status)
}

// Each limit that is set is part of what is signed.
func TestKeyRequestTextNamesEveryLimit(t *testing.T) {
	texts := map[string]bool{}
	for _, l := range []KeyLimits{{}, {Scopes: []Scope{ScopeRead}}, {Models: []string{"a", "b"}}, {Models: []string{`a" "b`}}, {Expires: 1}, {RequestsPerMinute: 1}, {TokensPerMinute: 1},
		{Budget: uint256.NewInt(1)}, {BudgetPerDay: uint256.NewInt(1)}, {Budget: new(uint256.Int)}} {
		text := KeyRequestText("p", KeyRequest{KeyLimits: l})
		require.False(t, texts[text], text)
		texts[text] = true
	}
	require.NotEqual(t, KeyActionText("p", ActionRevoke, owner, hash, 1), KeyActionText("p", ActionRotate, owner, hash, 1))
}

// The web application's tests read the same file.
func TestTextsOfRequestsAboutKeys(t *testing.T) {
	b, err := os.ReadFile("testdata/key_request.json")
	require.NoError(t, err)
	var v struct {
		Coordinator protocol.PeerID   `json:"coordinator"`
		Key         protocol.Hash     `json:"key"`
		Texts       map[string]string `json:"texts"`
	}
	var r KeyRequest
	require.NoError(t, json.Unmarshal(b, &v))
	require.NoError(t, json.Unmarshal(b, &r))
	require.NoError(t, r.validate())
	unlimited := KeyRequest{Requester: r.Requester, Label: r.Label, At: r.At}
	require.Equal(t, map[string]string{
		"request":   KeyRequestText(v.Coordinator, r),
		"unlimited": KeyRequestText(v.Coordinator, unlimited),
		"list":      KeyActionText(v.Coordinator, ActionList, r.Requester, protocol.Hash{}, r.At),
		"revoke":    KeyActionText(v.Coordinator, ActionRevoke, r.Requester, v.Key, r.At),
		"rotate":    KeyActionText(v.Coordinator, ActionRotate, r.Requester, v.Key, r.At),
	}, v.Texts)
}

func TestScopesAndModelsOfAKey(t *testing.T) {
	s := &service{limits: KeyLimits{Scopes: []Scope{ScopeRead}}}
	url := serve(t, s, nil)
	status, _, body := send(t, "POST", url+"/v1/chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"Hi"}]}`)
	require.Equal(t, http.StatusForbidden, status, body)
	require.Contains(t, body, `"code":"insufficient_scope"`)
	status, _, _ = send(t, "GET", url+"/v1/models", "")
	require.Equal(t, http.StatusOK, status)

	s.limits = KeyLimits{Scopes: []Scope{ScopeInference}, Models: []string{"fables"}}
	for model, want := range map[string]int{"tiny": http.StatusForbidden, "fables": http.StatusOK, "fables@1": http.StatusOK, "fables2": http.StatusForbidden} {
		status, _, body = send(t, "POST", url+"/v1/completions", `{"model":"`+model+`","prompt":"a"}`)
		require.Equal(t, want, status, body)
	}
	require.Len(t, s.requests(), 2)
}

func TestRateLimits(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := &service{limits: KeyLimits{RequestsPerMinute: 2, TokensPerMinute: 30}, clock: func() time.Time { return at }}
	url := serve(t, s, nil)
	ask := func() (int, http.Header, string) {
		return send(t, "POST", url+"/v1/completions", `{"model":"tiny","prompt":"a","max_tokens":20}`)
	}
	status, header, body := ask() // takes 10 of 21 reserved
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, "2", header.Get("x-ratelimit-limit-requests"))
	require.Equal(t, "1", header.Get("x-ratelimit-remaining-requests"))
	require.Equal(t, "30s", header.Get("x-ratelimit-reset-requests"))
	require.Equal(t, "30", header.Get("x-ratelimit-limit-tokens"))
	require.Equal(t, "30", header.Get("x-ratelimit-remaining-tokens"))
	first := header.Get("x-request-id")
	require.True(t, strings.HasPrefix(first, "req_"))

	status, header, body = ask() // 20 are left, 21 wanted
	require.Equal(t, http.StatusTooManyRequests, status, body)
	require.Contains(t, body, "30 tokens a minute")
	require.Equal(t, "2", header.Get("Retry-After"), "one token flows out in two seconds")
	require.NotEqual(t, first, header.Get("x-request-id"))

	status, header, body = ask()
	require.Equal(t, http.StatusTooManyRequests, status, body)
	require.Contains(t, body, `"code":"rate_limit_exceeded"`)
	require.Contains(t, body, "2 requests a minute")
	require.Equal(t, "0", header.Get("x-ratelimit-remaining-requests"))
	require.Len(t, s.requests(), 1)

	s.limits = KeyLimits{}
	_, header, _ = send(t, "GET", url+"/v1/models", "")
	require.Empty(t, header.Get("x-ratelimit-limit-requests"), "a key without limits has none")
}

// A bucket lets through a minute's worth at once and then as much as flows out, to the
// nanosecond, whatever the rate.
func TestBucketsAreExact(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for _, perMinute := range []int{1, 7, 60, 999_983, maxPerMinute} {
		b := &bucket{}
		require.Zero(t, b.take(start, perMinute, perMinute))
		left, reset := b.left(start, perMinute)
		require.Zero(t, left)
		require.Equal(t, time.Minute, reset)
		wait := b.take(start, perMinute, 1)
		require.InDelta(t, float64(time.Minute)/float64(perMinute), float64(wait), 1)
		require.Positive(t, wait)
		require.Zero(t, b.take(start.Add(wait), perMinute, 1))
		b.give(perMinute, 1)
		require.Zero(t, b.take(start.Add(wait), perMinute, 1), "what was not used can be taken again")
		left, reset = b.left(start.Add(time.Hour), perMinute)
		require.Equal(t, perMinute, left)
		require.Zero(t, reset)
	}
	at := start
	l := &limits{now: func() time.Time { return at }, keys: map[protocol.Hash]*buckets{}}
	by := &Caller{Key: hash, KeyLimits: KeyLimits{TokensPerMinute: 100}}
	settle, err := l.tokens(by, 1000)
	require.NoError(t, err, "more than a minute's worth goes through alone")
	_, err = l.tokens(by, 1)
	require.Error(t, err)
	settle(300)
	at = at.Add(2 * time.Minute)
	_, err = l.tokens(by, 1)
	require.Error(t, err, "and later ones wait for what it took")
	at = at.Add(2 * time.Minute)
	_, err = l.tokens(by, 1)
	require.NoError(t, err)
}

func (s *service) UsageOf(_ context.Context, by Caller, days int) ([]UsageRow, error) {
	return []UsageRow{{Day: "2026-11-21", Model: "tiny", Requests: uint64(days), PromptTokens: 2, OutputTokens: 3, Fee: huge}}, s.err
}

func (s *service) AccountUsage(_ context.Context, _ protocol.Account, r SignedRequest, days int) ([]KeyUsageRow, error) {
	rows, err := s.UsageOf(context.Background(), Caller{}, days)
	return []KeyUsageRow{{Key: hash, Label: "agent", UsageRow: rows[0]}, {Key: hash, Label: string(r.Signature), UsageRow: rows[0]}}, err
}

func TestUsageOfAnAccount(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/keys/usage"
	ask := func(more string) (int, string) {
		status, _, body := send(t, "POST", url, `{"account":"`+tenant.Hex()+`","at":5,"signature":"0x61"`+more+`}`)
		return status, body
	}
	status, body := ask(`,"days":7`)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `{"key":"`+hash.Hex()+`","label":"a","day":"2026-11-21","model":"tiny","requests":7,"prompt_tokens":2,"output_tokens":3,"fee":`+hugeText+`}`)
	sum := huge
	sum.Add(&sum, &huge)
	require.Contains(t, body, `"fee":"`+sum.Dec()+`"`, "and what all of it cost")
	status, body = ask("")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"requests":30`)
	for _, bad := range []string{"0", "367", "-1"} {
		status, body = ask(`,"days":` + bad)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, body, `"param":"days"`)
	}
	s.err = protocol.Errorf(protocol.KindUnauthorized, "signature", "it is somebody else's")
	status, _ = ask("")
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestUsage(t *testing.T) {
	s := &service{}
	url := serve(t, s, nil) + "/api/v1/usage"
	status, _, body := send(t, "GET", url+"?days=7", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"fee":`+hugeText)
	require.Contains(t, body, `"requests":7`)
	for _, bad := range []string{"0", "367", "x"} {
		status, _, body = send(t, "GET", url+"?days="+bad, "")
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, body, `"param":"days"`)
	}
	s.limits.Scopes = []Scope{ScopeInference}
	status, _, _ = send(t, "GET", url, "")
	require.Equal(t, http.StatusForbidden, status)
}
