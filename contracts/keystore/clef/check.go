package clef

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/openledger/openledger/protocol"
)

// maxAnswerBytes bounds an HTTP answer: a signed transaction comes twice, as bytes and as
// JSON, and the largest, which makes a contract, has about 50 kB.
const maxAnswerBytes = 1 << 20

// txArgs is the transaction object of account_signTransaction.
type txArgs struct {
	From                 string           `json:"from"` // with its checksum, for which clef looks
	To                   *string          `json:"to"`
	Gas                  hexutil.Uint64   `json:"gas"`
	MaxFeePerGas         *hexutil.Big     `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big     `json:"maxPriorityFeePerGas"`
	Value                *hexutil.Big     `json:"value"`
	Nonce                hexutil.Uint64   `json:"nonce"`
	Input                hexutil.Bytes    `json:"input"`
	AccessList           types.AccessList `json:"accessList"`
	ChainID              *hexutil.Big     `json:"chainId"`
}

func transaction(tx *types.Transaction, from protocol.Account, chainID *big.Int) (txArgs, error) {
	if tx.Type() != types.DynamicFeeTxType || tx.ChainId().Cmp(chainID) != 0 {
		return txArgs{}, protocol.Errorf(protocol.KindInvalid, "transaction", "type %d for chain %s cannot be signed remotely: only EIP-1559 transactions of chain %s", tx.Type(), tx.ChainId(), chainID)
	}
	list := tx.AccessList()
	if list == nil {
		list = types.AccessList{}
	}
	var to *string
	if tx.To() != nil {
		hex := tx.To().Hex()
		to = &hex
	}
	return txArgs{
		From: from.Hex(), To: to, Gas: hexutil.Uint64(tx.Gas()), Value: (*hexutil.Big)(tx.Value()), Nonce: hexutil.Uint64(tx.Nonce()),
		MaxFeePerGas: (*hexutil.Big)(tx.GasFeeCap()), MaxPriorityFeePerGas: (*hexutil.Big)(tx.GasTipCap()),
		Input: tx.Data(), AccessList: list, ChainID: (*hexutil.Big)(chainID),
	}, nil
}

// checkTx takes a signed transaction only when it is the one that was asked for.
func (s *Signer) checkTx(asked *types.Transaction, chainID *big.Int, raw []byte) (*types.Transaction, error) {
	bad := func(format string, args ...any) error {
		return protocol.Errorf(protocol.KindUnauthorized, "signer", "the signer at "+s.where+" "+format, args...)
	}
	got := new(types.Transaction)
	if err := got.UnmarshalBinary(raw); err != nil {
		return nil, bad("answered with %d bytes that are no transaction: %w", len(raw), err)
	}
	changed := ""
	switch {
	case got.Type() != asked.Type():
		changed = "type"
	case got.ChainId().Cmp(asked.ChainId()) != 0:
		changed = "chain"
	case got.Nonce() != asked.Nonce():
		changed = "nonce"
	case !sameTo(got.To(), asked.To()):
		changed = "recipient"
	case got.Value().Cmp(asked.Value()) != 0:
		changed = "amount"
	case !bytes.Equal(got.Data(), asked.Data()):
		changed = "data"
	case got.Gas() != asked.Gas():
		changed = "gas limit"
	case got.GasTipCap().Cmp(asked.GasTipCap()) != 0 || got.GasFeeCap().Cmp(asked.GasFeeCap()) != 0:
		changed = "fee"
	}
	signer := types.LatestSignerForChainID(chainID)
	if changed == "" && signer.Hash(got) != signer.Hash(asked) {
		changed = "access list"
	}
	if changed != "" {
		return nil, bad("changed the %s of the transaction: it is not sent; approve requests as they are", changed)
	}
	from, err := types.Sender(signer, got)
	if err != nil {
		return nil, bad("answered with a bad signature: %w", err)
	}
	if from != s.cfg.Account {
		return nil, bad("signed as %s, not as %s: name the account that it has, with --as", from, s.cfg.Account)
	}
	return got, nil
}

func sameTo(a, b *protocol.Account) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// checkSignature takes a signature only when it is the account's, over the digest. It
// gives v in {27,28} (some signers answer with 0 or 1).
func (s *Signer) checkSignature(digest protocol.Hash, sig []byte) ([]byte, error) {
	bad := func(format string, args ...any) error {
		return protocol.Errorf(protocol.KindUnauthorized, "signer", "the signer at "+s.where+" "+format, args...)
	}
	if len(sig) != crypto.SignatureLength {
		return nil, bad("answered with a signature of %d bytes, not %d", len(sig), crypto.SignatureLength)
	}
	plain := bytes.Clone(sig)
	if v := plain[64]; v == 27 || v == 28 {
		plain[64] -= 27
	}
	r, low := new(big.Int).SetBytes(plain[:32]), new(big.Int).SetBytes(plain[32:64])
	if !crypto.ValidateSignatureValues(plain[64], r, low, true) {
		return nil, bad("answered with a signature out of range")
	}
	key, err := crypto.SigToPub(digest[:], plain)
	if err != nil {
		return nil, bad("answered with a bad signature: %w", err)
	}
	if by := crypto.PubkeyToAddress(*key); by != s.cfg.Account {
		return nil, bad("signed something else, or as %s and not as %s: name the account that it has, with --as", by, s.cfg.Account)
	}
	plain[64] += 27
	return plain, nil
}

// failed says in plain words why the signer did not sign, without what its address hides.
func (s *Signer) failed(ctx context.Context, what string, err error) error {
	var http *url.Error
	if errors.As(err, &http) {
		err = http.Err
	}
	var status rpc.HTTPError
	var answered rpc.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && what != "":
		return protocol.Errorf(protocol.KindDeadline, "signer", "nobody approved at %s %s within %s", s.where, what, s.cfg.Approval)
	case ctx.Err() != nil:
		return protocol.Errorf(protocol.KindCancelled, "signer", "waiting for the signer at %s: %w", s.where, ctx.Err())
	case errors.As(err, &status):
		return protocol.Errorf(protocol.KindUnavailable, "signer", "%s answers %s: is it a signer?", s.where, status.Status)
	case errors.As(err, &answered) && answered.ErrorCode() == -32601:
		return protocol.Errorf(protocol.KindInvalid, "signer", "%s does not speak clef's external API: %w", s.where, err)
	case errors.As(err, &answered) && strings.Contains(err.Error(), "unknown account"):
		return protocol.Errorf(protocol.KindNotFound, "signer", "%s does not have the account %s: 'openledger wallet list --signer URL' shows those it has", s.where, s.cfg.Account)
	case errors.As(err, &answered):
		return protocol.Errorf(protocol.KindUnauthorized, "signer", "the signer at %s refused %s: %w", s.where, what, err)
	}
	return protocol.Errorf(protocol.KindUnavailable, "signer", "cannot reach the signer at %s: is it running? %w", s.where, err)
}

// limited bounds what an answer may take.
type limited struct{ to http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswerBytes), resp.Body}
	return resp, nil
}
