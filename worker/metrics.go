package worker

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// maxAdapterLabels bounds the adapters that have series of their own: those that were
// asked first. Later ones count together as otherAdapters, so that whoever registers
// adapters by the thousand does not fill the operator's Prometheus.
const (
	maxAdapterLabels = 64
	otherAdapters    = "other"
	noAdapter        = "base"
)

// metrics are this service's Prometheus series; the engine's and the network's are
// registered by those packages.
type metrics struct {
	requests, tokens *prometheus.CounterVec // by adapter
	attribution      prometheus.Histogram
	jobs             *prometheus.CounterVec // by kind and outcome

	mu       sync.Mutex
	adapters map[protocol.CID]bool
}

func newMetrics(w *Worker) (*metrics, error) {
	byAdapter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"adapter"})
	}
	m := &metrics{
		requests: byAdapter("openledger_adapter_requests_total", "Answers with a receipt, by adapter."),
		tokens:   byAdapter("openledger_adapter_generation_tokens_total", "Output tokens of answers with a receipt, by adapter."),
		attribution: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "openledger_attribution_seconds",
			Help: "From an answer's last token to its attribution.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "openledger_training_jobs_total",
			Help: "Jobs that make adapters, by kind (train, merge) and outcome (ok, or the kind of error)."}, []string{"kind", "outcome"}),
		adapters: map[protocol.CID]bool{},
	}
	m.requests.WithLabelValues(noAdapter)
	m.tokens.WithLabelValues(noAdapter)
	for _, kind := range []string{jobTrain, jobMerge} {
		m.jobs.WithLabelValues(kind, "ok")
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "openledger_base_info", Help: "1, with the base model and the numeric profile as labels.",
		ConstLabels: prometheus.Labels{"base": w.base.Hex(), "profile": Profile}})
	info.Set(1)
	running := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "openledger_training_running", Help: "Jobs that make adapters now."}, func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		return float64(len(w.training))
	})
	limit := prometheus.NewGauge(prometheus.GaugeOpts{Name: "openledger_store_limit_bytes",
		Help: "Size of the database above which no adapter is fetched and nothing is trained."})
	limit.Set(float64(w.cfg.StoreBytes))
	for _, c := range []prometheus.Collector{m.requests, m.tokens, m.attribution, m.jobs, info, running, limit, openReceipts{w.book}} {
		if err := w.cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("worker: register metrics: %w", err)
		}
	}
	return m, nil
}

// answered counts one answer that has its receipt.
func (m *metrics) answered(adapter protocol.CID, tokens int) {
	label := m.label(adapter)
	m.requests.WithLabelValues(label).Inc()
	m.tokens.WithLabelValues(label).Add(float64(tokens))
}

func (m *metrics) label(adapter protocol.CID) string {
	if adapter == "" {
		return noAdapter
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.adapters[adapter] {
		if len(m.adapters) == maxAdapterLabels {
			return otherAdapters
		}
		m.adapters[adapter] = true
	}
	return string(adapter)
}

func (m *metrics) attributed(since time.Time) { m.attribution.Observe(time.Since(since).Seconds()) }

// How jobs that make adapters are counted.
const (
	jobTrain = "train"
	jobMerge = "merge"
)

func (m *metrics) trained(h protocol.Hyper, err error) {
	kind, outcome := jobTrain, "ok"
	if h.Merge != nil {
		kind = jobMerge
	}
	if err != nil {
		outcome = string(protocol.KindOf(err))
	}
	m.jobs.WithLabelValues(kind, outcome).Inc()
}

// openReceipts counts what is not settled yet, when it is asked.
type openReceipts struct{ book *store.Worker }

var openReceiptsDesc = prometheus.NewDesc("openledger_receipts_open", "Receipts that are not settled, by status.", []string{"status"}, nil)

// Describe implements prometheus.Collector.
func (openReceipts) Describe(out chan<- *prometheus.Desc) { out <- openReceiptsDesc }

// Collect implements prometheus.Collector.
func (r openReceipts) Collect(out chan<- prometheus.Metric) {
	count, err := r.book.CountOpenReceipts()
	if err != nil {
		out <- prometheus.NewInvalidMetric(openReceiptsDesc, err)
		return
	}
	for _, s := range store.OpenReceiptStatuses {
		out <- prometheus.MustNewConstMetric(openReceiptsDesc, prometheus.GaugeValue, float64(count[s]), string(s))
	}
}
