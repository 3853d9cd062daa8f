package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// told are the values that are told of a read model, and of the log.
func told(t *testing.T, a *App, model string) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newReadModelGauges(a), newGauges(a))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); len(labels) == 0 || labels[0].GetValue() == model {
				values[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return values
}

// The first process applies what there is; the second one, which only reads,
// shows how far behind that is when more has come.
func TestHowFarReadModelsAreBehindIsMeasured(t *testing.T) {
	t.Parallel()
	store, dir, model := nodetest.Start(t), t.TempDir(), projections.Products{}.Name()
	start := func(role string, ahead time.Duration) *App {
		a := prepare(t, store, []string{role}, "--data-dir", dir)
		a.now = func() time.Time { return time.Now().Add(ahead) }
		a.begin(t, a.startDatabase, a.startNode, a.startClient, a.startReadModels)
		return a
	}
	first := start(RoleProjections, 0)
	register(t, first.client, 3)
	eventually(t, "the products to be applied", func() bool { return told(t, first, model)["waybill_projection_events_total"] == 3 })
	level := told(t, first, model)
	if level["waybill_projection_lag_events"] != 0 || level["waybill_projection_lag_seconds"] != 0 || level["waybill_projection_position"] != level["waybill_log_head_position"] {
		t.Errorf("level: %v", level)
	}
	first.stopWithin(t)

	second := start(RoleAPI, time.Hour)
	defer second.stopWithin(t)
	register(t, second.client, 5) // three of which are there already
	behind := told(t, second, model)
	if behind["waybill_projection_lag_events"] != 2 || behind["waybill_projection_lag_seconds"] < 3600 || behind["waybill_projection_lag_seconds"] > 3600+patience.Seconds() {
		t.Errorf("behind: %v", behind)
	}
	if behind["waybill_projection_position"] != level["waybill_projection_position"] || behind["waybill_log_head_position"] <= level["waybill_log_head_position"] {
		t.Errorf("behind: %v, level: %v", behind, level)
	}
}

// A stream with an event that cannot be applied is counted, which raises the
// alarm, and others go on.
func TestBlockedStreamsAreCounted(t *testing.T) {
	t.Parallel()
	model := projections.Products{}.Name()
	a := prepare(t, nodetest.Start(t), []string{RoleProjections}, "--data-dir", t.TempDir())
	defer a.stopWithin(t)
	a.begin(t, a.startDatabase, a.startNode, a.startClient, a.startReadModels)
	const stream = "product-ODD"
	odd := eventstore.NewEvent{ID: eventstore.EventID(stream, "test", 0), Event: job.JobCancelled{JobID: "j"}}
	if _, err := a.client.Append(t.Context(), stream, eventstore.NoStream, odd); err != nil {
		t.Fatal(err)
	}
	register(t, a.client, 2)
	eventually(t, "the stream to be blocked, and the others to be applied", func() bool {
		values := told(t, a, model)
		return values["waybill_projection_blocked_streams"] == 1 && values["waybill_projection_lag_events"] == 0
	})
	if list, err := a.models.products.List(t.Context(), "", "", 10); err != nil || len(list) != 2 {
		t.Errorf("%d products, %v", len(list), err)
	}
	if n := told(t, a, projections.Orders{}.Name())["waybill_projection_blocked_streams"]; n != 0 {
		t.Errorf("%v streams of the list of orders are blocked", n)
	}
}
