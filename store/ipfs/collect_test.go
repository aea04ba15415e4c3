package ipfs

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

func noMore(*store.Tx) error { return nil }

// behind are the digests of a DAG's local blocks.
func behind(t *testing.T, n *Node, id protocol.CID) (out []protocol.Hash, whole bool) {
	t.Helper()
	whole, err := n.Local(t.Context(), id, func(d protocol.Hash, _ int64) { out = append(out, d) })
	require.NoError(t, err)
	return out, whole
}

func TestRemoveDeletesWhatIsNotKept(t *testing.T) {
	n := newNode(t)
	one := random(1, 3*ChunkBytes)
	two := append(bytes.Clone(one[:2*ChunkBytes]), random(2, ChunkBytes)...) // shares two chunks
	a, err := n.AddBytes(t.Context(), one)
	require.NoError(t, err)
	b, err := n.AddBytes(t.Context(), two)
	require.NoError(t, err)
	blocksOfA, whole := behind(t, n, a)
	require.True(t, whole)
	require.Len(t, blocksOfA, 4)
	blocksOfB, _ := behind(t, n, b)

	gone, err := n.Remove(t.Context(), blocksOfA, func(keep func(protocol.Hash)) error {
		for _, d := range blocksOfB {
			keep(d)
		}
		return nil
	}, noMore)
	require.NoError(t, err)
	require.Equal(t, 2, gone.Blocks, "the root and the chunk that nobody else has")
	got, err := n.ReadFile(t.Context(), b, nil, 1<<20)
	require.NoError(t, err)
	require.Equal(t, two, got)
	rest, whole := behind(t, n, a)
	require.False(t, whole)
	require.Empty(t, rest, "without its root, nothing of it is found")
}

// What is written or found while a collection looks for what to keep stays, whatever it finds.
func TestRemoveSparesWhatIsTouchedMeanwhile(t *testing.T) {
	n := newNode(t)
	var ids []protocol.CID
	var digests []protocol.Hash
	for i := range 4 {
		id, err := n.AddBlock(t.Context(), random(uint64(i), 100))
		require.NoError(t, err)
		d, err := Digest(id)
		require.NoError(t, err)
		ids, digests = append(ids, id), append(digests, d)
	}
	gone, err := n.Remove(t.Context(), digests, func(func(protocol.Hash)) error {
		_, err := n.AddBlock(t.Context(), random(0, 100)) // written again
		require.NoError(t, err)
		_, err = n.GetBlock(t.Context(), ids[1], nil)
		require.NoError(t, err)
		_, err = n.Has(t.Context(), ids[2])
		require.NoError(t, err)
		return nil
	}, noMore)
	require.NoError(t, err)
	require.Equal(t, 1, gone.Blocks)
	for i, id := range ids {
		has, err := n.Has(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, i != 3, has)
	}
}

// A collection waits for those who have written blocks and not yet said what for.
func TestRemoveWaitsForWriters(t *testing.T) {
	n := newNode(t)
	done := n.Writing()
	id, err := n.AddBlock(t.Context(), []byte("evidence"))
	require.NoError(t, err)
	d, err := Digest(id)
	require.NoError(t, err)
	named := make(chan struct{})
	removed := make(chan error, 1)
	go func() {
		_, err := n.Remove(context.WithoutCancel(t.Context()), []protocol.Hash{d}, func(keep func(protocol.Hash)) error {
			select {
			case <-named:
				keep(d)
			default: // its name is not known
			}
			return nil
		}, noMore)
		removed <- err
	}()
	select {
	case err := <-removed:
		require.FailNow(t, "it did not wait", "%v", err)
	default:
	}
	close(named)
	done()
	require.NoError(t, <-removed)
	has, err := n.Has(t.Context(), id)
	require.NoError(t, err)
	require.True(t, has)
}

func TestRemoveIsAllOrNothing(t *testing.T) {
	n := newNode(t)
	id, err := n.AddBytes(t.Context(), random(1, 2*ChunkBytes))
	require.NoError(t, err)
	all, _ := behind(t, n, id)
	boom := protocol.Errorf(protocol.KindInternal, "", "boom")
	_, err = n.Remove(t.Context(), all, func(func(protocol.Hash)) error { return nil }, func(*store.Tx) error { return boom })
	require.ErrorIs(t, err, boom)
	_, err = n.Remove(t.Context(), all, func(func(protocol.Hash)) error { return boom }, noMore)
	require.ErrorIs(t, err, boom)
	left, whole := behind(t, n, id)
	require.True(t, whole)
	require.Equal(t, all, left)
}
