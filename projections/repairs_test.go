package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// picky is a list of orders that some orders break.
type picky struct {
	projections.Orders
	oneByOne //nolint:unused // see there
}

func (p picky) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	if placed, ok := event.(order.OrderPlaced); ok && placed.Number == "poison" {
		return errors.New("no such number can be")
	}
	return p.Orders.Apply(ctx, tx, r)
}

func poison(t *testing.T, c *eventstore.Client, id string) {
	t.Helper()
	add(t, c, "order-"+id, id, order.OrderPlaced{OrderID: id, Number: "poison", Currency: "EUR", PlacedAt: noon}, order.OrderShipped{OrderID: id, ShipmentID: "s"})
}

func (p *instance) blocked(name string) []projections.BlockedEvent {
	p.t.Helper()
	list, err := p.model(name).BlockedEvents(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

func TestAPoisonEventIsRepairedOnceForEveryVersion(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		placeOrder(t, c, 1)
		poison(t, c, "edited")
		poison(t, c, "skipped")
		placeOrder(t, c, 2)
		p := start(t, e, c, "a", picky{})
		p.level("orders")
		list := p.blocked("orders")
		if len(list) != 2 || list[0].Type != "OrderPlaced" || list[0].Waiting != 1 || !json.Valid(list[0].Data) {
			t.Fatalf("blocked: %+v", list)
		}
		// It is blocked in a version built anew as well, and the rows are equal.
		if r := p.rebuild("orders", anew("1")); r.State != projections.Swapped || !r.Equal() || len(r.Compared.Blocked) != 0 {
			t.Fatalf("%s, %s", r.State, r.Error)
		}
		orders := projections.OrderQueries{DB: p.model("orders").Read()}
		data, err := json.Marshal(order.OrderPlaced{OrderID: "edited", Number: "9999", Currency: "EUR", PlacedAt: noon})
		if err != nil {
			t.Fatal(err)
		}
		edit := projections.Repair{Stream: "order-edited", Kind: projections.Edit, Data: data, Reason: "A wrong number.", By: "ada"}
		for _, wrong := range []projections.Repair{
			{Stream: edit.Stream, Kind: projections.Edit, Data: data},
			{Stream: edit.Stream, Kind: projections.Edit, Data: []byte(`[]`), Reason: "x"},
			{Stream: edit.Stream, Kind: projections.Edit, Data: []byte(`{"currency": 7}`), Reason: "x"},
		} {
			if _, err := p.model("orders").Repair(t.Context(), wrong, false); !errors.Is(err, projections.ErrRepairInvalid) {
				t.Errorf("%s: %v", wrong.Data, err)
			}
		}
		// First on trial: nothing changes.
		if o, err := p.model("orders").Repair(t.Context(), edit, true); err != nil || o.Blocked || o.Applied != 2 {
			t.Fatalf("on trial: %+v, %v", o, err)
		}
		if _, err := orders.Get(t.Context(), "edited"); !errors.Is(err, projections.ErrNotFound) || len(p.blocked("orders")) != 2 {
			t.Errorf("a trial changed something: %v", err)
		}
		if o, err := p.model("orders").Repair(t.Context(), edit, false); err != nil || o.Blocked {
			t.Fatalf("%+v, %v", o, err)
		}
		if row, err := orders.Get(t.Context(), "edited"); err != nil || row.Number != "9999" || row.Status != "shipped" {
			t.Errorf("%+v, %v", row, err) // what waited was applied behind it
		}
		// A skip of the order's beginning lets its later events meet nothing.
		skip := projections.Repair{Stream: "order-skipped", Kind: projections.Skip, Reason: "A test of the supplier.", By: "ada"}
		o, err := p.model("orders").Repair(t.Context(), skip, false)
		if err != nil {
			t.Fatal(err)
		}
		if o.Blocked {
			skip.Revision = o.Revision
			if o, err = p.model("orders").Repair(t.Context(), skip, false); err != nil || o.Blocked {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		if len(p.blocked("orders")) != 0 {
			t.Errorf("blocked: %+v", p.blocked("orders"))
		}
		// A version that is built later needs no other decision.
		r := p.rebuild("orders", anew("2"))
		if r.State != projections.Swapped || !r.Equal() || len(p.blocked("orders")) != 0 {
			t.Errorf("%s, %s, %+v", r.State, r.Error, r.Compared)
		}
		if row, err := orders.Get(t.Context(), "edited"); err != nil || row.Number != "9999" {
			t.Errorf("%+v, %v", row, err)
		}
		known, err := p.model("orders").Repairs(t.Context())
		if err != nil || len(known) < 2 || known[len(known)-1].By != "ada" || known[len(known)-1].EventID == "" || known[len(known)-1].Error == "" {
			t.Errorf("on record: %+v, %v", known, err)
		}
	})
}

func TestARebuildThatBlocksMoreThanTheLiveVersionIsNotSwappedIn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		poison(t, c, "x")
		p := start(t, e, c, "a", projections.Orders{}) // which takes it
		p.level("orders")
		p.stop()
		p = start(t, e, c, "a", picky{})
		r := p.rebuild("orders", anew("1"))
		if r.State != projections.Different || len(r.Compared.Blocked) != 1 || r.Compared.Blocked[0] != "order-x" {
			t.Errorf("%s, %s, %+v", r.State, r.Error, r.Compared)
		}
	})
}

// A stream is tried again, and a decision about it tried out, in whichever
// version is live by then.
func TestABlockedStreamIsTriedWhileVersionsAreSwapped(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		poison(t, c, "x")
		p := start(t, e, c, "a", picky{})
		p.level("orders")
		model, asked := p.model("orders"), make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for _, ask := range []func() (projections.Outcome, error){
			func() (projections.Outcome, error) { return model.RetryStream(t.Context(), "order-x", true) },
			func() (projections.Outcome, error) { return model.RetryStream(t.Context(), "order-x", false) },
			func() (projections.Outcome, error) {
				return model.Repair(t.Context(), projections.Repair{Stream: "order-x", Kind: projections.Edit, Reason: "x", Data: []byte(`{"number": "poison"}`)}, true)
			},
		} {
			asking.Go(func() {
				for ctx.Err() == nil {
					if o, err := ask(); err != nil || !o.Blocked {
						t.Errorf("%+v, %v", o, err)
						return
					}
					select {
					case asked <- struct{}{}:
					default:
					}
				}
			})
		}
		for i := range 4 {
			if r := p.rebuild("orders", anew(fmt.Sprint(i))); r.State != projections.Swapped {
				t.Errorf("rebuild %d: %s, %s", i, r.State, r.Error)
			}
			select {
			case <-asked:
			case <-time.After(30 * time.Second):
				t.Error("nobody is answered")
			}
		}
		stop()
		asking.Wait()
	})
}
