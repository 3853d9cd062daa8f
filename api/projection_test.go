package api_test

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

func TestAReadModelIsBuiltAnewThroughTheAPI(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	first := fmt.Sprint(projections.Orders{}.Version())
	list := must(c.Projections(t.Context()))(t)
	if len(list) != 1 || list[0].Name != "orders" || list[0].Version != first || len(list[0].Versions) != 1 {
		t.Errorf("%+v", list)
	}
	begun := must(c.StartRebuild(t.Context(), "orders", "k", client.StartRebuild{}))(t)
	if again := must(c.StartRebuild(t.Context(), "orders", "k", client.StartRebuild{}))(t); again.ID != begun.ID {
		t.Errorf("the same key began %s and %s", begun.ID, again.ID)
	}
	var r client.Rebuild
	eventually(t, "built anew", func() bool {
		r = must(c.Rebuild(t.Context(), "orders"))(t)
		return r.Ended
	})
	if !r.Swapped || !r.Equal || r.Version != first+".1" || r.Compared == nil {
		t.Errorf("%+v", r)
	}
	if at := must(c.Projection(t.Context(), "orders"))(t); at.Version != first+".1" || len(at.Versions) != 2 {
		t.Errorf("%+v", at)
	}
	must(c.RevertProjection(t.Context(), "orders", ""))(t)
	eventually(t, "gone back", func() bool {
		r = must(c.Rebuild(t.Context(), "orders"))(t)
		return r.Swapped && r.Version == first
	})
	p.post("/admin/projections/orders/rebuild", ``).expect(202) // as with {}
	eventually(t, "built anew without a body", func() bool {
		r = must(c.Rebuild(t.Context(), "orders"))(t)
		return r.Swapped && r.Version == first+".2"
	})
	p.post("/admin/projections/nothing/rebuild", `{}`).problem(404, "not-found")
	p.post("/admin/projections/orders/rebuild/pause", ``).problem(404, "rebuild-not-found")
}

func TestABlockedStreamIsRepairedThroughTheAPI(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	_, err := p.store.Append(t.Context(), "order-odd", eventstore.Any, eventstore.NewEvent{
		ID: eventstore.EventID("order-odd", "1", 0), Event: catalog.ProductWithdrawn{SKU: "MUG-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var blocked []client.BlockedStream
	eventually(t, "blocked", func() bool {
		blocked = must(c.BlockedStreams(t.Context(), "orders"))(t)
		return len(blocked) > 0
	})
	if b := blocked[0]; b.Stream != "order-odd" || b.EventType != "ProductWithdrawn" || b.Error == "" || len(b.Data) == 0 || b.Attempts < 1 {
		t.Errorf("%+v", b)
	}
	if o := must(c.RetryBlockedStream(t.Context(), "orders", "order-odd", true))(t); !o.Blocked || o.Error == "" {
		t.Errorf("a retry on trial: %+v", o)
	}
	const path = "/admin/projections/orders/blocked/skip"
	p.post(path, `{"stream": "order-odd", "revision": 0, "reason": " "}`).problem(422, "repair-invalid")
	p.post(path, `{"stream": "order-odd", "revision": 7, "reason": "x"}`).problem(409, "blocked-at-other-event")
	p.post(path, `{"stream": "order-else", "revision": 0, "reason": "x"}`).problem(404, "stream-not-blocked")
	const exact = `{"sku":"MUG-1","count":9007199254740993}` // which no floating point number is
	edit := client.RepairEvent{Stream: "order-odd", Reason: "Try another.", Data: []byte(exact)}
	if o := must(c.EditBlockedEvent(t.Context(), "orders", edit))(t); !o.Blocked {
		t.Errorf("edited: %+v", o)
	}
	if list := must(c.Repairs(t.Context(), "orders"))(t); len(list) != 1 || string(list[0].Data) != exact {
		t.Errorf("on record: %+v", list)
	}
	skip := client.RepairEvent{Stream: "order-odd", Reason: "It is no order's.", DryRun: true}
	if o := must(c.SkipBlockedEvent(t.Context(), "orders", skip))(t); o.Blocked || o.Applied != 1 {
		t.Errorf("on trial: %+v", o)
	}
	if list := must(c.Repairs(t.Context(), "orders"))(t); len(list) != 1 {
		t.Errorf("a trial was kept: %+v", list)
	}
	skip.DryRun = false
	if o := must(c.SkipBlockedEvent(t.Context(), "orders", skip))(t); o.Blocked {
		t.Errorf("skipped: %+v", o)
	}
	list := must(c.Repairs(t.Context(), "orders"))(t)
	if len(list) != 2 || list[0].Kind != "skip" || list[0].Reason != skip.Reason || list[0].By == "" || list[0].At.IsZero() || list[0].Error == "" {
		t.Errorf("on record: %+v", list)
	}
	if blocked = must(c.BlockedStreams(t.Context(), "orders"))(t); len(blocked) != 0 {
		t.Errorf("still blocked: %+v", blocked)
	}
}

// A read model says how far it is and how far the log goes, how fast it goes on,
// and what holds it up.
func TestAReadModelSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	p := shop(t, 1000)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	var at client.Projection
	now := func() client.Projection {
		at = must(c.Projection(t.Context(), "orders"))(t)
		return at
	}
	orders := int64(0)
	eventually(t, "a rate", func() bool {
		p.ordered()
		orders++
		return now().PerSecond > 0
	})
	eventually(t, "level", func() bool { return now().Events >= orders && at.LagEvents == 0 })
	if at.Position <= 0 || at.HeadPosition < at.Position || at.LagMore || at.LagSeconds != 0 || at.AppliedAt.IsZero() || at.BlockedStreams != 0 {
		t.Errorf("level: %+v", at)
	}
	before := at
	_, err := p.store.Append(t.Context(), "order-odd", eventstore.Any, eventstore.NewEvent{
		ID: eventstore.EventID("order-odd", "1", 0), Event: catalog.ProductWithdrawn{SKU: "MUG-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The stream is on record as blocked a moment before the position is told.
	eventually(t, "blocked", func() bool { return now().BlockedStreams == 1 && at.Position > before.Position })
	if at.HeadPosition <= before.HeadPosition {
		t.Errorf("blocked: %+v; before: %+v", at, before)
	}
}
