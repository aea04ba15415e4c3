package ipfs

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// sample is an archive of a small directory, and its root.
func sample(t testing.TB, version CARVersion) ([]byte, protocol.CID) {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	n, err := Open(Config{DB: db})
	require.NoError(t, err)
	ctx := context.Background()
	one, err := n.AddBytes(ctx, []byte("one"))
	require.NoError(t, err)
	two, err := n.AddBytes(ctx, random(2, 300<<10)) // two chunks and a node
	require.NoError(t, err)
	root, err := n.AddDirectory(ctx, []Entry{{Name: "one", CID: one}, {Name: "two", CID: two}, {Name: "also", CID: one}})
	require.NoError(t, err)
	var out bytes.Buffer
	stats, err := n.ExportCAR(ctx, &out, root, version)
	require.NoError(t, err)
	require.Equal(t, 5, stats.Blocks)
	return out.Bytes(), root
}

func TestCARRoundTrip(t *testing.T) {
	for _, version := range []CARVersion{CARv1, CARv2} {
		archive, root := sample(t, version)
		n := newNode(t)
		roots, stats, err := n.ImportCAR(t.Context(), bytes.NewReader(archive))
		require.NoError(t, err)
		require.Equal(t, []protocol.CID{root}, roots)
		require.Equal(t, 5, stats.Blocks)
		require.Equal(t, 5, blocksIn(t, n))
		c, err := n.Resolve(t.Context(), root, "two", nil)
		require.NoError(t, err)
		data, err := n.ReadFile(t.Context(), c, nil, 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(random(2, 300<<10), data))

		var again bytes.Buffer
		_, err = n.ExportCAR(t.Context(), &again, root, version)
		require.NoError(t, err)
		require.True(t, bytes.Equal(archive, again.Bytes()), "the same root gives the same bytes")
	}
	n := newNode(t)
	_, err := n.ExportCAR(t.Context(), io.Discard, RawCIDOf(protocol.Hash{1}), CARv1)
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
}

// A truncated archive gives an error, whatever the cut, and imports nothing.
func TestTruncatedCARImportsNothing(t *testing.T) {
	for _, version := range []CARVersion{CARv1, CARv2} {
		archive, _ := sample(t, version)
		n := newNode(t)
		cuts := []int{0, 1, 10, 50, 58, 59, 60, 61, 80, 110, 130}
		for i := 150; i < len(archive); i += 997 {
			cuts = append(cuts, i)
		}
		for i := len(archive) - 20; i < len(archive); i++ {
			cuts = append(cuts, i)
		}
		for _, cut := range cuts {
			_, _, err := n.ImportCAR(t.Context(), bytes.NewReader(archive[:cut]))
			require.Error(t, err, "cut at %d of %d", cut, len(archive))
			require.Contains(t, err.Error(), "nothing was imported", "cut at %d", cut)
			require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
			require.Zero(t, blocksIn(t, n), "cut at %d", cut)
		}
	}
}

// A flipped bit anywhere in the data of a CAR v1 is found.
func TestDamagedCARImportsNothing(t *testing.T) {
	archive, root := sample(t, CARv1)
	n := newNode(t)
	for i := 0; i < len(archive); i += 1 + i/200 {
		bad := bytes.Clone(archive)
		bad[i] ^= 1 << (i % 8)
		roots, _, err := n.ImportCAR(t.Context(), bytes.NewReader(bad))
		if err == nil {
			// Only what says the same in other bits may pass: the roots must stay.
			require.Equal(t, []protocol.CID{root}, roots, "byte %d", i)
			n = newNode(t)
			continue
		}
		require.Zero(t, blocksIn(t, n), "byte %d", i)
	}
}

func TestIncompleteCARNamesTheBlock(t *testing.T) {
	archive, _ := sample(t, CARv1)
	// The last block is a leaf: leave it out at its boundary.
	n := newNode(t)
	_, _, err := n.ImportCAR(t.Context(), bytes.NewReader(archive))
	require.NoError(t, err)
	leaf := random(2, 300<<10)[ChunkBytes:]
	id := RawCID(leaf)
	section := id.ByteLen() + len(leaf)
	cut := len(archive) - section - 3 // three bytes of length
	require.True(t, bytes.HasSuffix(archive, leaf))

	n = newNode(t)
	_, _, err = n.ImportCAR(t.Context(), bytes.NewReader(archive[:cut]))
	require.ErrorContains(t, err, "incomplete: block "+id.String())
	require.Zero(t, blocksIn(t, n))
}

func FuzzImportCAR(f *testing.F) {
	for _, version := range []CARVersion{CARv1, CARv2} {
		archive, _ := sample(f, version)
		f.Add(archive[:1000])
	}
	f.Add([]byte{})
	f.Add([]byte("\x0a\xa1gversion\x02"))
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	n, err := Open(Config{DB: db, MaxFileBytes: 8 << 20})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		roots, _, err := n.ImportCAR(context.Background(), bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range roots {
			if _, err := n.Fetch(context.Background(), c, nil); err != nil {
				t.Fatalf("imported root %s is not complete: %v", c, err)
			}
		}
	})
}
