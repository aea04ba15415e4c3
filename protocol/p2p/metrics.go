package p2p

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts; a nil receiver counts nothing.
type metrics struct {
	registerer    prometheus.Registerer
	announcements *prometheus.CounterVec // by verdict and reason
	streams       *prometheus.CounterVec // by protocol and outcome
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	m := &metrics{
		registerer: r,
		announcements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openledger_p2p_announcements_total", Help: "Announcements judged, by verdict and reason."}, []string{"verdict", "reason"}),
		streams: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openledger_p2p_streams_total", Help: "Streams served, by protocol and kind of error (ok: none)."}, []string{"protocol", "outcome"}),
	}
	return m, errors.Join(r.Register(m.announcements), r.Register(m.streams))
}

func (m *metrics) close() {
	if m != nil {
		m.registerer.Unregister(m.announcements)
		m.registerer.Unregister(m.streams)
	}
}

func (m *metrics) judged(v verdict, reason string) {
	if m != nil {
		m.announcements.WithLabelValues(v.String(), reason).Inc()
	}
}

func (m *metrics) served(protocol, outcome string) {
	if m != nil {
		m.streams.WithLabelValues(protocol, outcome).Inc()
	}
}
