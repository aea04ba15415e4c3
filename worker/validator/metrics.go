package validator

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openledger/openledger/protocol"
)

type metrics struct {
	batches, epochs, challenges, verdicts *prometheus.CounterVec
	reruns, missing, failures, rolledBack prometheus.Counter
	open                                  prometheus.Gauge
}

func newMetrics(s *Service) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		batches:    vec("openledger_validator_batches_total", "Batches by what judging them came to.", "status"),
		epochs:     vec("openledger_validator_epochs_total", "Roots of epochs by what judging them came to.", "status"),
		challenges: vec("openledger_validator_challenges_total", "Batches and epochs challenged, by reason.", "reason"),
		verdicts:   vec("openledger_validator_verdicts_total", "Verdicts submitted.", "verdict"),
		reruns:     counter("openledger_validator_reruns_total", "Inferences and attributions run again."),
		missing:    counter("openledger_validator_missing_data_total", "Attempts to judge that failed because data could not be had."),
		failures:   counter("openledger_validator_failures_total", "Looks at the chain that ended with an error."),
		rolledBack: counter("openledger_chain_rolled_back_blocks_total", "Blocks of the event index that the chain gave up."),
		open:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "openledger_validator_open_disputes", Help: "Disputes that are not decided."}),
	}
	for _, status := range []Status{Valid, Guilty, Challenged, Disputed, Late, Gone} {
		m.batches.WithLabelValues(string(status))
		m.epochs.WithLabelValues(string(status))
	}
	for r := protocol.ReasonData; r <= protocol.ReasonTokens; r++ {
		m.challenges.WithLabelValues(r.String())
	}
	m.verdicts.WithLabelValues("guilty")
	m.verdicts.WithLabelValues("upheld")
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "openledger_chain_index_lag_blocks", Help: "Blocks of the chain that are not in the event index."}, func() float64 {
		p := s.cfg.Index.Last()
		return float64(p.Head.Number) - float64(p.Tip)
	})
	for _, c := range []prometheus.Collector{m.batches, m.epochs, m.challenges, m.verdicts, m.reruns, m.missing, m.failures, m.rolledBack, m.open, lag} {
		if err := s.cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("validator: register metrics: %w", err)
		}
	}
	return m, nil
}
