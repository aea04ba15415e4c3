package attrib

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/protocol"
)

// Algorithm is the name that attributions by this package carry.
const Algorithm = "projgrad-v1"

// Index is what one adapter's attributions need: immutable, safe for concurrent
// use.
type Index struct {
	base, adapter, root protocol.Hash
	seed                uint64  // of the projection
	params              int     // of the adapter
	dim                 int     // numbers per entry
	records             []entry // by ID, ascending; one for each example of a record
	vectors             []int16 // len(records) x dim

	corpus *corpus // of the records' tokens
	digest protocol.Hash
}

type entry struct {
	id          protocol.Hash
	contributor protocol.Account
	tokens      []uint32
}

// Base is the hash of the base model.
func (ix *Index) Base() protocol.Hash { return ix.base }

// Adapter is the digest of the adapter's CID.
func (ix *Index) Adapter() protocol.Hash { return ix.adapter }

// Root is the digest of the datanet version.
func (ix *Index) Root() protocol.Hash { return ix.root }

// Digest is the SHA2-256 of the index's bytes.
func (ix *Index) Digest() protocol.Hash { return ix.digest }

// Len is the number of entries: one a record, or more where the adapter learned
// several examples of each.
func (ix *Index) Len() int { return len(ix.records) }

// Record gives an entry's record, contributor and searched tokens.
func (ix *Index) Record(i int) (protocol.Hash, protocol.Account, []uint32) {
	r := &ix.records[i]
	return r.id, r.contributor, r.tokens
}

func (ix *Index) vector(i int) []int16 {
	return ix.vectors[i*ix.dim : (i+1)*ix.dim]
}

var magic = [8]byte{'O', 'L', 'A', 'T', 'T', 'R', '0', '1'}

// Limits of a foreign index.
const (
	minDim     = 16
	maxDim     = 1 << 13
	maxParams  = 1 << 40
	maxRecords = 1 << 24
)

// MarshalBinary writes the index; the same index gives the same bytes.
func (ix *Index) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	b := append([]byte(nil), magic[:]...)
	b = append(b, ix.base[:]...)
	b = append(b, ix.adapter[:]...)
	b = append(b, ix.root[:]...)
	b = le.AppendUint64(b, ix.seed)
	b = le.AppendUint64(b, uint64(ix.params))
	b = le.AppendUint32(b, uint32(ix.dim))
	b = le.AppendUint32(b, uint32(len(ix.records)))
	for i := range ix.records {
		r := &ix.records[i]
		b = append(b, r.id[:]...)
		b = append(b, r.contributor[:]...)
		b = le.AppendUint32(b, uint32(len(r.tokens)))
		for _, t := range r.tokens {
			b = le.AppendUint32(b, t)
		}
	}
	b = slices.Grow(b, 2*len(ix.vectors))
	for _, v := range ix.vectors {
		b = le.AppendUint16(b, uint16(v))
	}
	return b, nil
}

// Open reads an index. It takes memory in proportion to what it was given.
func Open(data []byte) (*Index, error) {
	r := reader{b: data}
	ix := &Index{digest: sha256.Sum256(data)}
	var m [8]byte
	r.bytes(m[:])
	if r.err == nil && m != magic {
		return nil, protocol.Errorf(protocol.KindCorrupt, "index", "is not an attribution index of version 1")
	}
	r.bytes(ix.base[:])
	r.bytes(ix.adapter[:])
	r.bytes(ix.root[:])
	ix.seed = r.u64()
	params := r.u64()
	if ix.params = int(params); r.err == nil && params > maxParams {
		return nil, protocol.Errorf(protocol.KindCorrupt, "index.params", "is %d, more than an adapter has (%d)", params, maxParams)
	}
	ix.dim = int(r.u32())
	if d := ix.dim; r.err == nil && (d < minDim || d > maxDim || bits.OnesCount(uint(d)) != 1) {
		return nil, protocol.Errorf(protocol.KindCorrupt, "index.dim", "is %d: must be a power of two between %d and %d", d, minDim, maxDim)
	}
	ix.records = make([]entry, r.count("records", 56, maxRecords))
	for i := range ix.records {
		e := &ix.records[i]
		r.bytes(e.id[:])
		r.bytes(e.contributor[:])
		e.tokens = make([]uint32, r.count("tokens", 4, maxCorpusTokens))
		for j := range e.tokens {
			e.tokens[j] = r.u32()
		}
		if i > 0 && r.err == nil && e.id.Cmp(ix.records[i-1].id) < 0 {
			r.fail("index.records", "are not in ascending order at %d", i)
		}
		if i > 0 && r.err == nil && e.id == ix.records[i-1].id && e.contributor != ix.records[i-1].contributor {
			r.fail("index.records", "give %s two contributors", e.id)
		}
		if r.err != nil {
			break
		}
	}
	dim := ix.dim
	if want := 2 * len(ix.records) * dim; r.err == nil && len(r.b) != want {
		return nil, protocol.Errorf(protocol.KindCorrupt, "index", "has %d bytes of vectors, %d records of %d need %d", len(r.b), len(ix.records), dim, want)
	}
	if r.err != nil {
		return nil, r.err
	}
	ix.vectors = make([]int16, len(ix.records)*dim)
	for i := range ix.vectors {
		ix.vectors[i] = int16(binary.LittleEndian.Uint16(r.b[2*i:]))
	}
	for i := range ix.records {
		if v := ix.vector(i); slices.Contains(v, math.MinInt16) || dotGo(v, v) > maxNorm(dim) {
			return nil, protocol.Errorf(protocol.KindCorrupt, "index.vectors", "of record %s is longer than a unit vector", ix.records[i].id)
		}
	}
	if err := ix.search(); err != nil {
		return nil, err
	}
	return ix, nil
}

// maxNorm is the square of the longest vector that rounding a unit vector gives.
func maxNorm(dim int) int64 {
	n := one + int64(isqrt(uint64(dim)))/2 + 1
	return n * n
}

// search builds what finds spans.
func (ix *Index) search() error {
	tokens := make([][]uint32, len(ix.records))
	for i := range ix.records {
		tokens[i] = ix.records[i].tokens
	}
	c, err := newCorpus(tokens)
	if err != nil {
		return err
	}
	ix.corpus = c
	return nil
}

// reader takes fields off the front; after a failure it gives zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = protocol.Errorf(protocol.KindCorrupt, field, format, args...)
		r.b = nil
	}
}

func (r *reader) bytes(p []byte) {
	if len(r.b) < len(p) {
		r.fail("index", "ends too early")
		return
	}
	copy(p, r.b)
	r.b = r.b[len(p):]
}

func (r *reader) u32() uint32 {
	var p [4]byte
	r.bytes(p[:])
	return binary.LittleEndian.Uint32(p[:])
}

func (r *reader) u64() uint64 {
	var p [8]byte
	r.bytes(p[:])
	return binary.LittleEndian.Uint64(p[:])
}

// count reads a number of things that take at least size bytes each, all of
// which must still be there.
func (r *reader) count(what string, size, limit int) int {
	n := int(r.u32())
	if n > limit || n > len(r.b)/size {
		r.fail("index."+what, "number %d, more than the bytes that follow can hold", n)
		return 0
	}
	return n
}

// String is for logs.
func (ix *Index) String() string {
	return fmt.Sprintf("%s index %x of %d records", Algorithm, ix.digest[:4], len(ix.records))
}
