package node_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/protocol"
)

func TestOpenAmountsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v uint256.Int
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "wei"))
		text := node.FormatOpen(v)
		back, err := node.ParseOpen("amount", text)
		if err != nil || back != v {
			t.Fatalf("%s wei -> %q -> %s wei, %v", v.Dec(), text, back.Dec(), err)
		}
	})
	for text, wei := range map[string]string{"1": "1000000000000000000", "12.5": "12500000000000000000", "0": "0", "0.0": "0", "00.5": "500000000000000000",
		"0.000000000000000001": "1", "1.": "1000000000000000000"} {
		v, err := node.ParseOpen("amount", text)
		require.NoError(t, err, text)
		require.Equal(t, wei, v.Dec(), text)
	}
	require.Equal(t, "0.000000000000000001", node.FormatOpen(*uint256.NewInt(1)))
	require.Equal(t, "12.5", node.FormatOpen(*uint256.NewInt(12_500_000_000_000_000_000)))
}

func TestBadAmounts(t *testing.T) {
	for _, text := range []string{"", ".5", ".", "-1", "+1", "1,5", "1e18", "0x10", "1 ", " 1", "1_000", "1.2.3", "0.0000000000000000001", "٣", "1.-5",
		"NaN", "Inf", strings.Repeat("9", 78), strings.Repeat("0", 10_000) + "x"} {
		_, err := node.ParseOpen("stake", text)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%q", text)
		require.ErrorContains(t, err, "stake")
	}
}

func TestParseAccount(t *testing.T) {
	const good = "0x00000000000000000000000000000000000000Aa"
	a, err := node.ParseAccount("to", good)
	require.NoError(t, err)
	require.True(t, strings.EqualFold(good, a.Hex()))
	for _, bad := range []string{"", "0x", good[2:], good + "0", "0x" + strings.Repeat("g", 40), "alice"} {
		_, err := node.ParseAccount("to", bad)
		require.ErrorContains(t, err, "to:", bad)
	}
}

func TestWallet(t *testing.T) {
	home := node.Home{Dir: filepath.Join(t.TempDir(), "home")}
	w, err := home.Wallet("", true)
	require.NoError(t, err)
	info, err := os.Stat(home.Path("password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the password is its owner's only")

	alice, err := w.Create("alice")
	require.NoError(t, err)
	_, err = w.Create("alice")
	require.Equal(t, protocol.KindExists, protocol.KindOf(err))
	for _, bad := range []string{"", strings.Repeat("n", protocol.MaxNameBytes+1), alice.Account().Hex()} {
		_, err = w.Create(bad)
		require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "%q", bad)
	}
	same, err := w.Ensure("alice")
	require.NoError(t, err)
	require.Equal(t, alice.Account(), same.Account())
	bob, err := w.Ensure("bob")
	require.NoError(t, err)
	require.NotEqual(t, alice.Account(), bob.Account())

	again, err := home.Wallet("", true)
	require.NoError(t, err)
	for _, by := range []string{"alice", alice.Account().Hex(), strings.ToLower(alice.Account().Hex())} {
		k, err := again.Key(by)
		require.NoError(t, err, by)
		require.Equal(t, alice.Account(), k.Account())
	}
	_, err = again.Key("carol")
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err))
	require.ErrorContains(t, err, "wallet create")
	list, err := again.Accounts()
	require.NoError(t, err)
	require.ElementsMatch(t, []protocol.Account{alice.Account(), bob.Account()}, list)
	names, err := again.Names()
	require.NoError(t, err)
	require.Equal(t, map[string]protocol.Account{"alice": alice.Account(), "bob": bob.Account()}, names)

	wrong := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
	locked, err := home.Wallet(wrong, true)
	require.NoError(t, err)
	_, err = locked.Key("alice")
	require.Error(t, err)
}

func TestPasswordFile(t *testing.T) {
	home := node.Home{Dir: t.TempDir()}
	file := home.Path("mine")
	_, err := home.Password(file)
	require.Equal(t, protocol.KindInvalid, protocol.KindOf(err), "a file that was named is never made up")
	for content, want := range map[string]string{"secret\n": "secret", "secret": "secret", "secret\r\nmore": "secret", " with space \n": " with space "} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		got, err := home.Password(file)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.NoError(t, os.WriteFile(file, []byte("\nsecond\n"), 0o600))
	_, err = home.Password(file)
	require.ErrorContains(t, err, "is empty")
	first, err := home.Password("")
	require.NoError(t, err)
	second, err := home.Password("")
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Len(t, first, 48)
}

func TestWriteFileIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "file.json")
	require.NoError(t, node.WriteJSON(path, map[string]int{"a": 1}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, node.WriteFile(path, []byte("new"), 0o640))
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(raw))

	// A write that fails leaves what was there, and no litter.
	require.Error(t, node.WriteJSON(path, make(chan int)))
	raw, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(raw))
	taken := filepath.Join(dir, "folder")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "full"), 0o700))
	require.Error(t, node.WriteFile(taken, []byte("x"), 0o600))
	for _, d := range []string{dir, filepath.Join(dir, "sub")} {
		litter, err := filepath.Glob(filepath.Join(d, ".new-*"))
		require.NoError(t, err)
		require.Empty(t, litter)
	}

	require.NoError(t, os.WriteFile(path, []byte(`{"a":`), 0o600))
	var v map[string]int
	err = node.ReadJSON(path, &v)
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
	require.ErrorContains(t, err, path)
}

func TestSettingsKeepAmounts(t *testing.T) {
	raw, err := json.Marshal(node.WorkerSettings{Price: price})
	require.NoError(t, err)
	require.Contains(t, string(raw), `"input_per_1k":"1000000000000000"`)
	var back node.WorkerSettings
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, price, back.Price)
}

func TestPeer(t *testing.T) {
	require.Equal(t, protocol.PeerID("12D3"), node.Peer([]string{"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1/p2p/12D3"}))
	require.Empty(t, node.Peer(nil))
}
