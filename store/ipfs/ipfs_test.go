package ipfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

func newHost(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func newNode(t *testing.T, change ...func(*Config)) *Node {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(t, err)
	cfg := Config{DB: db, StallTimeout: time.Minute, DialTimeout: time.Minute}
	for _, f := range change {
		f(&cfg)
	}
	n, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, n.Close())
		require.NoError(t, db.Close())
	})
	return n
}

func online(h host.Host) func(*Config) { return func(c *Config) { c.Host = h } }

func at(h host.Host) []peer.AddrInfo { return []peer.AddrInfo{{ID: h.ID(), Addrs: h.Addrs()}} }

func random(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, n)
	_, _ = r.Read(b) // never fails
	return b
}

func blocksIn(t *testing.T, n *Node) int {
	t.Helper()
	count := 0
	require.NoError(t, n.blocks.each(t.Context(), func(cid.Cid) error {
		count++
		return nil
	}))
	return count
}

// The CIDs are those of `ipfs add --cid-version=1 --raw-leaves` with chunks of
// 256 KiB and 174 links.
func TestKnownCIDs(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct {
		data []byte
		want protocol.CID
	}{
		{nil, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
		{[]byte("hello world\n"), "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"},
		{bytes.Repeat([]byte("0123456789abcdef"), 50_000), "bafybeiby5einiidmx6bkya5wjhffn2tb5doqijtdpvo7zc4clmwoosgz5i"},
	} {
		got, err := n.AddBytes(t.Context(), c.data)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%d bytes", len(c.data))
		back, err := n.ReadFile(t.Context(), got, nil, 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(c.data, back))
	}
}

func TestBlockAndDigest(t *testing.T) {
	n := newNode(t)
	c, err := n.AddBlock(t.Context(), []byte("a record"))
	require.NoError(t, err)
	d, err := Digest(c)
	require.NoError(t, err)
	require.Equal(t, c, RawCIDOf(d))
	b, err := n.GetBlock(t.Context(), c, nil)
	require.NoError(t, err)
	require.Equal(t, []byte("a record"), b)
	ok, err := n.Has(t.Context(), c)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = n.AddBlock(t.Context(), make([]byte, MaxBlockBytes+1))
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
}

func TestBadCIDs(t *testing.T) {
	for _, c := range []protocol.CID{
		"", "nonsense", "bafy", protocol.CID(bytes.Repeat([]byte("b"), 300)),
		"bafkr4ih4zqjlpfqbvgzxrb3q4vkzs4nn5c5a4rtqpnhv6yqqjydy6gvgcq", // blake3
		"bafyreigaknpexyvxt76zgkitavbwx6ejgfheup5oybpm77f3pxzrvwpfdi", // dag-cbor
	} {
		_, err := ParseCID(c)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%q: %v", c, err)
	}
	id, err := ParseCID("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
	require.NoError(t, err)
	require.EqualValues(t, 1, func() uint64 { c, _ := cid.Decode(string(CIDText(id))); return c.Version() }())
}

func TestFetchOverBitswap(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	a, b := newNode(t, online(ha)), newNode(t, online(hb))
	data := random(1, 9<<20)
	c, size, err := a.AddFile(t.Context(), bytes.NewReader(data))
	require.NoError(t, err)
	require.EqualValues(t, len(data), size)

	f, err := b.Get(t.Context(), c, at(ha))
	require.NoError(t, err)
	_, err = f.Seek(5<<20, io.SeekStart)
	require.NoError(t, err)
	part := make([]byte, 1000)
	_, err = io.ReadFull(f, part)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data[5<<20:5<<20+1000], part))
	require.NoError(t, f.Close())

	stats, err := b.Fetch(t.Context(), c, at(ha))
	require.NoError(t, err)
	require.Greater(t, stats.Bytes, int64(len(data)))
	back, err := b.ReadFile(t.Context(), c, nil, 10<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, back))

	_, err = b.ReadFile(t.Context(), c, nil, 1<<20)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "limit")
}

// What a node fetched it has: it reads it with the source gone, and serves it on.
func TestFetchedContentIsKeptAndServedOn(t *testing.T) {
	ha, hb, hc := newHost(t), newHost(t), newHost(t)
	a, b, last := newNode(t, online(ha)), newNode(t, online(hb)), newNode(t, online(hc))
	data := random(3, 3<<20)
	file, _, err := a.AddFile(t.Context(), bytes.NewReader(data))
	require.NoError(t, err)
	single, err := a.AddBlock(t.Context(), []byte("a record"))
	require.NoError(t, err)

	_, err = b.Fetch(t.Context(), file, at(ha))
	require.NoError(t, err)
	_, err = b.GetBlock(t.Context(), single, at(ha))
	require.NoError(t, err)
	require.Equal(t, blocksIn(t, a), blocksIn(t, b))
	require.NoError(t, ha.Network().Close())

	back, err := b.ReadFile(t.Context(), file, nil, 4<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, back))
	back, err = last.ReadFile(t.Context(), file, at(hb), 4<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, back))
	_, err = last.GetBlock(t.Context(), single, at(hb))
	require.NoError(t, err)
}

// A peer that waits for a block gets it from a node that fetches it meanwhile.
func TestFetchedBlockReachesWhoWaitsForIt(t *testing.T) {
	ha, hb, hc := newHost(t), newHost(t), newHost(t)
	a, b, last := newNode(t, online(ha)), newNode(t, online(hb)), newNode(t, online(hc))
	c, err := a.AddBlock(t.Context(), []byte("late"))
	require.NoError(t, err)
	waited := make(chan error, 1)
	go func() {
		_, err := last.GetBlock(t.Context(), c, at(hb))
		waited <- err
	}()
	require.Eventually(t, func() bool { return len(b.swap.WantlistForPeer(hc.ID())) == 1 }, time.Minute, time.Millisecond)
	_, err = b.GetBlock(t.Context(), c, at(ha))
	require.NoError(t, err)
	select {
	case err := <-waited:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("it was not told")
	}
}

// A sender drops a request for what it is just then sending: a fetch survives that.
func TestFetchAgainAtOnce(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	a, b := newNode(t, online(ha)), newNode(t, online(hb), func(c *Config) { c.StallTimeout = 3 * time.Second })
	c, err := a.AddBlock(t.Context(), []byte("twice"))
	require.NoError(t, err)
	id, err := ParseCID(c)
	require.NoError(t, err)
	for range 100 {
		_, err := b.GetBlock(t.Context(), c, at(ha))
		require.NoError(t, err)
		require.NoError(t, b.blocks.DeleteBlock(t.Context(), id))
	}
}

func TestFetchFailsInWords(t *testing.T) {
	missing := RawCIDOf(protocol.Hash{1})
	offline := newNode(t)
	_, err := offline.GetBlock(t.Context(), missing, nil)
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))

	h := newHost(t)
	alone := newNode(t, online(h), func(c *Config) { c.StallTimeout = 300 * time.Millisecond })
	_, err = alone.GetBlock(t.Context(), missing, nil)
	require.ErrorContains(t, err, "no provider is named")

	gone := newHost(t)
	addr := at(gone)
	require.NoError(t, gone.Close())
	_, err = alone.GetBlock(t.Context(), missing, addr)
	require.ErrorContains(t, err, "no provider answers")

	other := newHost(t)
	newNode(t, online(other))
	_, err = alone.GetBlock(t.Context(), missing, at(other))
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
	require.ErrorContains(t, err, "name a peer that has it")
	_, err = alone.Fetch(t.Context(), missing, at(other))
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = alone.GetBlock(ctx, missing, at(other))
	require.ErrorIs(t, err, context.Canceled)
}

// A peer's message that is still being read when a node ends must not reach its database.
func TestMessageAfterTheEnd(t *testing.T) {
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(t, err)
	h := newHost(t)
	n, err := Open(Config{DB: db, Host: h})
	require.NoError(t, err)
	c, err := n.AddBlock(t.Context(), []byte("here"))
	require.NoError(t, err)
	id, err := ParseCID(c)
	require.NoError(t, err)
	require.NoError(t, n.Close())
	require.NoError(t, db.Close())
	m := message.New(false)
	m.AddEntry(id, 1, pb.Message_Wantlist_Block, true)
	n.swap.ReceiveMessage(t.Context(), newHost(t).ID(), m)
}

func TestServeDecides(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	a := newNode(t, online(ha), func(c *Config) {
		c.Serve = func(p peer.ID, _ cid.Cid) bool { return p != hb.ID() }
	})
	b := newNode(t, online(hb), func(c *Config) { c.StallTimeout = 300 * time.Millisecond })
	c, err := a.AddBlock(t.Context(), []byte("private"))
	require.NoError(t, err)
	_, err = b.GetBlock(t.Context(), c, at(ha))
	require.Equal(t, protocol.KindUnavailable, protocol.KindOf(err))
}

func TestDamagedBlockIsNotServed(t *testing.T) {
	n := newNode(t)
	c, err := n.AddBlock(t.Context(), []byte("good"))
	require.NoError(t, err)
	d, err := Digest(c)
	require.NoError(t, err)
	require.NoError(t, n.cfg.DB.Update(func(tx *store.Tx) error { return blockTable.Put(tx, d, []byte("evil")) }))
	_, err = n.GetBlock(t.Context(), c, nil)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
}

func TestAddedContentSurvivesACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db, err := store.Open(store.Config{Dir: "db", FS: fs})
	require.NoError(t, err)
	n, err := Open(Config{DB: db})
	require.NoError(t, err)
	data := random(3, 3<<20)
	c, err := n.AddBytes(t.Context(), data)
	require.NoError(t, err)
	dir, err := n.AddDirectory(t.Context(), []Entry{{Name: "data", CID: c}})
	require.NoError(t, err)
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.Close())

	db, err = store.Open(store.Config{Dir: "db", FS: crashed})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	n, err = Open(Config{DB: db})
	require.NoError(t, err)
	at, err := n.Resolve(t.Context(), dir, "data", nil)
	require.NoError(t, err)
	back, err := n.ReadFile(t.Context(), at, nil, 4<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, back))
}

func TestFileLimit(t *testing.T) {
	n := newNode(t, func(c *Config) { c.MaxFileBytes = 1 << 20 })
	_, _, err := n.AddFile(t.Context(), bytes.NewReader(random(1, 1<<20+1)))
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
	_, _, err = n.AddFile(t.Context(), bytes.NewReader(random(1, 1<<20)))
	require.NoError(t, err)
}

func TestDirectories(t *testing.T) {
	n := newNode(t)
	for _, count := range []int{0, 1, 10, 4000} { // 4000 are sharded
		entries := make([]Entry, count)
		for i := range entries {
			c, err := n.AddBlock(t.Context(), fmt.Append(nil, "record ", i))
			require.NoError(t, err)
			entries[i] = Entry{Name: string(c) + ".json", CID: c}
		}
		root, err := n.AddDirectory(t.Context(), entries)
		require.NoError(t, err)
		rand.New(rand.NewPCG(1, 1)).Shuffle(count, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		again, err := n.AddDirectory(t.Context(), entries)
		require.NoError(t, err)
		require.Equal(t, root, again, "order does not matter")
		list, err := n.List(t.Context(), root, nil)
		require.NoError(t, err)
		require.Len(t, list, count)
		if count > 0 {
			c, err := n.Resolve(t.Context(), root, entries[count/2].Name, nil)
			require.NoError(t, err)
			require.Equal(t, entries[count/2].CID, c)
		}
		_, err = n.Resolve(t.Context(), root, "nothing", nil)
		require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
	}
	c, err := n.AddBlock(t.Context(), []byte("x"))
	require.NoError(t, err)
	for _, bad := range [][]Entry{
		{{Name: "", CID: c}}, {{Name: "a/b", CID: c}}, {{Name: "..", CID: c}},
		{{Name: "a", CID: c}, {Name: "a", CID: c}}, {{Name: "a", CID: RawCIDOf(protocol.Hash{9})}},
	} {
		_, err := n.AddDirectory(t.Context(), bad)
		require.Error(t, err)
	}
	_, err = n.List(t.Context(), c, nil)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "a raw block is no directory: %v", err)
}

func TestParseProviders(t *testing.T) {
	h := newHost(t)
	id := h.ID().String()
	got, err := ParseProviders([]string{"/ip4/127.0.0.1/tcp/1/p2p/" + id, "/ip4/127.0.0.1/udp/1/quic-v1/p2p/" + id})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Len(t, got[0].Addrs, 2)
	_, err = ParseProviders([]string{"/ip4/127.0.0.1/tcp/1"})
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err))
}
