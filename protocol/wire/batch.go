package wire

import (
	"crypto/ecdsa"
	"encoding/binary"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/openledger/openledger/protocol"
)

// MaxBatch is how many statements one signature may cover.
const MaxBatch = 1 << 20

// A signature over one of many statements is
//
//	signature of the batch (65 bytes) | count (uint32) | index (uint32) | siblings (32 bytes each, from the leaf up)
//
// with numbers in big endian. The batch's typed data is ContributionBatch or
// ReviewBatch(bytes32 root,uint32 count); the tree's leaves are the EIP-712 digests of the
// statements, so that they commit to domain and type:
//
//	leaf = keccak256(0x00 | digest)
//	node = keccak256(0x01 | left | right)
//
// The last node of a level with an odd number of nodes is promoted unchanged. Which side a
// sibling is on follows from index and count. testdata/batch.json holds vectors.
const batchHeader = signatureBytes + 8

// SignatureBytes is the length of a signature over one statement alone.
const SignatureBytes = signatureBytes

// MaxSignatureBytes is the longest signature of a statement in a batch.
const MaxSignatureBytes = batchHeader + 20*32

// Domain bytes that keep leaves and inner nodes apart.
const (
	batchLeaf = 0
	batchNode = 1
)

// BatchKind is the typed data's name of a batch.
type BatchKind string

// Kinds of batch. Their contract is DatanetRegistry.
const (
	ContributionBatch BatchKind = "ContributionBatch"
	ReviewBatch       BatchKind = "ReviewBatch"
)

// BatchData is the typed data that is signed for a batch of statements.
func BatchData(d Domain, kind BatchKind, root protocol.Hash, count uint32) TypedData {
	t := TypedData{domain: d, primary: string(kind)}
	t.hash("root", root)
	t.uint("count", 32, uint64(count))
	return t
}

// Batch is a Merkle tree over the digests of statements that are signed together.
type Batch struct {
	levels [][]protocol.Hash // levels[0] are the leaves
}

// NewBatch builds the tree over the digests of 1 to [MaxBatch] statements, in their order.
func NewBatch(digests []protocol.Hash) (*Batch, error) {
	if len(digests) == 0 || len(digests) > MaxBatch {
		return nil, protocol.Errorf(protocol.KindInvalid, "batch", "has %d statements, 1 to %d are possible", len(digests), MaxBatch)
	}
	level := make([]protocol.Hash, len(digests))
	for i, d := range digests {
		level[i] = leafHash(d)
	}
	b := &Batch{levels: [][]protocol.Hash{level}}
	for len(level) > 1 {
		next := make([]protocol.Hash, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			next = append(next, nodeHash(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1])
		}
		b.levels = append(b.levels, next)
		level = next
	}
	return b, nil
}

// Root is what the batch's signer signs, with Count.
func (b *Batch) Root() protocol.Hash { return b.levels[len(b.levels)-1][0] }

// Count is the number of statements.
func (b *Batch) Count() uint32 { return uint32(len(b.levels[0])) }

// Signature is the i-th statement's signature, given the batch's.
func (b *Batch) Signature(batch []byte, i int) []byte {
	out := append(make([]byte, 0, batchHeader+32*len(b.levels)), batch...)
	out = binary.BigEndian.AppendUint32(out, b.Count())
	out = binary.BigEndian.AppendUint32(out, uint32(i))
	for _, level := range b.levels[:len(b.levels)-1] {
		if sibling := i ^ 1; sibling < len(level) {
			out = append(out, level[sibling][:]...)
		}
		i >>= 1
	}
	return out
}

func leafHash(digest protocol.Hash) protocol.Hash {
	return crypto.Keccak256Hash([]byte{batchLeaf}, digest[:])
}

func nodeHash(left, right protocol.Hash) protocol.Hash {
	return crypto.Keccak256Hash([]byte{batchNode}, left[:], right[:])
}

// verifyInBatch checks a signature over a statement, alone (65 bytes) or in a batch.
func verifyInBatch(t TypedData, kind BatchKind, signer protocol.Account, signature []byte) error {
	digest, err := t.Digest()
	if err != nil {
		return err
	}
	if len(signature) == signatureBytes {
		return verifyDigest(t.primary, digest, signer, signature)
	}
	root, count, err := batchRoot(digest, signature)
	if err != nil {
		return err
	}
	return Verify(BatchData(t.domain, kind, root, count), signer, signature[:signatureBytes])
}

// batchRoot walks from a statement's digest up to the root of its batch. It takes one form
// of a proof only: with exactly the siblings that index and count ask for.
func batchRoot(digest protocol.Hash, signature []byte) (protocol.Hash, uint32, error) {
	bad := func(format string, args ...any) (protocol.Hash, uint32, error) {
		return protocol.Hash{}, 0, protocol.Errorf(protocol.KindUnauthorized, "signature", format, args...)
	}
	if len(signature) < batchHeader || (len(signature)-batchHeader)%32 != 0 || len(signature) > MaxSignatureBytes {
		return bad("has %d bytes: it is 65, or those of a batch with a proof", len(signature))
	}
	count := binary.BigEndian.Uint32(signature[signatureBytes:])
	index := binary.BigEndian.Uint32(signature[signatureBytes+4:])
	if count == 0 || count > MaxBatch || index >= count {
		return bad("says it is number %d of a batch of %d, which is not possible", index, count)
	}
	node, siblings := leafHash(digest), signature[batchHeader:]
	for i, width := index, count; width > 1; i, width = i>>1, width/2+width%2 {
		if i == width-1 && width%2 == 1 {
			continue // promoted
		}
		if len(siblings) == 0 {
			return bad("has too short a proof for a batch of %d", count)
		}
		sibling := protocol.Hash(siblings[:32])
		siblings = siblings[32:]
		if i%2 == 0 {
			node = nodeHash(node, sibling)
		} else {
			node = nodeHash(sibling, node)
		}
	}
	if len(siblings) > 0 {
		return bad("has too long a proof for a batch of %d", count)
	}
	return node, count, nil
}

// ContributionsBatch is the tree over contributions that are signed together.
func ContributionsBatch(d Domain, list []protocol.Contribution) (*Batch, error) {
	return batchOf(len(list), func(i int) TypedData { return ContributionData(d, list[i]) })
}

// ReviewsBatch is the tree over reviews that are signed together.
func ReviewsBatch(d Domain, list []protocol.Review) (*Batch, error) {
	return batchOf(len(list), func(i int) TypedData { return ReviewData(d, list[i]) })
}

func batchOf(n int, data func(int) TypedData) (*Batch, error) {
	if n > MaxBatch {
		return NewBatch(make([]protocol.Hash, n)) // which refuses it
	}
	digests := make([]protocol.Hash, n)
	for i := range digests {
		var err error
		if digests[i], err = data(i).Digest(); err != nil {
			return nil, err
		}
	}
	return NewBatch(digests)
}

// SignContributions signs contributions of one contributor with one signature.
func SignContributions(d Domain, list []protocol.Contribution, key *ecdsa.PrivateKey) ([]protocol.SignedContribution, error) {
	b, err := ContributionsBatch(d, list)
	if err != nil {
		return nil, err
	}
	sig, err := Sign(BatchData(d, ContributionBatch, b.Root(), b.Count()), key)
	if err != nil {
		return nil, err
	}
	out := make([]protocol.SignedContribution, len(list))
	for i, c := range list {
		out[i] = protocol.SignedContribution{Contribution: c, Signature: b.Signature(sig, i)}
	}
	return out, nil
}

// SignReviews signs reviews with one signature.
func SignReviews(d Domain, list []protocol.Review, owner *ecdsa.PrivateKey) ([]protocol.SignedReview, error) {
	b, err := ReviewsBatch(d, list)
	if err != nil {
		return nil, err
	}
	sig, err := Sign(BatchData(d, ReviewBatch, b.Root(), b.Count()), owner)
	if err != nil {
		return nil, err
	}
	out := make([]protocol.SignedReview, len(list))
	for i, r := range list {
		out[i] = protocol.SignedReview{Review: r, Signature: b.Signature(sig, i)}
	}
	return out, nil
}
