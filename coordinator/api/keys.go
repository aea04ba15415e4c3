package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Keys looks after API keys. Who asks signs with the account whose escrow they spend.
type Keys interface {
	// IssueKey gives a new API key to the account that signed the request.
	IssueKey(ctx context.Context, r KeyRequest) (IssuedKey, error)
	// Keys lists an account's keys, the newest first.
	Keys(ctx context.Context, account protocol.Account, r SignedRequest) ([]Key, error)
	// RevokeKey ends a key. Doing it again changes nothing.
	RevokeKey(ctx context.Context, id protocol.Hash, r SignedRequest) (Key, error)
	// RotateKey gives a key a new secret; what it spent still counts.
	RotateKey(ctx context.Context, id protocol.Hash, r SignedRequest) (IssuedKey, error)
}

// KeyLimits are what an API key may be used for. What is left out does not limit.
type KeyLimits struct {
	Scopes            []Scope      `json:"scopes,omitempty"`
	Models            []string     `json:"models,omitempty"`              // names; one stands for all of its revisions
	Expires           int64        `json:"expires,omitempty"`             // Unix ms
	RequestsPerMinute int          `json:"requests_per_minute,omitempty"` // with bursts of as many
	TokensPerMinute   int          `json:"tokens_per_minute,omitempty"`   // of prompts and answers
	Budget            *uint256.Int `json:"budget,omitempty"`              // in all, wei
	BudgetPerDay      *uint256.Int `json:"budget_per_day,omitempty"`      // of a UTC day, wei
}

// KeyRequest asks for an API key. Signature is EIP-191 (personal_sign) by Requester
// over KeyRequestText.
type KeyRequest struct {
	Requester protocol.Account `json:"requester"`
	Label     string           `json:"label"`
	At        int64            `json:"at"` // Unix ms, at most five minutes old
	Signature hexBytes         `json:"signature"`
	KeyLimits
}

// IssuedKey is a new secret, which is shown once.
type IssuedKey struct {
	Secret string        `json:"key"`
	ID     protocol.Hash `json:"id"`
}

// Key is an API key without its secret.
type Key struct {
	ID        protocol.Hash    `json:"id"`
	Account   protocol.Account `json:"account"`
	Label     string           `json:"label"`
	CreatedAt int64            `json:"created_at"`           // of its newest secret, Unix ms
	RevokedAt int64            `json:"revoked_at,omitempty"` // Unix ms
	KeyLimits
	Spent      uint256.Int `json:"spent"`       // in all, wei
	SpentToday uint256.Int `json:"spent_today"` // this UTC day, wei
}

// SignedRequest is the signature of a request about keys: EIP-191 by their account, over
// KeyActionText.
type SignedRequest struct {
	At        int64    `json:"at"` // Unix ms, at most five minutes old
	Signature hexBytes `json:"signature"`
}

// KeyRequestText is what the requester signs (EIP-191) to be issued an API key. It
// names the coordinator, so that a signature can't be used at another one, and every
// limit that is set, so that nobody gets a key that may do more.
func KeyRequestText(coordinator protocol.PeerID, r KeyRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Issue an OpenLedger API key\ncoordinator: %s\naccount: %s\nlabel: %s\nat: %d", coordinator, r.Requester.Hex(), r.Label, r.At)
	if len(r.Scopes) > 0 {
		fmt.Fprintf(&b, "\nscopes: %q", r.Scopes)
	}
	if len(r.Models) > 0 {
		fmt.Fprintf(&b, "\nmodels: %q", r.Models)
	}
	for _, f := range []struct {
		name string
		n    int64
	}{{"expires", r.Expires}, {"requests per minute", int64(r.RequestsPerMinute)}, {"tokens per minute", int64(r.TokensPerMinute)}} {
		if f.n != 0 {
			fmt.Fprintf(&b, "\n%s: %d", f.name, f.n)
		}
	}
	for _, f := range []struct {
		name string
		n    *uint256.Int
	}{{"budget", r.Budget}, {"budget per day", r.BudgetPerDay}} {
		if f.n != nil {
			fmt.Fprintf(&b, "\n%s: %s wei", f.name, f.n.Dec())
		}
	}
	return b.String()
}

// KeyActionText is what the account of API keys signs (EIP-191) to list them or to see their
// usage (key is zero), or to revoke or rotate one.
func KeyActionText(coordinator protocol.PeerID, action string, account protocol.Account, key protocol.Hash, at int64) string {
	return fmt.Sprintf("%s OpenLedger API keys\ncoordinator: %s\naccount: %s\nkey: %s\nat: %d", action, coordinator, account.Hex(), key.Hex(), at)
}

// What KeyActionText begins with.
const (
	ActionList   = "List"
	ActionRevoke = "Revoke"
	ActionRotate = "Rotate"
)

// Limits of what a request for a key may say.
const (
	maxKeyModels = 64
	maxPerMinute = 1_000_000_000
)

func (r *KeyRequest) validate() error {
	if len(r.Label) > protocol.MaxNameBytes || strings.ContainsAny(r.Label, "\n\r") {
		return invalid("label", "it is one line of up to %d bytes", protocol.MaxNameBytes)
	}
	for _, s := range r.Scopes {
		if !slices.Contains(scopes, s) {
			return invalid("scopes", "%q is none: use %s", s, strings.Join(scopeNames(), ", "))
		}
	}
	if len(r.Scopes) > len(scopes) || len(r.Models) > maxKeyModels {
		return invalid("models", "a key has up to %d scopes and %d models", len(scopes), maxKeyModels)
	}
	for _, m := range r.Models {
		if m == "" || len(m) > 256 {
			return invalid("models", "a name has 1 to 256 bytes")
		}
	}
	switch {
	case r.Expires < 0:
		return invalid("expires", "it is a time in Unix milliseconds")
	case r.RequestsPerMinute < 0 || r.RequestsPerMinute > maxPerMinute:
		return invalid("requests_per_minute", "it must be between 1 and %d, or left out", maxPerMinute)
	case r.TokensPerMinute < 0 || r.TokensPerMinute > maxPerMinute:
		return invalid("tokens_per_minute", "it must be between 1 and %d, or left out", maxPerMinute)
	}
	return nil
}

var scopes = []Scope{ScopeInference, ScopeTraining, ScopeDatanets, ScopeRead}

func scopeNames() []string {
	out := make([]string, len(scopes))
	for i, s := range scopes {
		out[i] = string(s)
	}
	return out
}

func (s *Server) issueKey(w http.ResponseWriter, r *http.Request) error {
	var in KeyRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	key, err := s.cfg.Keys.IssueKey(r.Context(), in)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, key)
}

// listKeys is a POST, since what it answers needs a signature.
func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Account protocol.Account `json:"account"`
		SignedRequest
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	found, err := s.cfg.Keys.Keys(r.Context(), in.Account, in.SignedRequest)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"keys": list(found)})
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	var in SignedRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	key, err := s.cfg.Keys.RevokeKey(r.Context(), id, in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, key)
}

func (s *Server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	var in SignedRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	key, err := s.cfg.Keys.RotateKey(r.Context(), id, in)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, key)
}
