package clef_test

import (
	"context"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/contracts/keystore/clef"
	"github.com/openledger/openledger/contracts/keystore/clef/cleftest"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

func newKey(t *testing.T) *keystore.Key {
	t.Helper()
	k, err := keystore.Generate()
	require.NoError(t, err)
	return k
}

func dial(t *testing.T, url string, account protocol.Account) *clef.Signer {
	t.Helper()
	s, err := clef.New(clef.Config{URL: url, Account: account})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func overHTTP(t *testing.T, s *cleftest.Signer) *clef.Signer {
	t.Helper()
	return dial(t, cleftest.Serve(t, s), s.Key.Account())
}

var chainID = big.NewInt(41455)

// callData calls bond().
var callData = crypto.Keccak256([]byte("bond()"))[:4]

func sample(to *protocol.Account) *types.Transaction {
	return types.NewTx(&types.DynamicFeeTx{ChainID: chainID, Nonce: 7, To: to, Value: big.NewInt(5), Data: callData,
		Gas: 90_000, GasTipCap: big.NewInt(2), GasFeeCap: big.NewInt(30)})
}

func binding(owner protocol.Account) wire.TypedData {
	return wire.BindingData(wire.Domain{ChainID: chainID.Uint64(), Contract: protocol.Account{3}}, protocol.Binding{
		Peer: "12D3KooWxyz", NodeKey: protocol.Account{1}, Owner: owner, Payout: protocol.Account{2}, IssuedAt: 1, Expires: 1 << 60,
	})
}

// Every implementation of keystore.Signer keeps its promise: the same bytes are signed by
// the account that it names.
func TestEverySignerSignsWhatItIsAsked(t *testing.T) {
	key := newKey(t)
	socket := filepath.Join(t.TempDir(), "s.ipc")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	over := cleftest.Server(t, &cleftest.Signer{Key: key})
	go func() { _ = over.ServeListener(l) }()
	zeroOne := overHTTP(t, &cleftest.Signer{Key: key, Answer: func(b hexutil.Bytes) hexutil.Bytes {
		if len(b) == crypto.SignatureLength {
			b[64] -= 27
		}
		return b
	}})
	for name, s := range map[string]keystore.Signer{
		"a key": key, "over HTTP": overHTTP(t, &cleftest.Signer{Key: key}), "over a socket": dial(t, socket, key.Account()),
		"over unix://": dial(t, "unix://"+socket, key.Account()), "with v of 0 and 1": zeroOne,
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, key.Account(), s.Account())
			for _, to := range []*protocol.Account{{9}, nil} {
				tx, err := s.SignTx(t.Context(), sample(to), chainID)
				require.NoError(t, err)
				rules := types.LatestSignerForChainID(chainID)
				require.Equal(t, rules.Hash(sample(to)), rules.Hash(tx))
				from, err := types.Sender(rules, tx)
				require.NoError(t, err)
				require.Equal(t, key.Account(), from)
			}
			statement := binding(key.Account())
			sig, err := s.SignTyped(t.Context(), statement)
			require.NoError(t, err)
			require.NoError(t, wire.Verify(statement, key.Account(), sig))
			sig, err = s.SignText(t.Context(), "stop job 7")
			require.NoError(t, err)
			sig[64] -= 27
			pub, err := crypto.SigToPub(accounts.TextHash([]byte("stop job 7")), sig)
			require.NoError(t, err)
			require.Equal(t, key.Account(), crypto.PubkeyToAddress(*pub))
		})
	}
}

func TestAccountsAndVersion(t *testing.T) {
	s := &cleftest.Signer{Key: newKey(t)}
	c := overHTTP(t, s)
	all, err := c.Accounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []protocol.Account{s.Key.Account()}, all)
	v, err := c.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "6.1.0", v)
}

// Whatever a signer changes is found and named, and nothing that it changed comes back.
func TestAChangedTransactionIsRefused(t *testing.T) {
	other := common.NewMixedcaseAddress(protocol.Account{0xee})
	for name, change := range map[string]func(*apitypes.SendTxArgs){
		"nonce":     func(a *apitypes.SendTxArgs) { a.Nonce++ },
		"recipient": func(a *apitypes.SendTxArgs) { a.To = &other },
		"amount":    func(a *apitypes.SendTxArgs) { a.Value = hexutil.Big(*big.NewInt(6)) },
		"data":      func(a *apitypes.SendTxArgs) { a.Input = &hexutil.Bytes{1, 2, 3, 4} },
		"gas limit": func(a *apitypes.SendTxArgs) { a.Gas++ },
		"fee":       func(a *apitypes.SendTxArgs) { a.MaxFeePerGas = (*hexutil.Big)(big.NewInt(31)) },
		"chain":     func(a *apitypes.SendTxArgs) { a.ChainID = (*hexutil.Big)(big.NewInt(1)) },
		"access list": func(a *apitypes.SendTxArgs) {
			a.AccessList = &types.AccessList{{Address: protocol.Account{1}, StorageKeys: []common.Hash{}}}
		},
		"type": func(a *apitypes.SendTxArgs) { a.GasPrice, a.MaxFeePerGas = a.MaxFeePerGas, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := overHTTP(t, &cleftest.Signer{Key: newKey(t), Args: change})
			tx, err := s.SignTx(t.Context(), sample(&protocol.Account{9}), chainID)
			require.ErrorContains(t, err, "changed the "+name)
			require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
			require.Nil(t, tx)
		})
	}
	_, err := overHTTP(t, &cleftest.Signer{Key: newKey(t)}).SignTx(t.Context(), types.NewTx(&types.LegacyTx{}), chainID)
	require.ErrorContains(t, err, "cannot be signed remotely")
}

func TestAnotherAccountAndBadSignatures(t *testing.T) {
	key, other := newKey(t), newKey(t)
	url := cleftest.Serve(t, &cleftest.Signer{Key: key})
	_, err := dial(t, url, other.Account()).SignTx(t.Context(), sample(nil), chainID)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "does not have the account "+other.Account().Hex())

	for name, forge := range map[string]func(hexutil.Bytes) hexutil.Bytes{
		"by another key": func(hexutil.Bytes) hexutil.Bytes {
			sig, err := other.SignHash(protocol.Hash{1})
			require.NoError(t, err)
			return sig
		},
		"short":    func(b hexutil.Bytes) hexutil.Bytes { return b[:64] },
		"empty":    func(hexutil.Bytes) hexutil.Bytes { return nil },
		"v of 29":  func(b hexutil.Bytes) hexutil.Bytes { b[64] = 29; return b },
		"all zero": func(b hexutil.Bytes) hexutil.Bytes { clear(b); return b },
		"the twin with a high s": func(b hexutil.Bytes) hexutil.Bytes {
			s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(b[32:64]))
			s.FillBytes(b[32:64])
			b[64] = 27 + (28 - b[64])
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := overHTTP(t, &cleftest.Signer{Key: key, Answer: forge})
			_, err := s.SignTyped(t.Context(), binding(key.Account()))
			require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
			_, err = s.SignText(t.Context(), "x")
			require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err), "%v", err)
		})
	}
	for _, raw := range []hexutil.Bytes{nil, {2}, {2, 0xc0}, make([]byte, 200)} {
		_, err = overHTTP(t, &cleftest.Signer{Key: key, Answer: func(hexutil.Bytes) hexutil.Bytes { return raw }}).SignTx(t.Context(), sample(nil), chainID)
		require.ErrorContains(t, err, "that are no transaction")
	}
	forged := overHTTP(t, &cleftest.Signer{Key: key, Answer: func(hexutil.Bytes) hexutil.Bytes {
		tx, err := other.SignTx(t.Context(), sample(nil), chainID)
		require.NoError(t, err)
		raw, err := tx.MarshalBinary()
		require.NoError(t, err)
		return raw
	}})
	_, err = forged.SignTx(t.Context(), sample(nil), chainID)
	require.ErrorContains(t, err, "signed as "+other.Account().Hex())
}

// A person who refuses, or who is away, and a program that is no signer or not there.
func TestNoSignature(t *testing.T) {
	key := newKey(t)
	_, err := overHTTP(t, &cleftest.Signer{Key: key, Refuse: errors.New("request denied")}).SignText(t.Context(), "x")
	require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(err))
	require.ErrorContains(t, err, "refused to sign a text: request denied")

	away := &cleftest.Signer{Key: key, Block: make(chan struct{}), Asked: make(chan struct{}, 2)}
	url := cleftest.Serve(t, away)
	t.Cleanup(func() { close(away.Block) })
	s, err := clef.New(clef.Config{URL: url, Account: key.Account(), Approval: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	_, err = s.SignText(t.Context(), "x")
	require.Equal(t, protocol.KindDeadline, protocol.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "nobody approved")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := dial(t, url, key.Account()).SignText(ctx, "x")
		done <- err
	}()
	<-away.Asked
	<-away.Asked
	stop()
	require.Equal(t, protocol.KindCancelled, protocol.KindOf(<-done))

	_, err = dial(t, "http://127.0.0.1:1", key.Account()).SignText(t.Context(), "x")
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	_, err = dial(t, "/nowhere/clef.ipc", key.Account()).SignText(t.Context(), "x")
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	no := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(no.Close)
	_, err = dial(t, no.URL, key.Account()).SignText(t.Context(), "x")
	require.ErrorContains(t, err, "is it a signer?")
	node := rpc.NewServer()
	t.Cleanup(node.Stop)
	plain := httptest.NewServer(node)
	t.Cleanup(plain.Close)
	_, err = dial(t, plain.URL, key.Account()).SignText(t.Context(), "x")
	require.ErrorContains(t, err, "does not speak clef's external API")
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":"0x` + strings.Repeat("00", 2<<20) + `"}`))
	}))
	t.Cleanup(endless.Close)
	_, err = dial(t, endless.URL, key.Account()).SignText(t.Context(), "x")
	require.Error(t, err)
}

// What an address hides is in no error and no text for people.
func TestAddressesStaySecret(t *testing.T) {
	for _, url := range []string{"http://user:hunter2@127.0.0.1:1/hunter2?token=hunter2", "https://hunter2:hunter2@127.0.0.1:1"} {
		s, err := clef.New(clef.Config{URL: url, Account: protocol.Account{1}, Waiting: func(what string) { require.NotContains(t, what, "hunter2") }})
		require.NoError(t, err)
		_, err = s.SignText(t.Context(), "x")
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, s.String(), "hunter2")
	}
	for _, url := range []string{"", "clef", "ftp://hunter2", "http://", "relative/hunter2.ipc", "http://[hunter2", "unix://host/x"} {
		_, err := clef.New(clef.Config{URL: url})
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), url)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
