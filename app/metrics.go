package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waybill-dev/waybill/domain/checkout"
)

// metrics makes the handler of /metrics: numbers are read when they are asked
// for, so that counting costs the platform nothing.
func (a *App) metrics() (http.Handler, error) {
	registry, err := registryOf(a.collectors())
	if err != nil {
		return nil, err
	}
	gatherers := prometheus.Gatherers{registry}
	if a.hooks.backlog != nil {
		gatherers = append(gatherers, a.hooks.backlog)
	}
	return promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}), nil
}

func registryOf(collectors []prometheus.Collector) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	var err error
	for _, collector := range collectors {
		err = errors.Join(err, registry.Register(collector))
	}
	if err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	return registry, nil
}

// collectors are where all metrics come from.
func (a *App) collectors() []prometheus.Collector {
	return append(a.hooks.meter.collectors(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newGauges(a),
		newReadModelGauges(a),
		newStockGauges(a.commands.stock.Stats),
		a.stockBatches.size,
		newTaskGauges(a),
		newDatabaseGauges(a),
		newPaymentGauges(a),
		newWebhookGauges(a.hooks.dispatcher, a.now),
		newWebhookStatements(a),
		a.effectMetrics, a.backlog(), a.hooks.meter.died,
	)
}

// gauges reads where the read models and checkouts are.
type gauges struct {
	app                                                                                            *App
	projectionPosition, projectionApplied, projectionBlocked, checkoutsOpen, jobsOpen, jobsAlarmed *prometheus.Desc
}

func newGauges(a *App) *gauges {
	return &gauges{
		app:                a,
		projectionPosition: prometheus.NewDesc("waybill_projection_position", "Position in the log the read model is at.", []string{"projection"}, nil),
		projectionApplied:  prometheus.NewDesc("waybill_projection_applied_timestamp_seconds", "When the last event that was applied had been recorded.", []string{"projection"}, nil),
		projectionBlocked:  prometheus.NewDesc("waybill_projection_blocked_streams", "Streams with an event that cannot be applied.", []string{"projection"}, nil),
		checkoutsOpen:      prometheus.NewDesc("waybill_checkouts_open", "Checkouts that are not over.", []string{"step"}, nil),
		jobsOpen:           prometheus.NewDesc("waybill_jobs_open", "Long jobs that are not over.", []string{"kind"}, nil),
		jobsAlarmed:        prometheus.NewDesc("waybill_jobs_alarmed", "Open jobs that failed five times or more.", []string{"kind"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (g *gauges) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.projectionPosition, g.projectionApplied, g.projectionBlocked, g.checkoutsOpen, g.jobsOpen, g.jobsAlarmed} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g *gauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, label string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, label)
	}
	for _, r := range g.app.models.set.Models() {
		gauge(g.projectionPosition, float64(r.Position()), r.Name())
		if applied := r.Applied(); !applied.IsZero() {
			gauge(g.projectionApplied, float64(applied.UnixMilli())/1000, r.Name())
		}
		blocked, err := r.Blocked(ctx)
		if err != nil {
			metrics <- prometheus.NewInvalidMetric(g.projectionBlocked, err)
			continue
		}
		gauge(g.projectionBlocked, float64(len(blocked)), r.Name())
	}
	counts, err := g.app.models.checkouts.Count(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.checkoutsOpen, err)
		return
	}
	for _, step := range []checkout.Step{checkout.Started, checkout.Reserved, checkout.Paying, checkout.Declined, checkout.Unknown, checkout.ActionRequired, checkout.Authorised, checkout.Compensating} {
		gauge(g.checkoutsOpen, float64(counts[step]), string(step))
	}
	jobs, err := g.app.models.jobs.Count(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.jobsOpen, err)
	}
	for _, kind := range jobs {
		gauge(g.jobsOpen, float64(kind.Open), kind.Kind)
		gauge(g.jobsAlarmed, float64(kind.Alarmed), kind.Kind)
	}
}
