package engine

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/worker/engine/lora"
)

// metrics are named as in the field (vLLM), with our prefix.
type metrics struct {
	firstToken, perToken, e2e, queue prometheus.Histogram
	promptTokens, outputTokens       prometheus.Counter
	finished, refused                *prometheus.CounterVec
}

var latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 80}

func newMetrics(reg prometheus.Registerer, e *Engine) (*metrics, error) {
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets})
	}
	m := &metrics{
		firstToken:   histogram("openledger_time_to_first_token_seconds", "From the arrival of a request to its first token."),
		perToken:     histogram("openledger_time_per_output_token_seconds", "Between two output tokens of one request."),
		e2e:          histogram("openledger_e2e_request_latency_seconds", "From the arrival of a request to its end."),
		queue:        histogram("openledger_request_queue_time_seconds", "From the arrival of a request to its admission."),
		promptTokens: prometheus.NewCounter(prometheus.CounterOpts{Name: "openledger_prompt_tokens_total", Help: "Prompt tokens of finished requests."}),
		outputTokens: prometheus.NewCounter(prometheus.CounterOpts{Name: "openledger_generation_tokens_total", Help: "Output tokens generated."}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "openledger_request_success_total",
			Help: "Requests that ended, by reason."}, []string{"finished_reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "openledger_request_refused_total",
			Help: "Requests refused for load: the queue full, a tenant's share of it full, or the deadline too close."}, []string{"reason"}),
	}
	for _, reason := range []string{FinishStop, FinishLength, "abort"} {
		m.finished.WithLabelValues(reason) // there from the beginning, so that rates see the first one
	}
	for _, reason := range []string{"queue_full", "tenant_queue_full", "deadline"} {
		m.refused.WithLabelValues(reason)
	}
	gauge := func(name, help string, f func(Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return f(e.Stats()) })
	}
	counter := func(name, help string, f func(Stats) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return f(e.Stats()) })
	}
	if reg == nil {
		return m, nil
	}
	all := []prometheus.Collector{
		m.firstToken, m.perToken, m.e2e, m.queue, m.promptTokens, m.outputTokens, m.finished, m.refused,
		lora.NewCollector("device", e.adapters.tier.Stats),
		gauge("openledger_requests_running", "Requests in the batch.", func(s Stats) float64 { return float64(s.Running) }),
		gauge("openledger_requests_waiting", "Requests that wait for admission.", func(s Stats) float64 { return float64(s.Waiting) }),
		gauge("openledger_kv_cache_usage_ratio", "Part of the KV cache that requests have reserved.", func(s Stats) float64 {
			return 1 - float64(s.FreeKV)/float64(s.TotalKV)
		}),
		counter("openledger_prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.", func(s Stats) float64 { return float64(s.PrefixQueries) }),
		counter("openledger_prefix_cache_hits_total", "Prompt tokens found in the prefix cache.", func(s Stats) float64 { return float64(s.PrefixHits) }),
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("engine: register metrics: %w", err)
		}
	}
	return m, nil
}
