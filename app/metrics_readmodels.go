package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// readModelGauges tells how far read models are behind the log.
type readModelGauges struct {
	app                              *App
	head, events, seconds, processed *prometheus.Desc
}

func newReadModelGauges(a *App) *readModelGauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &readModelGauges{
		app:       a,
		head:      desc("waybill_log_head_position", "Position of the end of the log. What lies between two positions is no number of events."),
		events:    desc("waybill_projection_lag_events", "Events that the read model has not applied; more than 10,000 are not counted.", "projection"),
		seconds:   desc("waybill_projection_lag_seconds", "For how long the first of them has been in the log.", "projection"),
		processed: desc("waybill_projection_events_total", "Events that the live version of the read model has applied.", "projection"),
	}
}

// Describe implements [prometheus.Collector].
func (g *readModelGauges) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.head, g.events, g.seconds, g.processed} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g *readModelGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	set := g.app.models.set
	head, err := set.Head(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.head, err)
		return
	}
	metrics <- prometheus.MustNewConstMetric(g.head, prometheus.GaugeValue, float64(head))
	lags, err := set.Lags(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.events, err)
	}
	now := g.app.now()
	for name, lag := range lags {
		seconds := 0.0
		if !lag.Since.IsZero() {
			seconds = max(now.Sub(lag.Since).Seconds(), 0)
		}
		metrics <- prometheus.MustNewConstMetric(g.events, prometheus.GaugeValue, float64(lag.Events), name)
		metrics <- prometheus.MustNewConstMetric(g.seconds, prometheus.GaugeValue, seconds, name)
	}
	for _, m := range set.Models() {
		metrics <- prometheus.MustNewConstMetric(g.processed, prometheus.CounterValue, float64(m.Live().Events()), m.Name())
	}
}
