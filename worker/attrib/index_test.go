package attrib

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
)

// fabricated is an index that no model was needed for.
func fabricated(t testing.TB, n, dim int) *Index {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	ix := &Index{base: protocol.Hash{1}, adapter: protocol.Hash{2}, root: protocol.Hash{3}}
	ix.seed, ix.dim, ix.params = 9, dim, 12345
	ix.vectors = make([]int16, n*dim)
	for i := range n {
		e := entry{id: protocol.Hash{byte(i >> 8), byte(i)}, contributor: protocol.Account{byte(i)}, tokens: make([]uint32, r.IntN(9))}
		for j := range e.tokens {
			e.tokens[j] = r.Uint32N(50)
		}
		ix.records = append(ix.records, e)
		p := make([]float64, dim)
		for j := range p {
			p[j] = r.NormFloat64()
		}
		quantise(ix.vector(i), p)
	}
	require.NoError(t, ix.search())
	b, err := ix.MarshalBinary()
	require.NoError(t, err)
	ix.digest = sha256.Sum256(b)
	return ix
}

func TestIndexSurvivesItsBytes(t *testing.T) {
	ix := fabricated(t, 5, 32)
	b, err := ix.MarshalBinary()
	require.NoError(t, err)
	got, err := Open(b)
	require.NoError(t, err)
	require.Equal(t, ix, got)
	again, err := got.MarshalBinary()
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, again))
}

func TestOpenRefusesDamage(t *testing.T) {
	b, err := fabricated(t, 3, 16).MarshalBinary()
	require.NoError(t, err)
	for n := range b {
		_, err := Open(b[:n])
		require.Error(t, err, "cut to %d bytes", n)
		require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	}
	_, err = Open(append(bytes.Clone(b), 0))
	require.Error(t, err)
	swapped := bytes.Clone(b)
	swapped[8+96+8+8+4+4] = 0xff // first record's hash: no longer ascending
	_, err = Open(swapped)
	require.ErrorContains(t, err, "ascending")
}

func FuzzOpen(f *testing.F) {
	for _, n := range []int{1, 3} {
		b, err := fabricated(f, n, 16).MarshalBinary()
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ix, err := Open(data)
		if err != nil {
			return
		}
		b, err := ix.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, data, b)
		ix.attribute(make([]int64, ix.Len()), []uint32{1, 2, 3, 4, 5})
	})
}
