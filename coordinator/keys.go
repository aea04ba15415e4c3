package coordinator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// signedTextLifetime is how old a signed request may be, ms.
const signedTextLifetime = 5 * 60_000

// Authenticate finds out who an API key stands for.
func (c *Coordinator) Authenticate(_ context.Context, key string) (api.Caller, error) {
	k, err := c.book.Key(key, now())
	if err != nil {
		return api.Caller{}, err
	}
	return api.Caller{Account: k.Requester, Key: k.ID, KeyLimits: shownLimits(k.KeyLimits)}, nil
}

func shownLimits(l store.KeyLimits) api.KeyLimits {
	out := api.KeyLimits{Models: l.Models, Expires: l.Expires, RequestsPerMinute: l.RequestsPerMinute, TokensPerMinute: l.TokensPerMinute, Budget: l.Budget, BudgetPerDay: l.BudgetPerDay}
	for _, s := range l.Scopes {
		out.Scopes = append(out.Scopes, api.Scope(s))
	}
	return out
}

func storedLimits(l api.KeyLimits) store.KeyLimits {
	out := store.KeyLimits{Models: l.Models, Expires: l.Expires, RequestsPerMinute: l.RequestsPerMinute, TokensPerMinute: l.TokensPerMinute, Budget: l.Budget, BudgetPerDay: l.BudgetPerDay}
	for _, s := range l.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	return out
}

// newSecret makes a secret, which is shown once; only its hash is kept.
func newSecret() (string, error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	return "ol-" + base64.RawURLEncoding.EncodeToString(secret[:]), nil
}

// IssueKey makes an API key for the account that signed the request. The same signed
// request gets one key only, so that nobody who overhears it gets another.
func (c *Coordinator) IssueKey(_ context.Context, r api.KeyRequest) (api.IssuedKey, error) {
	text := api.KeyRequestText(c.host.ID(), r)
	if err := checkPersonal(text, r.At, r.Requester, r.Signature); err != nil {
		return api.IssuedKey{}, err
	}
	if r.Expires != 0 && r.Expires <= now() {
		return api.IssuedKey{}, protocol.Errorf(protocol.KindInvalid, "expires", "it is in the past")
	}
	secret, err := newSecret()
	if err != nil {
		return api.IssuedKey{}, err
	}
	hash := store.HashAPIKey(secret)
	return api.IssuedKey{Secret: secret, ID: hash}, c.book.AddKey(store.APIKey{Hash: hash, ID: hash, Name: r.Label, Requester: r.Requester, CreatedAt: now(),
		Request: common.BytesToHash(accounts.TextHash([]byte(text))), KeyLimits: storedLimits(r.KeyLimits)})
}

// Keys lists an account's keys, the newest first.
func (c *Coordinator) Keys(_ context.Context, account protocol.Account, r api.SignedRequest) ([]api.Key, error) {
	if err := checkPersonal(api.KeyActionText(c.host.ID(), api.ActionList, account, protocol.Hash{}, r.At), r.At, account, r.Signature); err != nil {
		return nil, err
	}
	all, err := c.book.Keys()
	if err != nil {
		return nil, err
	}
	newest := map[protocol.Hash]store.APIKey{} // of its secrets
	for _, k := range all {
		if old, ok := newest[k.ID]; k.Requester == account && (!ok || old.RevokedAt != 0) {
			newest[k.ID] = k
		}
	}
	var out []api.Key
	for _, k := range newest {
		shown, err := c.showKey(k)
		if err != nil {
			return nil, err
		}
		out = append(out, shown)
	}
	slices.SortFunc(out, func(a, b api.Key) int { return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), a.ID.Cmp(b.ID)) })
	return out, nil
}

func (c *Coordinator) showKey(k store.APIKey) (api.Key, error) {
	spent, err := c.book.SpendingOf(k.ID)
	return api.Key{ID: k.ID, Account: k.Requester, Label: k.Name, CreatedAt: k.CreatedAt, RevokedAt: k.RevokedAt,
		KeyLimits: shownLimits(k.KeyLimits), Spent: spent.Total, SpentToday: spent.On(store.DayOf(now()))}, err
}

// signedKey finds a key, and checks that its account wants this.
func (c *Coordinator) signedKey(action string, id protocol.Hash, r api.SignedRequest) (store.APIKey, protocol.Hash, error) {
	k, err := c.book.KeyByID(id)
	if err != nil {
		return k, protocol.Hash{}, err
	}
	text := api.KeyActionText(c.host.ID(), action, k.Requester, id, r.At)
	return k, common.BytesToHash(accounts.TextHash([]byte(text))), checkPersonal(text, r.At, k.Requester, r.Signature)
}

// RevokeKey ends a key.
func (c *Coordinator) RevokeKey(_ context.Context, id protocol.Hash, r api.SignedRequest) (api.Key, error) {
	k, _, err := c.signedKey(api.ActionRevoke, id, r)
	if err != nil {
		return api.Key{}, err
	}
	if err := c.book.RevokeKey(k.Hash, now()); err != nil {
		return api.Key{}, err
	}
	if k, err = c.book.KeyByID(id); err != nil {
		return api.Key{}, err
	}
	return c.showKey(k)
}

// RotateKey gives a key a new secret and ends the old one.
func (c *Coordinator) RotateKey(_ context.Context, id protocol.Hash, r api.SignedRequest) (api.IssuedKey, error) {
	k, request, err := c.signedKey(api.ActionRotate, id, r)
	if err != nil {
		return api.IssuedKey{}, err
	}
	secret, err := newSecret()
	if err != nil {
		return api.IssuedKey{}, err
	}
	next := k
	next.Hash, next.CreatedAt, next.Request = store.HashAPIKey(secret), now(), request
	return api.IssuedKey{Secret: secret, ID: id}, c.book.RotateKey(k.Hash, next)
}

// checkPersonal checks an EIP-191 (personal_sign) signature over a recent text.
func checkPersonal(text string, at int64, by protocol.Account, signature []byte) error {
	if age := now() - at; age < -signedTextLifetime || age > signedTextLifetime {
		return protocol.Errorf(protocol.KindStale, "at", "the request is from another time than this coordinator's clock: check the clock and sign again")
	}
	sig := append([]byte(nil), signature...)
	if len(sig) != crypto.SignatureLength {
		return protocol.Errorf(protocol.KindInvalid, "signature", "it has %d bytes, not %d", len(sig), crypto.SignatureLength)
	}
	if sig[crypto.RecoveryIDOffset] >= 27 {
		sig[crypto.RecoveryIDOffset] -= 27
	}
	pub, err := crypto.SigToPub(accounts.TextHash([]byte(text)), sig)
	if err != nil || crypto.PubkeyToAddress(*pub) != by {
		return protocol.Errorf(protocol.KindUnauthorized, "signature", "it is not by %s over this request", by.Hex())
	}
	return nil
}
