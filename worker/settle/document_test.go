package settle

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/payout"
)

func sample(n int) *Document {
	d := &Document{Manifest: Manifest{
		Format: Format, ChainID: 1, Worker: protocol.Account{1}, Treasury: protocol.Account{2}, Payout: protocol.Account{3},
		Params: payout.DefaultParams(), Stakers: []payout.Stake{{Account: protocol.Account{1}, Amount: *uint256.NewInt(5)}},
		Adapters: []AdapterParties{{Adapter: protocol.Hash{4}, Owner: protocol.Account{5}, Datanet: 6, Pool: protocol.Account{7}}},
	}}
	for i := range n {
		e := Entry{Receipt: protocol.SignedReceipt{Receipt: protocol.Receipt{
			ID: protocol.Hash{byte(i >> 8), byte(i), 1}, Worker: protocol.Account{1}, FinishedAt: int64(i), Compute: *uint256.NewInt(1001),
		}, Signature: make([]byte, 65)}}
		if i%2 == 0 {
			e.Receipt.Receipt.Adapter, e.Receipt.Receipt.Datanet, e.Receipt.Receipt.Access = protocol.Hash{4}, 6, *uint256.NewInt(777)
			e.Attribution = &protocol.Attribution{Pool: protocol.WeightScale - 3, Shares: []protocol.RecordShare{
				{Record: protocol.Hash{8}, Contributor: protocol.Account{9}, Weight: 3}}}
		}
		d.Entries = append(d.Entries, e)
	}
	return d
}

func TestDocumentRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			blocks := &memoryBlocks{have: map[protocol.Hash][]byte{}}
			d := sample(n)
			want, err := Compute(d, Checks{})
			require.NoError(t, err)
			_, digest, err := d.publish(t.Context(), blocks)
			require.NoError(t, err)
			_, again, err := sample(n).publish(t.Context(), blocks)
			require.NoError(t, err)
			require.Equal(t, digest, again, "the same document has the same bytes")
			for _, b := range blocks.have {
				require.LessOrEqual(t, len(b), maxBlockBytes)
			}
			if n == 5000 {
				require.Greater(t, len(blocks.have), 3, "several parts")
			}
			got, err := Recompute(t.Context(), blocks, digest, Checks{})
			require.NoError(t, err)
			require.Equal(t, want.Root, got.Root)
			require.Equal(t, want.Total, got.Total)
			require.Equal(t, want.Payouts, got.Payouts)
			var sum uint256.Int
			for _, e := range d.Entries {
				fee := e.Receipt.Receipt.Fee().Total()
				sum.Add(&sum, &fee)
			}
			require.Equal(t, sum, got.Total)
		})
	}
}

func TestDishonestDocumentsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Document){
		"twice": func(d *Document) { d.Entries = append(d.Entries, d.Entries[len(d.Entries)-1]) },
		"twice, other time": func(d *Document) {
			e := d.Entries[0]
			e.Receipt.Receipt.FinishedAt = 99
			d.Entries = append(d.Entries, e)
		},
		"out of order":        func(d *Document) { d.Entries[0], d.Entries[1] = d.Entries[1], d.Entries[0] },
		"other worker":        func(d *Document) { d.Entries[0].Receipt.Receipt.Worker = protocol.Account{8} },
		"unlisted adapter":    func(d *Document) { d.Entries[0].Receipt.Receipt.Adapter = protocol.Hash{0xff} },
		"other datanet":       func(d *Document) { d.Entries[0].Receipt.Receipt.Datanet = 7 },
		"no attribution":      func(d *Document) { d.Entries[0].Attribution = nil },
		"weights beyond full": func(d *Document) { d.Entries[0].Attribution.Pool++ },
		"empty":               func(d *Document) { d.Entries = nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := sample(4)
			change(d)
			_, err := Compute(d, Checks{})
			require.Error(t, err)
		})
	}
	d := sample(2)
	_, err := Compute(d, Checks{AttributionRoot: func(protocol.Attribution) (protocol.Hash, error) { return protocol.Hash{1}, nil }})
	require.Equal(t, protocol.KindCorrupt, protocol.KindOf(err))
}

func FuzzDecode(f *testing.F) {
	blocks, err := sample(3).encode()
	require.NoError(f, err)
	for _, b := range blocks {
		f.Add(b)
	}
	f.Add([]byte(`{"format":"openledger/batch/1"}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Manifest
		if err := decode(b, &m); err == nil {
			out, err := json.Marshal(&m)
			require.NoError(t, err)
			require.NotEmpty(t, out)
		}
		var p part
		if err := decode(b, &p); err == nil && len(p.Entries) > 0 {
			_, _ = Compute(&Document{Manifest: sample(0).Manifest, Entries: p.Entries}, Checks{})
		}
	})
}
