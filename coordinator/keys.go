package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// signedTextLifetime is how old a signed request may be, ms.
const signedTextLifetime = 5 * 60_000

// Authenticate finds out who an API key stands for.
func (c *Coordinator) Authenticate(_ context.Context, key string) (api.Caller, error) {
	k, err := c.book.Key(key)
	return api.Caller{Account: k.Requester, Key: k.Hash}, err
}

// IssueKey makes an API key for the account that signed the request. The key is
// shown once; only its hash is kept.
func (c *Coordinator) IssueKey(_ context.Context, r api.KeyRequest) (string, error) {
	if err := checkPersonal(api.KeyRequestText(c.host.ID(), r), r.At, r.Requester, r.Signature); err != nil {
		return "", err
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	key := "ol-" + base64.RawURLEncoding.EncodeToString(secret[:])
	return key, c.book.AddKey(store.APIKey{Hash: store.HashAPIKey(key), Name: r.Label, Requester: r.Requester, CreatedAt: now()})
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
