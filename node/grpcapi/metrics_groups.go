package grpcapi

import (
	"github.com/prometheus/client_golang/prometheus"

	groups "github.com/waybill-dev/waybill/node/persistent"
)

// groupMetrics is how the persistent subscriptions are doing, by group.
type groupMetrics struct {
	engine *groups.Engine
	gauges []groupGauge
	total  *prometheus.Desc
}

type groupGauge struct {
	desc  *prometheus.Desc
	value func(*groups.Info) float64
}

func newGroupMetrics(e *groups.Engine) *groupMetrics {
	labels := []string{"stream", "group"}
	m := &groupMetrics{engine: e, total: prometheus.NewDesc(namespace+"_persistent_deliveries_total",
		"Messages given to clients of a persistent subscription since the start, repeated ones included.", labels, nil)}
	gauge := func(name, help string, value func(*groups.Info) float64) {
		m.gauges = append(m.gauges, groupGauge{prometheus.NewDesc(namespace+"_persistent_"+name, help, labels, nil), value})
	}
	gauge("clients", "Clients of a persistent subscription.", func(i *groups.Info) float64 { return float64(len(i.Clients)) })
	gauge("in_flight", "Messages that clients have and have not answered.", func(i *groups.Info) float64 { return float64(i.InFlight) })
	gauge("retries", "Messages that come again.", func(i *groups.Info) float64 { return float64(i.RetryBuffer) })
	gauge("buffered", "Messages in memory that no client has.", func(i *groups.Info) float64 { return float64(i.ReadBuffer) })
	gauge("parked", "Messages that were set aside.", func(i *groups.Info) float64 { return float64(i.Parked) })
	gauge("lag", "From the oldest message that is not done to the end: events of a stream, bytes of the log for $all.",
		func(i *groups.Info) float64 { return float64(i.Lag) })
	return m
}

// Describe implements [prometheus.Collector].
func (*groupMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (m *groupMetrics) Collect(out chan<- prometheus.Metric) {
	for _, i := range m.engine.Stats() {
		for _, g := range m.gauges {
			out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(&i), i.Stream, i.Group)
		}
		out <- prometheus.MustNewConstMetric(m.total, prometheus.CounterValue, float64(i.Total), i.Stream, i.Group)
	}
}
