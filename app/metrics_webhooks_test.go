package app

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	meter := newWebhookMeter(func() time.Time { return noon })
	registry := prometheus.NewRegistry()
	registry.MustRegister(meter.collectors()...)
	around := meter.around(func(ctx context.Context, _ webhooks.Delivery, attempt func(context.Context) webhooks.Result) webhooks.Result {
		return attempt(ctx)
	})
	for _, row := range []struct {
		run           string
		class, before delivery.Class
	}{
		{ledger.Live, delivery.ClassOK, ""},
		{ledger.Live, delivery.ClassTimeout, ""},
		{ledger.Live, delivery.ClassOK, delivery.ClassTimeout},
		{ledger.Live, delivery.ClassOK, delivery.ClassServerError},
		{"replay_1", delivery.ClassOK, ""},
		{ledger.Live, delivery.ClassBlocked, ""},
	} {
		about := webhooks.Delivery{Run: row.run, Recorded: noon.Add(-time.Second), Previous: webhooks.Previous{Class: row.before}}
		around(t.Context(), about, func(context.Context) webhooks.Result {
			return webhooks.Result{Class: row.class, Took: time.Millisecond}
		})
	}
	got := gathered(t, registry)
	maps.DeleteFunc(got, func(name string, times float64) bool {
		return strings.HasPrefix(name, "webhook_attempts_total ") && times == 0
	})
	want := map[string]float64{
		"webhook_attempts_total blocked": 1, "webhook_attempts_total ok": 4, "webhook_attempts_total timeout": 1,
		"webhook_blocked_dial_total": 1, "webhook_fenced_total": 0,
		"webhook_duplicates_total replay": 1, "webhook_duplicates_total unanswered": 1,
		"webhook_attempt_duration_seconds": 6, "webhook_end_to_end_seconds": 3, "webhook_settle_batch_size": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// A query for what went well has an answer before anything did: without one
// nobody is told that nothing does.
func TestEveryWayToEndIsCountedFromNothing(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(newWebhookMeter(time.Now).collectors()...)
	got := gathered(t, registry)
	for _, class := range delivery.Classes() {
		if times, ok := got["webhook_attempts_total "+string(class)]; !ok || times != 0 {
			t.Errorf("%s is counted as %v, %v; want 0", class, times, ok)
		}
	}
}

// gathered returns counters, and how often histograms were told something, by
// name and value of the label.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			got[name] = metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return got
}
