package wire

import (
	"crypto/ecdsa"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

var rewrite = flag.Bool("rewrite-batch", false, "write testdata/batch.json anew")

// batchVectors is testdata/batch.json, which the web application and the clients test
// their signatures against.
type batchVectors struct {
	ChainID    uint64           `json:"chain_id"`
	Contract   protocol.Account `json:"contract"`
	PrivateKey hexutil.Bytes    `json:"private_key"`
	Signer     protocol.Account `json:"signer"`
	Batches    []batchVector    `json:"batches"`
}

type batchVector struct {
	Kind       BatchKind         `json:"kind"`
	Statements []json.RawMessage `json:"statements"`
	Digests    []protocol.Hash   `json:"digests"` // EIP-712, of each statement
	Root       protocol.Hash     `json:"root"`
	Count      uint32            `json:"count"`
	Digest     protocol.Hash     `json:"digest"`     // EIP-712, of the batch
	Signature  hexutil.Bytes     `json:"signature"`  // of the batch
	Signatures []hexutil.Bytes   `json:"signatures"` // of each statement: with its proof
}

func batchKey(t testing.TB) (*ecdsa.PrivateKey, Domain) {
	key, err := crypto.ToECDSA(hexutil.MustDecode("0x4646464646464646464646464646464646464646464646464646464646464646"))
	require.NoError(t, err)
	return key, Domain{ChainID: 31337, Contract: protocol.Account{0xdd, 0xaa}}
}

func sampleContributions(n int, by protocol.Account) []protocol.Contribution {
	out := make([]protocol.Contribution, n)
	for i := range out {
		out[i] = protocol.Contribution{Datanet: 7, Record: protocol.Hash{byte(i), 1}, Contributor: by, License: "CC-BY-4.0", At: 1_800_000_000_000 + int64(i)}
	}
	return out
}

func sampleReviews(n int) []protocol.Review {
	out := make([]protocol.Review, n)
	for i := range out {
		out[i] = protocol.Review{Datanet: 7, Record: protocol.Hash{byte(i), 2}, Status: protocol.ReviewAccepted, At: 1_800_000_000_000}
		if i%3 == 1 {
			out[i].Status, out[i].Reason = protocol.ReviewRejected, fmt.Sprintf("off topic: “%d”", i)
		}
	}
	return out
}

func makeVectors(t *testing.T) batchVectors {
	key, d := batchKey(t)
	v := batchVectors{ChainID: d.ChainID, Contract: d.Contract, PrivateKey: crypto.FromECDSA(key), Signer: crypto.PubkeyToAddress(key.PublicKey)}
	for _, n := range []int{1, 2, 3, 5, 8} {
		for _, kind := range []BatchKind{ContributionBatch, ReviewBatch} {
			b := batchVector{Kind: kind}
			contributions, reviews := sampleContributions(n, v.Signer), sampleReviews(n)
			for i := range n {
				var statement any = contributions[i]
				data := ContributionData(d, contributions[i])
				if kind == ReviewBatch {
					statement, data = reviews[i], ReviewData(d, reviews[i])
				}
				raw, err := json.Marshal(statement)
				require.NoError(t, err)
				b.Statements = append(b.Statements, raw)
				digest, err := data.Digest()
				require.NoError(t, err)
				b.Digests = append(b.Digests, digest)
			}
			tree, err := NewBatch(b.Digests)
			require.NoError(t, err)
			b.Root, b.Count = tree.Root(), tree.Count()
			data := BatchData(d, kind, b.Root, b.Count)
			b.Digest, err = data.Digest()
			require.NoError(t, err)
			b.Signature, err = Sign(data, key)
			require.NoError(t, err)
			for i := range n {
				b.Signatures = append(b.Signatures, tree.Signature(b.Signature, i))
			}
			v.Batches = append(v.Batches, b)
		}
	}
	return v
}

// The vectors that other implementations are tested with are what this one makes, and
// what it accepts.
func TestBatchVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", " ")
	require.NoError(t, err)
	if *rewrite {
		require.NoError(t, os.WriteFile("testdata/batch.json", append(made, '\n'), 0o644))
	}
	golden, err := os.ReadFile("testdata/batch.json")
	require.NoError(t, err)
	require.JSONEq(t, string(golden), string(made))

	var v batchVectors
	require.NoError(t, json.Unmarshal(golden, &v))
	d := Domain{v.ChainID, v.Contract}
	for _, b := range v.Batches {
		for i, raw := range b.Statements {
			if b.Kind == ContributionBatch {
				var c protocol.Contribution
				require.NoError(t, json.Unmarshal(raw, &c))
				require.NoError(t, VerifyContribution(d, protocol.SignedContribution{Contribution: c, Signature: b.Signatures[i]}))
			} else {
				var r protocol.Review
				require.NoError(t, json.Unmarshal(raw, &r))
				require.NoError(t, VerifyReview(d, v.Signer, protocol.SignedReview{Review: r, Signature: b.Signatures[i]}))
			}
		}
	}
}

// Each statement of a batch of any size verifies with its own proof only, and a signature
// has one form only.
func TestBatchOfEachSize(t *testing.T) {
	key, d := batchKey(t)
	me := crypto.PubkeyToAddress(key.PublicKey)
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100} {
		signed, err := SignContributions(d, sampleContributions(n, me), key)
		require.NoError(t, err)
		for i, s := range signed {
			require.NoError(t, VerifyContribution(d, s), "%d of %d", i, n)
			require.LessOrEqual(t, len(s.Signature), MaxSignatureBytes)
			if n > 1 {
				s.Signature = signed[(i+1)%n].Signature
				require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(VerifyContribution(d, s)), "%d of %d", i, n)
			}
		}
	}
	list, err := SignContributions(d, sampleContributions(5, me), key)
	require.NoError(t, err)
	s := list[2]
	for at := range s.Signature {
		bad := s
		bad.Signature = append([]byte(nil), s.Signature...)
		bad.Signature[at] ^= 1
		require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(VerifyContribution(d, bad)), "byte %d", at)
	}
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:len(b)-32] }, func(b []byte) []byte { return append(b, make([]byte, 32)...) },
		func(b []byte) []byte { return b[:66] }, func(b []byte) []byte { return append(b, 0) }, func(b []byte) []byte { return b[:0] },
		func(b []byte) []byte { return append(b, make([]byte, 32*40)...) }, func(b []byte) []byte { return b[:65] },
	} {
		bad := s
		bad.Signature = change(append([]byte(nil), s.Signature...))
		require.Equal(t, protocol.KindUnauthorized, protocol.KindOf(VerifyContribution(d, bad)))
	}
	other, err := SignReviews(d, sampleReviews(3), key)
	require.NoError(t, err)
	require.NoError(t, VerifyReview(d, me, other[1]))
	require.Error(t, VerifyReview(d, protocol.Account{1}, other[1]))
	other[1].Review.Status = protocol.ReviewAccepted
	require.Error(t, VerifyReview(d, me, other[1]))

	_, err = NewBatch(nil)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	_, err = ContributionsBatch(d, make([]protocol.Contribution, MaxBatch+1))
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
}

// A signature over a batch of one type is none over the other, nor over a single
// statement, even where the trees are the same.
func TestBatchKindsAreApart(t *testing.T) {
	key, d := batchKey(t)
	me := crypto.PubkeyToAddress(key.PublicKey)
	c := sampleContributions(1, me)
	b, err := ContributionsBatch(d, c)
	require.NoError(t, err)
	sig, err := Sign(BatchData(d, ReviewBatch, b.Root(), 1), key)
	require.NoError(t, err)
	require.Error(t, VerifyContribution(d, protocol.SignedContribution{Contribution: c[0], Signature: b.Signature(sig, 0)}))
	sig, err = Sign(BatchData(d, ContributionBatch, b.Root(), 1), key)
	require.NoError(t, err)
	require.NoError(t, VerifyContribution(d, protocol.SignedContribution{Contribution: c[0], Signature: b.Signature(sig, 0)}))
	require.Error(t, VerifyContribution(d, protocol.SignedContribution{Contribution: c[0], Signature: sig}))
	// An inner node is no leaf.
	digest := nodeHash(protocol.Hash{1}, protocol.Hash{2})
	require.NotEqual(t, digest, leafHash(digest))
}

func FuzzBatchSignature(f *testing.F) {
	key, d := batchKey(f)
	me := crypto.PubkeyToAddress(key.PublicKey)
	signed, err := SignContributions(d, sampleContributions(6, me), key)
	require.NoError(f, err)
	for _, s := range signed {
		f.Add(s.Signature)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sig []byte) {
		for i, s := range signed {
			if VerifyContribution(d, protocol.SignedContribution{Contribution: s.Contribution, Signature: sig}) == nil {
				require.Equal(t, signed[i].Signature, sig, "a second form of the same signature")
			}
		}
	})
}
