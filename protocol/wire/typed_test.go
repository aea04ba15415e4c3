package wire

import (
	"crypto/ecdsa"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

type golden struct {
	ChainID    uint64           `json:"chain_id"`
	Contract   protocol.Account `json:"contract"`
	PrivateKey hexutil.Bytes    `json:"private_key"`
	Signer     protocol.Account `json:"signer"`
	Cases      []goldenCase     `json:"cases"`
}

type goldenCase struct {
	Type      string            `json:"type"`
	TypeHash  protocol.Hash     `json:"type_hash"`
	Message   map[string]string `json:"message"`
	Digest    protocol.Hash     `json:"digest"`
	Signature hexutil.Bytes     `json:"signature"`
}

func readGolden(t *testing.T) (golden, Domain, *ecdsa.PrivateKey) {
	t.Helper()
	b, err := os.ReadFile("testdata/eip712.json")
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(b, &g))
	key, err := crypto.ToECDSA(g.PrivateKey)
	require.NoError(t, err)
	require.Equal(t, g.Signer, crypto.PubkeyToAddress(key.PublicKey))
	require.Len(t, g.Cases, 6)
	return g, Domain{g.ChainID, g.Contract}, key
}

func (c goldenCase) data(t *testing.T, d Domain) TypedData {
	m := c.Message
	hash := func(n string) protocol.Hash { return protocol.Hash(hexutil.MustDecode(m[n])) }
	account := func(n string) protocol.Account { return protocol.Account(hexutil.MustDecode(m[n])) }
	hashes := func(n string) (out []protocol.Hash) {
		for _, h := range strings.Fields(m[n]) {
			out = append(out, protocol.Hash(hexutil.MustDecode(h)))
		}
		return out
	}
	amount := func(n string) uint256.Int { return *uint256.MustFromDecimal(m[n]) }
	num := func(n string) uint64 {
		v, err := strconv.ParseUint(m[n], 10, 64)
		require.NoError(t, err)
		return v
	}
	switch c.Type {
	case "Receipt":
		return ReceiptData(d, protocol.Receipt{
			ID: hash("id"), Requester: account("requester"), Worker: account("worker"), Base: hash("base"), Adapter: hash("adapter"),
			Datanet: num("datanet"), DatanetRoot: hash("datanetRoot"), PromptTokens: uint32(num("promptTokens")), OutputTokens: uint32(num("outputTokens")),
			Compute: amount("compute"), Access: amount("access"), Agent: num("agent"), AgentVersion: uint32(num("agentVersion")), Markup: amount("markup"), OutputHash: hash("outputHash"), AttributionRoot: hash("attributionRoot"),
			Evidence: hash("evidence"), FinishedAt: int64(num("finishedAt")),
		})
	case "Voucher":
		return VoucherData(d, protocol.Voucher{Requester: account("requester"), Worker: account("worker"), Cumulative: amount("cumulative"), Expires: int64(num("expires"))})
	case "Binding":
		return BindingData(d, protocol.Binding{
			Peer: protocol.PeerID(m["peer"]), NodeKey: account("nodeKey"), Owner: account("owner"), Payout: account("payout"),
			IssuedAt: int64(num("issuedAt")), Expires: int64(num("expires")),
		})
	case "Contribution":
		return ContributionData(d, protocol.Contribution{Datanet: num("datanet"), Record: hash("record"), Contributor: account("contributor"), License: m["license"], At: int64(num("at"))})
	case "Review":
		return ReviewData(d, protocol.Review{Datanet: num("datanet"), Record: hash("record"), Status: protocol.ReviewStatus(m["status"]), Reason: m["reason"], At: int64(num("at"))})
	case "TrainingOrder":
		return TrainingOrderData(d, protocol.TrainingOrder{
			Owner: account("owner"), Name: m["name"], Base: hash("base"), Datanet: num("datanet"), Version: uint32(num("version")), Root: protocol.CID(m["root"]),
			HyperHash: hash("hyperHash"), Access: amount("access"), Nonce: hash("nonce"), Deadline: int64(num("deadline")),
			RoyaltyBps: uint16(num("royaltyBps")), Revision: uint32(num("revision")), Parents: hashes("parents"),
		})
	}
	t.Fatalf("no such type %s", c.Type)
	return TypedData{}
}

func TestTypedDataGolden(t *testing.T) {
	g, d, key := readGolden(t)
	for _, c := range g.Cases {
		t.Run(c.Type, func(t *testing.T) {
			data := c.data(t, d)
			require.Equal(t, c.TypeHash, crypto.Keccak256Hash([]byte(data.typeString())))
			digest, err := data.Digest()
			require.NoError(t, err)
			require.Equal(t, c.Digest, digest)
			sig, err := Sign(data, key) // RFC 6979: the same everywhere
			require.NoError(t, err)
			require.Equal(t, []byte(c.Signature), sig)
			require.NoError(t, Verify(data, g.Signer, c.Signature))

			// The document for wallets hashes to the same digest.
			doc, err := data.JSON()
			require.NoError(t, err)
			var wallet apitypes.TypedData
			require.NoError(t, json.Unmarshal(doc, &wallet))
			other, _, err := apitypes.TypedDataAndHash(wallet)
			require.NoError(t, err)
			require.Equal(t, digest[:], other)

			for name, wrong := range map[string]Domain{"chain": {d.ChainID + 1, d.Contract}, "contract": {d.ChainID, protocol.Account{1}}} {
				require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(Verify(c.data(t, wrong), g.Signer, c.Signature)), name)
			}
		})
	}
}

func TestOtherFormsOfASignatureAreRefused(t *testing.T) {
	g, d, _ := readGolden(t)
	data, sig := g.Cases[1].data(t, d), []byte(g.Cases[1].Signature)
	n := crypto.S256().Params().N
	high := append([]byte(nil), sig...)
	s := new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:64]))
	s.FillBytes(high[32:64])
	high[64] = 27 + 28 - sig[64]
	edit := func(fn func(b []byte) []byte) []byte { return fn(append([]byte(nil), sig...)) }
	for name, bad := range map[string][]byte{
		"high s": high,
		"v 0/1":  edit(func(b []byte) []byte { b[64] -= 27; return b }),
		"v 29":   edit(func(b []byte) []byte { b[64] = 29; return b }),
		"short":  sig[:64],
		"long":   append(append([]byte(nil), sig...), 0),
		"empty":  nil,
		"r zero": edit(func(b []byte) []byte { clear(b[:32]); return b }),
		"s zero": edit(func(b []byte) []byte { clear(b[32:64]); return b }),
		"r = n":  edit(func(b []byte) []byte { n.FillBytes(b[:32]); return b }),
		"bit":    edit(func(b []byte) []byte { b[5] ^= 1; return b }),
	} {
		require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(Verify(data, g.Signer, bad)), name)
	}
	require.Error(t, Verify(data, protocol.Account{}, sig))
}

func TestSignAndVerifyEachStatement(t *testing.T) {
	_, d, key := readGolden(t)
	me := crypto.PubkeyToAddress(key.PublicKey)
	r, err := SignReceipt(d, protocol.Receipt{ID: protocol.Hash{1}}, key)
	require.NoError(t, err)
	require.NoError(t, VerifyReceipt(d, r))
	r.Receipt.OutputTokens++
	require.Error(t, VerifyReceipt(d, r))
	v, err := SignVoucher(d, protocol.Voucher{Expires: 7}, key)
	require.NoError(t, err)
	require.NoError(t, VerifyVoucher(d, v))
	b, err := SignBinding(d, protocol.Binding{Owner: me}, key)
	require.NoError(t, err)
	require.NoError(t, VerifyBinding(d, b))
	c, err := SignContribution(d, protocol.Contribution{Contributor: me}, key)
	require.NoError(t, err)
	require.NoError(t, VerifyContribution(d, c))
	w, err := SignReview(d, protocol.Review{Status: protocol.ReviewAccepted}, key)
	require.NoError(t, err)
	require.NoError(t, VerifyReview(d, me, w))
	require.Error(t, VerifyReview(d, protocol.Account{1}, w))
	o := protocol.TrainingOrder{Owner: me, Name: "x"}
	sig, err := SignTrainingOrder(d, o, key)
	require.NoError(t, err)
	require.NoError(t, VerifyTrainingOrder(d, o, sig))

	_, err = SignVoucher(d, protocol.Voucher{Expires: -1}, key)
	var e *protocol.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "expires", e.Field)
	_, err = VoucherData(d, protocol.Voucher{Expires: -1}).JSON()
	require.Error(t, err)
}

// The fast path for receipts signs and refuses what the general one does.
func TestReceiptDigestIsTheTypedDataDigest(t *testing.T) {
	require.Equal(t, receiptType, func() string { d := ReceiptData(Domain{}, protocol.Receipt{}); return d.typeString() }())
	rng := rand.New(rand.NewPCG(11, 12))
	fill := func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
	for range 200 {
		r := protocol.Receipt{
			Datanet: rng.Uint64(), PromptTokens: rng.Uint32(), OutputTokens: rng.Uint32(), FinishedAt: rng.Int64(),
			Compute: uint256.Int{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()}, Access: *uint256.NewInt(rng.Uint64()),
			Agent: rng.Uint64(), AgentVersion: rng.Uint32(), Markup: uint256.Int{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()},
		}
		for _, b := range [][]byte{r.ID[:], r.Requester[:], r.Worker[:], r.Base[:], r.Adapter[:], r.DatanetRoot[:], r.OutputHash[:], r.AttributionRoot[:], r.Evidence[:]} {
			fill(b)
		}
		d := Domain{ChainID: rng.Uint64()}
		fill(d.Contract[:])
		want, err := ReceiptData(d, r).Digest()
		require.NoError(t, err)
		got, err := ReceiptDigest(d, &r)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ReceiptDigest(Domain{}, &protocol.Receipt{FinishedAt: -1})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
}

// Settlement verifies receipts by the ten thousand: beside what the curve allocates (one
// in C, a dozen in pure Go) there is next to nothing. The race detector empties pools.
func TestVerifyReceiptAllocatesLittle(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	r, err := SignReceipt(Domain{ChainID: 1}, protocol.Receipt{}, key)
	require.NoError(t, err)
	digest, err := ReceiptDigest(Domain{ChainID: 1}, &r.Receipt)
	require.NoError(t, err)
	plain := append([]byte(nil), r.Signature...)
	plain[64] -= 27
	curve := testing.AllocsPerRun(200, func() {
		if _, err := crypto.Ecrecover(digest[:], plain); err != nil {
			t.Error(err)
		}
	})
	ours := testing.AllocsPerRun(200, func() {
		if err := VerifyReceipt(Domain{ChainID: 1}, r); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, ours, curve+6)
}

func BenchmarkVerifyReceipt(b *testing.B) {
	key, err := crypto.GenerateKey()
	require.NoError(b, err)
	r, err := SignReceipt(Domain{ChainID: 1}, protocol.Receipt{}, key)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyReceipt(Domain{ChainID: 1}, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecover is the curve's part of VerifyReceipt: what it cannot be faster than.
func BenchmarkRecover(b *testing.B) {
	key, err := crypto.GenerateKey()
	require.NoError(b, err)
	digest := crypto.Keccak256([]byte("digest"))
	sig, err := crypto.Sign(digest, key)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := crypto.Ecrecover(digest, sig); err != nil {
			b.Fatal(err)
		}
	}
}
