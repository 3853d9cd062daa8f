package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// webhookMeter counts attempts and what becomes of them. No label names an
// endpoint: there may be thousands. The trace of an attempt is its exemplar.
type webhookMeter struct {
	attempts, duplicates        *prometheus.CounterVec
	verifications               *prometheus.CounterVec
	blocked, fenced             prometheus.Counter
	died                        prometheus.Counter // of the process of the backlog; it does not count itself
	duration, endToEnd, settled prometheus.Histogram
	now                         func() time.Time
}

func newWebhookMeter(now func() time.Time) *webhookMeter {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}
	waits := append(seconds[1:len(seconds):len(seconds)], 60, 600, 3600, 21600, 86400, 259200)
	m := &webhookMeter{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "webhook_attempts_total", Help: "Attempts of deliveries, by how they ended.",
		}, []string{"class"}),
		duplicates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "webhook_duplicates_total", Help: "Messages that a receiver took and may have taken before, with the same id: after an attempt that was not answered, or by a replay.",
		}, []string{"cause"}),
		verifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "webhook_verifications_total", Help: "Pings by which endpoints had to show that they want to be called, by what came of them: verified, expired, given_up.",
		}, []string{"result"}),
		blocked: prometheus.NewCounter(prometheus.CounterOpts{Name: "webhook_blocked_dial_total", Help: "Attempts that led to an address, a port or a URL that is not allowed."}),
		fenced:  prometheus.NewCounter(prometheus.CounterOpts{Name: "webhook_fenced_total", Help: "Cursors that were lost to another process while they were served."}),
		died: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "webhook_backlog_process_deaths_total", Help: "How often the process that works off what endpoints have missed could not be started, or ended without being told to.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "webhook_attempt_duration_seconds", Help: "How long an attempt took.", Buckets: seconds}),
		endToEnd: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "webhook_end_to_end_seconds", Help: "From the append of an event to the 2xx of a receiver; without replays.", Buckets: waits}),
		settled: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "webhook_settle_batch_size", Help: "Attempts that were saved in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		now: now,
	}
	for _, class := range delivery.Classes() { // an alert compares them, and nothing is less than what is not there
		m.attempts.WithLabelValues(string(class))
	}
	return m
}

func (m *webhookMeter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.duplicates, m.verifications, m.blocked, m.fenced, m.duration, m.endToEnd, m.settled}
}

// around counts an attempt within whatever else is around it, so that the span
// is known.
func (m *webhookMeter) around(outer func(context.Context, webhooks.Delivery, func(context.Context) webhooks.Result) webhooks.Result) func(context.Context, webhooks.Delivery, func(context.Context) webhooks.Result) webhooks.Result {
	return func(ctx context.Context, about webhooks.Delivery, attempt func(context.Context) webhooks.Result) webhooks.Result {
		return outer(ctx, about, func(ctx context.Context) webhooks.Result {
			result := attempt(ctx)
			m.count(ctx, about, result)
			return result
		})
	}
}

func (m *webhookMeter) count(ctx context.Context, about webhooks.Delivery, result webhooks.Result) {
	m.attempts.WithLabelValues(string(result.Class)).Inc()
	observe(ctx, m.duration, result.Took)
	replay := about.Run != ledger.Live && !webhooks.IsPing(about.Run)
	switch {
	case result.Class == delivery.ClassBlocked:
		m.blocked.Inc()
	case result.Class == delivery.ClassOK && replay:
		m.duplicates.WithLabelValues("replay").Inc()
	case result.Class == delivery.ClassOK && about.Previous.Unanswered():
		m.duplicates.WithLabelValues("unanswered").Inc()
	}
	if result.Class == delivery.ClassOK && about.Run == ledger.Live {
		observe(ctx, m.endToEnd, m.now().Sub(about.Recorded))
	}
}

// verify counts what came of a ping: why it failed, if it did.
func (m *webhookMeter) verify(failed string) {
	m.verifications.WithLabelValues(cmp.Or(failed, "verified")).Inc()
}

// observe adds the trace as an exemplar where it is sampled.
func observe(ctx context.Context, histogram prometheus.Histogram, took time.Duration) {
	sc := trace.SpanContextFromContext(ctx)
	with, ok := histogram.(prometheus.ExemplarObserver)
	if !ok || !sc.IsSampled() {
		histogram.Observe(took.Seconds())
		return
	}
	with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": sc.TraceID().String()})
}

// webhookGauges reads where deliveries stand.
type webhookGauges struct {
	dispatcher                              *webhooks.Dispatcher
	now                                     func() time.Time
	lagEvents, lagSeconds, parked, breakers *prometheus.Desc
	unverified, unreadable                  *prometheus.Desc
}

// mostLagging is how many endpoints are named: those furthest behind.
const mostLagging = 20

func newWebhookGauges(d *webhooks.Dispatcher, now func() time.Time) *webhookGauges {
	return &webhookGauges{
		dispatcher: d, now: now,
		lagEvents:  prometheus.NewDesc("webhook_endpoint_lag_events", "Public events after an endpoint's cursor, wanted or not; between the first and those in memory reckoned from these; of the 20 endpoints furthest behind.", []string{"endpoint"}, nil),
		lagSeconds: prometheus.NewDesc("webhook_endpoint_lag_seconds", "Age of the first public event after an endpoint's cursor; of the 20 endpoints furthest behind.", []string{"endpoint"}, nil),
		parked:     prometheus.NewDesc("webhook_parked", "Messages that are parked: waiting for another attempt, behind one that does, or dead.", []string{"state"}, nil),
		unverified: prometheus.NewDesc("webhook_endpoints_unverified", "Endpoints that get nothing because they have yet to show that they want to be called, by what became of the last ping.", []string{"status"}, nil),
		unreadable: prometheus.NewDesc("webhook_unreadable_messages", "Messages that this process was to send or to hand out since it started and cannot make, because it cannot read their events.", nil, nil),
		breakers:   prometheus.NewDesc("webhook_breaker_state", "Endpoints by what they are believed to be: closed is up.", []string{"state"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (g *webhookGauges) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.lagEvents, g.lagSeconds, g.parked, g.breakers, g.unverified, g.unreadable} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g *webhookGauges) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, label string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, label)
	}
	lags, err := g.dispatcher.Backlogs(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.lagEvents, err)
		return
	}
	metrics <- prometheus.MustNewConstMetric(g.unreadable, prometheus.GaugeValue, float64(g.dispatcher.Unreadable()))
	breakers := map[webhooks.BreakerState]int{delivery.Closed: 0, delivery.Open: 0, delivery.HalfOpen: 0}
	for _, lag := range lags {
		breakers[lag.Breaker]++
	}
	for state, count := range breakers {
		gauge(g.breakers, float64(count), state.String())
	}
	slices.SortFunc(lags, func(a, b webhooks.Backlog) int { return cmp.Compare(b.Events, a.Events) })
	now := g.now()
	for _, lag := range lags[:min(mostLagging, len(lags))] {
		gauge(g.lagEvents, float64(lag.Events), lag.EndpointID)
		age := time.Duration(0)
		if !lag.Oldest.IsZero() {
			age = now.Sub(lag.Oldest)
		}
		gauge(g.lagSeconds, age.Seconds(), lag.EndpointID)
	}
	g.collectParked(ctx, metrics, gauge)
	g.collectUnverified(ctx, metrics, gauge)
}

func (g *webhookGauges) collectUnverified(ctx context.Context, metrics chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, string)) {
	list, err := g.dispatcher.Endpoints.List(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.unverified, err)
		return
	}
	counts := map[endpoint.VerificationStatus]int{endpoint.VerificationPending: 0, endpoint.VerificationFailed: 0}
	for _, e := range list {
		if g.dispatcher.Endpoints.Verify.Of(e.TenantID) && e.Verification.Unverified() {
			counts[e.Verification.Status]++
		}
	}
	for status, count := range counts {
		gauge(g.unverified, float64(count), string(status))
	}
}

func (g *webhookGauges) collectParked(ctx context.Context, metrics chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, string)) {
	parked, err := g.dispatcher.Ledger.CountParked(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(g.parked, err)
		return
	}
	gauge(g.parked, float64(parked.Waiting), "waiting")
	gauge(g.parked, float64(parked.Behind), "behind")
	gauge(g.parked, float64(parked.Dead), "dead")
}
