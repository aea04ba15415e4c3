// Package cleftest is an external signer for tests: clef's documented API with a real
// key in this process, which can be made to lie, to refuse or to wait.
//
// It asks nobody and keeps no rules: never use it outside tests.
package cleftest

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/protocol"
)

// Signer answers as the external API is documented. Everything that it would sign, or
// answer, can be changed.
type Signer struct {
	Key *keystore.Key
	// Methods are the signatures that came with transactions; nil: none.
	Methods []*string
	// Args changes a transaction before it is signed.
	Args func(*apitypes.SendTxArgs)
	// Answer changes what comes back.
	Answer func(hexutil.Bytes) hexutil.Bytes
	// Refuse is what a person who declines is answered with.
	Refuse error
	Block  chan struct{} // nobody approves before it closes
	Asked  chan struct{} // told when somebody is asked
}

func (s *Signer) approve(ctx context.Context) error {
	if s.Asked != nil {
		s.Asked <- struct{}{}
	}
	if s.Block != nil {
		select {
		case <-s.Block:
		case <-ctx.Done():
		}
	}
	return s.Refuse
}

func (s *Signer) out(b hexutil.Bytes) hexutil.Bytes {
	if s.Answer != nil {
		return s.Answer(b)
	}
	return b
}

func (s *Signer) has(a common.MixedcaseAddress) error {
	if a.Address() != s.Key.Account() {
		return errors.New("unknown account")
	}
	return nil
}

// Version is account_version.
func (s *Signer) Version() string { return "6.1.0" }

// List is account_list.
func (s *Signer) List(ctx context.Context) ([]common.Address, error) {
	return []common.Address{s.Key.Account()}, s.approve(ctx)
}

// SignTransaction is account_signTransaction.
func (s *Signer) SignTransaction(ctx context.Context, args apitypes.SendTxArgs, method *string) (map[string]any, error) {
	if err := errors.Join(s.approve(ctx), s.has(args.From)); err != nil {
		return nil, err
	}
	// Like clef, it refuses what it would have to warn a person of.
	if !args.From.ValidChecksum() || args.To != nil && !args.To.ValidChecksum() {
		return nil, errors.New("validation failed: invalid checksum")
	}
	if method != nil {
		data := *args.Input
		if len(data) < 4 || !bytes.Equal(crypto.Keccak256([]byte(*method))[:4], data[:4]) {
			return nil, errors.New("validation failed: the ABI signature does not match")
		}
	}
	s.Methods = append(s.Methods, method)
	if s.Args != nil {
		s.Args(&args)
	}
	tx, err := args.ToTransaction()
	if err != nil {
		return nil, err
	}
	if tx, err = s.Key.SignTx(ctx, tx, tx.ChainId()); err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	return map[string]any{"raw": s.out(raw), "tx": tx}, err
}

// SignTypedData is account_signTypedData. It computes the digest by go-ethereum's own
// reading of the document.
func (s *Signer) SignTypedData(ctx context.Context, a common.MixedcaseAddress, data apitypes.TypedData) (hexutil.Bytes, error) {
	if err := errors.Join(s.approve(ctx), s.has(a)); err != nil {
		return nil, err
	}
	digest, _, err := apitypes.TypedDataAndHash(data)
	if err != nil {
		return nil, err
	}
	sig, err := s.Key.SignHash(protocol.Hash(digest))
	return s.out(sig), err
}

// SignData is account_signData.
func (s *Signer) SignData(ctx context.Context, kind string, a common.MixedcaseAddress, data hexutil.Bytes) (hexutil.Bytes, error) {
	if err := errors.Join(s.approve(ctx), s.has(a)); err != nil {
		return nil, err
	}
	if kind != accounts.MimetypeTextPlain {
		return nil, errors.New("only text/plain here")
	}
	sig, err := s.Key.SignHash(protocol.Hash(accounts.TextHash(data)))
	return s.out(sig), err
}

// Server is a JSON-RPC server of the signer; it ends with the test.
func Server(t testing.TB, s *Signer) *rpc.Server {
	t.Helper()
	r := rpc.NewServer()
	if err := r.RegisterName("account", s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// Serve serves over HTTP and gives the address.
func Serve(t testing.TB, s *Signer) string {
	t.Helper()
	h := httptest.NewServer(Server(t, s))
	t.Cleanup(h.Close)
	return h.URL
}
