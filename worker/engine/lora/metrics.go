package lora

import "github.com/prometheus/client_golang/prometheus"

// tierMetrics are what a collector of one tier tells. Tiers share the names and differ by the label tier.
var tierMetrics = []struct {
	name, help string
	kind       prometheus.ValueType
	value      func(ResidencyStats) float64
}{
	{"openledger_lora_info", "Resident adapters, by tier.", prometheus.GaugeValue, func(s ResidencyStats) float64 { return float64(s.Adapters) }},
	{"openledger_lora_bytes", "Memory of adapters, loads under way included, by tier.", prometheus.GaugeValue, func(s ResidencyStats) float64 { return float64(s.Bytes) }},
	{"openledger_lora_limit_bytes", "Memory that adapters may take, by tier.", prometheus.GaugeValue, func(s ResidencyStats) float64 { return float64(s.MaxBytes) }},
	{"openledger_lora_in_use", "Adapters that requests or pins hold or that are being loaded, by tier.", prometheus.GaugeValue, func(s ResidencyStats) float64 { return float64(s.Held) }},
	{"openledger_lora_pinned", "Adapters that the operator pinned, by tier.", prometheus.GaugeValue, func(s ResidencyStats) float64 { return float64(s.Pinned) }},
	{"openledger_lora_hits_total", "Requests that found their adapter, by tier.", prometheus.CounterValue, func(s ResidencyStats) float64 { return float64(s.Hits) }},
	{"openledger_lora_misses_total", "Requests that did not, by tier.", prometheus.CounterValue, func(s ResidencyStats) float64 { return float64(s.Misses) }},
	{"openledger_lora_loads_total", "Adapters brought in, by tier.", prometheus.CounterValue, func(s ResidencyStats) float64 { return float64(s.Loads) }},
	{"openledger_lora_evictions_total", "Adapters dropped to make room, by tier.", prometheus.CounterValue, func(s ResidencyStats) float64 { return float64(s.Evictions) }},
}

type tierCollector struct {
	stats func() ResidencyStats
	descs []*prometheus.Desc
}

// NewCollector tells Prometheus of one tier: "device", "host" or "disk".
func NewCollector(tier string, stats func() ResidencyStats) prometheus.Collector {
	c := &tierCollector{stats: stats}
	for _, m := range tierMetrics {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, nil, prometheus.Labels{"tier": tier}))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *tierCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *tierCollector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for i, m := range tierMetrics {
		out <- prometheus.MustNewConstMetric(c.descs[i], m.kind, m.value(s))
	}
}
