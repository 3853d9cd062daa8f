package router

import (
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of all handlers, each under its name.
type Metrics struct {
	attempts *prometheus.HistogramVec
	events   *prometheus.CounterVec
	circuits *prometheus.GaugeVec
	lags     *prometheus.GaugeVec
}

// NewMetrics returns metrics to register.
func NewMetrics() *Metrics {
	name := func(s string) string { return "waybill_effect_" + s }
	return &Metrics{
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("attempt_seconds"), Help: "Attempts of handlers of side effects, by outcome: ok or failed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"handler", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("events_total"), Help: "Events that did not go the plain way: parked, given back, missed.",
		}, []string{"handler", "outcome"}),
		circuits: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: name("circuit_open"), Help: "1 while a handler's outside system is taken for down, 0.5 while that is tried.",
		}, []string{"handler"}),
		lags: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: name("lag_seconds"), Help: "How old the event was that a handler was given last.",
		}, []string{"handler"}),
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, c := range []prometheus.Collector{m.attempts, m.events, m.circuits, m.lags} {
		c.Describe(out)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.attempts, m.events, m.circuits, m.lags} {
		c.Collect(out)
	}
}

func (m *Metrics) attempt(handler string, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	m.attempts.WithLabelValues(handler, outcome).Observe(took.Seconds())
}

func (m *Metrics) count(handler, outcome string) { m.events.WithLabelValues(handler, outcome).Inc() }

func (m *Metrics) circuit(handler string, state circuitbreaker.State) {
	value := 0.0
	switch state {
	case circuitbreaker.OpenState:
		value = 1
	case circuitbreaker.HalfOpenState:
		value = 0.5
	case circuitbreaker.ClosedState:
	}
	m.circuits.WithLabelValues(handler).Set(value)
}

func (m *Metrics) lag(handler string, age time.Duration) {
	m.lags.WithLabelValues(handler).Set(max(age, 0).Seconds())
}
