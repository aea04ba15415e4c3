package coordinator

import (
	"errors"
	"math/big"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// metrics are this coordinator's Prometheus series.
type metrics struct {
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
	first    prometheus.Histogram
	retries  prometheus.Counter
	// prefetches are adapters that workers were asked to load ahead of requests.
	prefetches *prometheus.CounterVec
	fees       *feeCounter
	// payments are requests without an API key, paid those fees that payments of single
	// requests paid.
	payments *prometheus.CounterVec
	paid     *feeCounter
}

func newMetrics(r prometheus.Registerer, c *Coordinator) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openledger_requests_total", Help: "Inference requests by outcome.",
		}, []string{"outcome"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "openledger_coordinator_request_latency_seconds", Help: "From admission to the receipt.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}),
		first: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "openledger_coordinator_time_to_first_token_seconds", Help: "From a request's arrival to its first text, as the requester sees it.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 15),
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "openledger_job_retries_total", Help: "Attempts that moved to another worker.",
		}),
		prefetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openledger_adapter_prefetches_total", Help: "Adapters that workers were asked to load ahead of requests, by outcome.",
		}, []string{"outcome"}),
		fees: &feeCounter{},
		payments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openledger_x402_requests_total", Help: "Requests without an API key by what became of their payment.",
		}, []string{"outcome"}),
		paid: &feeCounter{},
	}
	for _, outcome := range []string{api.PaymentAsked, api.PaymentTaken, api.PaymentRefused} {
		m.payments.WithLabelValues(outcome)
	}
	m.requests.WithLabelValues("ok")
	m.prefetches.WithLabelValues("ok")
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			return f()
		})
	}
	for _, col := range []prometheus.Collector{
		m.requests, m.latency, m.first, m.retries, m.prefetches, m.payments,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "openledger_fees_open_total", Help: "Fees of accepted receipts, in OPEN.",
		}, m.fees.open),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "openledger_x402_fees_open_total", Help: "Fees of accepted receipts that payments of single requests paid, in OPEN.",
		}, m.paid.open),
		gauge("openledger_coordinator_workers", "Workers with a valid announcement.", func() float64 { return float64(c.state.Stats().Workers) }),
		gauge("openledger_coordinator_jobs_waiting", "Jobs waiting for a worker.", func() float64 { return float64(c.state.Stats().Queued) }),
		gauge("openledger_coordinator_jobs_running", "Jobs on workers.", func() float64 { return float64(c.state.Stats().Running) }),
	} {
		if err := r.Register(col); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts one request; ms is how long it took.
func (m *metrics) observe(err error, ms int64) {
	outcome := "ok"
	if err != nil {
		outcome = string(protocol.KindOf(err))
		if errors.Is(err, errRequester) {
			outcome = string(protocol.KindCancelled)
		}
	}
	m.requests.WithLabelValues(outcome).Inc()
	m.latency.Observe(float64(ms) / 1000)
}

// firstText tells how long a request's first text takes, counted from now.
func firstText[T any](m *metrics, onText func(T) error) func(T) error {
	began := time.Now()
	var once sync.Once
	return func(t T) error {
		once.Do(func() { m.first.Observe(time.Since(began).Seconds()) })
		return onText(t)
	}
}

// feeCounter adds wei exactly and shows OPEN.
type feeCounter struct {
	mu  sync.Mutex
	wei big.Int
}

// Add counts one receipt's fee.
func (f *feeCounter) Add(fee protocol.Fee) {
	total := fee.Total()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wei.Add(&f.wei, total.ToBig())
}

func (f *feeCounter) open() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, _ := new(big.Float).Quo(new(big.Float).SetInt(&f.wei), big.NewFloat(1e18)).Float64()
	return v
}
