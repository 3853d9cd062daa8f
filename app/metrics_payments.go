package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/projections"
)

// paymentGauges reads what somebody has to look at around payments.
type paymentGauges struct {
	app                            *App
	callbacks, unresolved, alarmed *prometheus.Desc
	unknown, expiring              *prometheus.Desc
}

func newPaymentGauges(a *App) *paymentGauges {
	return &paymentGauges{
		app:        a,
		callbacks:  prometheus.NewDesc("waybill_gateway_callbacks", "Callbacks of payment gateways that were not applied: waiting to be tried again, or unclaimed.", []string{"status"}, nil),
		unresolved: prometheus.NewDesc("waybill_checkouts_unresolved", "Checkouts that were ever given up because their payment's outcome could not be found out.", nil, nil),
		unknown:    prometheus.NewDesc("waybill_payments_unknown_oldest_seconds", "For how long the outcome of a payment has been unknown, of the one that was lost first.", nil, nil),
		expiring:   prometheus.NewDesc("waybill_stock_reservations_expiring", "Reservations that end within a minute, or have ended and are not released yet.", nil, nil),
		alarmed:    prometheus.NewDesc("waybill_checkouts_alarmed", "Checkouts that this process failed to recover five times in a row or more.", nil, nil),
	}
}

// expiresSoon is how soon a reservation ends that counts as expiring.
const expiresSoon = time.Minute

// Describe implements [prometheus.Collector].
func (g *paymentGauges) Describe(descs chan<- *prometheus.Desc) {
	descs <- g.callbacks
	descs <- g.unresolved
	descs <- g.alarmed
	descs <- g.unknown
	descs <- g.expiring
}

// Collect implements [prometheus.Collector].
func (g *paymentGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value int, err error, labels ...string) {
		if err != nil {
			metrics <- prometheus.NewInvalidMetric(desc, err)
			return
		}
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	waiting, unclaimed, err := g.app.models.callbacks.Count(ctx)
	gauge(g.callbacks, waiting, err, "waiting")
	gauge(g.callbacks, unclaimed, err, "unclaimed")
	steps, err := g.app.models.checkouts.Count(ctx)
	gauge(g.unresolved, steps[projections.Unresolved], err)
	now := g.app.now()
	since, err := g.app.models.checkouts.OldestUnknown(ctx)
	age := 0
	if !since.IsZero() {
		age = int(max(now.Sub(since), 0).Seconds())
	}
	gauge(g.unknown, age, err)
	expiring, err := g.app.models.stock.Expiring(ctx, now.Add(expiresSoon))
	gauge(g.expiring, expiring, err)
	if r := g.app.commands.recovery; r != nil {
		gauge(g.alarmed, r.Alarms(), nil)
	}
}
