package epoch

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

// sample is a document of so many accounts.
func sample(t testing.TB, accounts int) *Document {
	t.Helper()
	d := &Document{Manifest: Manifest{Format: Format, ChainID: 1, Epoch: 2, Previous: 1}}
	for i := range accounts {
		var a protocol.Account
		copy(a[:], fmt.Sprintf("%020d", i))
		d.Payouts = append(d.Payouts, payout.Payout{Account: a, Amount: *uint256.NewInt(uint64(i) + 1)})
		d.Batches = append(d.Batches, Batch{Worker: a, Nonce: uint64(i), Document: crypto.Keccak256Hash(a[:]), Remainder: *uint256.NewInt(5)})
	}
	tree, err := payout.NewCumulativeTree(d.Payouts)
	require.NoError(t, err)
	d.Manifest.Root, d.Manifest.Cumulative = tree.Root(), tree.Total()
	return d
}

// A document of several parts comes back as it was, whoever published it.
func TestDocumentOfManyParts(t *testing.T) {
	blocks := &memoryBlocks{have: map[protocol.Hash][]byte{}}
	d := sample(t, 12_000)
	digest, err := d.Publish(t.Context(), blocks)
	require.NoError(t, err)
	require.Greater(t, len(d.Manifest.Parts), 3)
	again, err := sample(t, 12_000).Digest()
	require.NoError(t, err)
	require.Equal(t, digest, again)
	got, tree, err := Load(t.Context(), blocks, digest)
	require.NoError(t, err)
	require.Equal(t, d, got)
	require.Equal(t, d.Manifest.Root, tree.Root())
	for _, b := range blocks.have {
		require.LessOrEqual(t, len(b), maxBlockBytes)
	}
	blocks.drop(d.Manifest.Parts[1])
	_, _, err = Load(t.Context(), blocks, digest)
	require.Equal(t, protocol.KindNotFound, protocol.KindOf(err), "%v", err)
}

// A document whose numbers do not follow from its accounts is refused, with the field.
func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Manifest)
		field  string
	}{
		"another format":   {func(m *Manifest) { m.Format = "openledger/epoch/2" }, "format"},
		"another root":     {func(m *Manifest) { m.Root[0]++ }, "root"},
		"another sum":      {func(m *Manifest) { m.Cumulative.AddUint64(&m.Cumulative, 1) }, "root"},
		"another count":    {func(m *Manifest) { m.Accounts++ }, "accounts"},
		"a missing part":   {func(m *Manifest) { m.Parts = m.Parts[:1] }, "accounts"},
		"a part twice":     {func(m *Manifest) { m.Parts = append(m.Parts, m.Parts[1]) }, "accounts"},
		"too many parts":   {func(m *Manifest) { m.Parts = make([]protocol.Hash, maxParts+1) }, "parts"},
		"not one document": {nil, "block"},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := &memoryBlocks{have: map[protocol.Hash][]byte{}}
			d := sample(t, 3)
			_, err := d.Publish(t.Context(), blocks)
			require.NoError(t, err)
			raw := []byte(`{"format": 1} {}`)
			if c.change != nil {
				c.change(&d.Manifest)
				raw, err = json.Marshal(&d.Manifest)
				require.NoError(t, err)
			}
			digest, err := blocks.Put(t.Context(), raw)
			require.NoError(t, err)
			_, _, err = Load(t.Context(), blocks, digest)
			require.ErrorContains(t, err, c.field)
		})
	}
}

// Foreign bytes as manifest and part never end in a panic, nor in a document whose
// accounts do not come to its root.
func FuzzLoad(f *testing.F) {
	d := sample(f, 2)
	blocks, err := d.encode()
	require.NoError(f, err)
	f.Add(blocks[2], blocks[1])
	f.Add(blocks[2], blocks[0])
	f.Add([]byte(`{"format":"openledger/epoch/1","parts":[]}`), []byte(`{"payouts":[{}]}`))
	f.Add([]byte(`{"accounts":4611686018427387904}`), []byte(``))
	f.Fuzz(func(t *testing.T, manifest, part []byte) {
		store := &memoryBlocks{have: map[protocol.Hash][]byte{}}
		_, err := store.Put(t.Context(), part)
		require.NoError(t, err)
		_, err = store.Put(t.Context(), blocks[0])
		require.NoError(t, err)
		digest, err := store.Put(t.Context(), manifest)
		require.NoError(t, err)
		got, tree, err := Load(t.Context(), store, digest)
		if err == nil {
			require.Equal(t, got.Manifest.Root, tree.Root())
			require.Len(t, got.Payouts, got.Manifest.Accounts)
		}
	})
}
