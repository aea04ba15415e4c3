package worker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

func testMetrics(t *testing.T) (*metrics, *Worker, *prometheus.Registry) {
	t.Helper()
	db, err := store.Open(store.Config{Dir: "db", FS: vfs.NewMem()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	reg := prometheus.NewRegistry()
	w := &Worker{cfg: Config{Registerer: reg}, book: store.NewWorker(db), training: map[protocol.Hash]*training{}}
	m, err := newMetrics(w)
	require.NoError(t, err)
	return m, w, reg
}

// series are what a registry shows of one name, by their label values.
func series(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			key := ""
			for _, l := range m.GetLabel() {
				key += l.GetValue() + " "
			}
			out[strings.TrimSpace(key)] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

// However many adapters are asked, the number of series is bounded and no answer is lost.
func TestMetrics_AdaptersAreBounded(t *testing.T) {
	m, _, reg := testMetrics(t)
	for range 2 {
		for i := range 500 {
			m.answered(protocol.CID(fmt.Sprintf("bafk%d", i)), 3)
		}
	}
	m.answered("", 3)
	requests := series(t, reg, "openledger_adapter_requests_total")
	require.Len(t, requests, maxAdapterLabels+2, "the first ones, the others together, and the base")
	require.InDelta(t, 2*(500-maxAdapterLabels), requests[otherAdapters], 0)
	require.InDelta(t, 2, requests["bafk7"], 0, "an adapter keeps its series")
	require.Equal(t, map[string]float64{"base": 1}, map[string]float64{"base": requests[noAdapter]})
	require.InDelta(t, 3, series(t, reg, "openledger_adapter_generation_tokens_total")[noAdapter], 0)
}

func TestMetrics_CountWhatIsOpen(t *testing.T) {
	m, w, reg := testMetrics(t)
	for i := range 3 {
		require.NoError(t, w.book.AddReceipt(protocol.SignedReceipt{Receipt: protocol.Receipt{ID: protocol.Hash{byte(i + 1)}, FinishedAt: 1}}))
	}
	m.trained(protocol.Hyper{}, nil)
	m.trained(protocol.Hyper{Merge: &protocol.Merge{}}, protocol.Errorf(protocol.KindInvalid, "hyper", "no"))
	w.training[protocol.Hash{1}] = &training{}
	require.Equal(t, map[string]float64{"signed": 3, "vouchered": 0, "batched": 0}, series(t, reg, "openledger_receipts_open"))
	require.Equal(t, map[string]float64{"train ok": 1, "merge ok": 0, "merge invalid": 1}, series(t, reg, "openledger_training_jobs_total"))
	require.Equal(t, map[string]float64{"": 1}, series(t, reg, "openledger_training_running"))
}
