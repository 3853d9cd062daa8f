package fulfilment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	jobs "github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
	"github.com/waybill-dev/waybill/handlers/process"
)

// asked is an order whose job is to be asked about.
type asked struct {
	*shop

	yard *jobs.Server
}

func (a asked) pack(t *testing.T, id string, quantities ...int) {
	t.Helper()
	p := warehouse.Parcel{ID: id, Carrier: "dhl", Tracking: "T-" + id, ShippedAt: noon.Add(-time.Hour)}
	for _, u := range units(quantities...) {
		p.Lines = append(p.Lines, warehouse.Units(u))
	}
	if j, err := a.yard.Pack(t.Context(), "f", p); err != nil || j.Status == jobs.Stopped {
		t.Fatal(j.Status, err)
	}
}

func (a asked) refuse(t *testing.T, reason string) {
	t.Helper()
	if _, err := a.yard.Refuse(t.Context(), "f", reason); err != nil {
		t.Fatal(err)
	}
}

// callback is a parcel as the warehouse tells of it by itself, later.
func callback(id string, quantities ...int) domainorder.Ship {
	return domainorder.Ship{ShipmentID: id, Lines: units(quantities...), Carrier: "dhl", Tracking: "T-" + id, At: noon}
}

// say puts an order in words: its state, its parcels, its holds.
func say(o domainorder.State) string {
	words := []string{string(o.Status)}
	for _, p := range o.Shipments {
		words = append(words, fmt.Sprint(p.Shipped.ShipmentID, " ", p.Shipped.Lines))
	}
	for _, h := range slices.Concat(o.Holds, o.PastHolds) {
		words = append(words, "held "+h.HoldID+" "+string(h.Reason))
	}
	return strings.Join(words, ", ")
}

// What a warehouse did and nobody heard of is recorded once, whenever else it
// is told.
func TestAJobIsReconciled(t *testing.T) {
	t.Parallel()
	const all = "shipped, a [{l0 3} {l1 2}]"
	w := newWorld(t)
	for name, c := range map[string]struct {
		before func(t *testing.T, a asked)
		fails  bool
		done   bool
		want   string
		job    string
	}{
		"nothing happened": {want: "processing", job: jobs.Submitted},
		"all packed, and nobody heard": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 3, 2) },
			done:   true, want: all, job: jobs.Picked,
		},
		"packed in part": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 0); a.pack(t, "b", 0, 2) },
			want:   "partially_shipped, a [{l0 1}], b [{l1 2}]", job: jobs.Submitted,
		},
		"refused": {
			before: func(t *testing.T, a asked) { t.Helper(); a.refuse(t, "stock_shortfall") },
			want:   "on_hold, held f stock_shortfall", job: jobs.Submitted,
		},
		"packed in part, the rest refused": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 0); a.refuse(t, "address") },
			want:   "on_hold, a [{l0 1}], held f address", job: jobs.Submitted,
		},
		"refused, and let go by a person": {
			before: func(t *testing.T, a asked) {
				t.Helper()
				a.refuse(t, "address")
				a.tell(t, a.orderID(), domainorder.Hold{HoldID: "f", Reason: domainorder.HoldAddress, NoteRef: "n"})
				a.tell(t, a.orderID(), domainorder.ReleaseHold{By: "me"})
			},
			want: "processing, held f address", job: jobs.Submitted,
		},
		"refused for something unknown": {
			before: func(t *testing.T, a asked) { t.Helper(); a.refuse(t, "fraud") },
			fails:  true, want: "processing", job: jobs.Submitted,
		},
		"heard of before": {
			before: func(t *testing.T, a asked) {
				t.Helper()
				a.pack(t, "a", 1, 2)
				a.tell(t, a.orderID(), domainorder.Ship{ShipmentID: "a", Lines: []domainorder.Units{{LineID: "l1", Quantity: 2}, {LineID: "l0", Quantity: 1}}, At: noon})
			},
			want: "partially_shipped, a [{l1 2} {l0 1}]", job: jobs.Submitted,
		},
		"everything heard of before": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 3, 2); a.parcel(t, a.orderID(), "a", 3, 2) },
			done:   true, want: all, job: jobs.Picked,
		},
		"two parcels of one id": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 2); a.parcel(t, a.orderID(), "a", 2, 0) },
			fails:  true, want: "partially_shipped, a [{l0 2}]", job: jobs.Submitted,
		},
		"a parcel while the order is on hold": {
			before: func(t *testing.T, a asked) {
				t.Helper()
				a.pack(t, "a", 3, 2)
				a.tell(t, a.orderID(), domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud})
			},
			want: "on_hold, held h fraud", job: jobs.Picked,
		},
		"a parcel while the order is being cancelled": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 0); a.tell(t, a.orderID(), cancelled) },
			want:   "partially_shipped, a [{l0 1}]", job: jobs.Submitted,
		},
		"cancelled meanwhile": {
			before: func(t *testing.T, a asked) {
				t.Helper()
				a.tell(t, a.orderID(), cancelled)
				a.eventually(t, a.orderID(), process.Cancel, "x")
			},
			done: true, want: "cancelled", job: jobs.Stopped,
		},
		"the warehouse is away": {
			before: func(t *testing.T, a asked) {
				t.Helper()
				a.pack(t, "a", 3, 2)
				a.yard.Behave(jobs.Behaviour{Away: true})
			},
			fails: true, want: "processing", job: jobs.Picked,
		},
		"people pick": {
			before: func(t *testing.T, a asked) { t.Helper(); a.Warehouse = warehouse.Manual{} },
			done:   true, want: "processing", job: jobs.Submitted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.ask(t, strings.NewReplacer(" ", "-", ",", "").Replace(name))
			a.must(t, a.orderID(), process.Fulfil, "f")
			if c.before != nil {
				c.before(t, a)
			}
			for range 2 { // the second time changes nothing
				err := a.do(t.Context(), a.orderID(), process.ReconcileJob, "f")
				waits := errors.As(err, new(*process.NotYetError))
				if (err == nil) != c.done || (err != nil && !waits) != c.fails {
					t.Errorf("it ended with %v", err)
				}
				if got := say(a.order(t, a.orderID())); got != c.want {
					t.Errorf("the order is %q, want %q", got, c.want)
				}
			}
			if got := a.status(t); got != c.job {
				t.Errorf("the job is %s, want %s", got, c.job)
			}
		})
	}
}

// ask is a shop with one order, whose units were all asked for.
func (w *world) ask(t *testing.T, id string) asked {
	t.Helper()
	a := asked{shop: w.shop(t)}
	a.yard, a.Warehouse = startYard(t)
	a.also = []process.Task{{OrderID: id}}
	a.place(t, basic(id))
	a.tell(t, id, request("f", 3, 2))
	return a
}

func startYard(t *testing.T) (*jobs.Server, warehouse.Warehouse) {
	t.Helper()
	s, c := startWarehouse(t)
	return s, c
}

func (a asked) orderID() string { return a.also[0].OrderID }

func (a asked) status(t *testing.T) string {
	t.Helper()
	all, err := a.yard.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		return "unknown"
	}
	return all[0].Status
}

func TestAJobThatTheWarehouseLostIsSubmittedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		command domainorder.Command
		want    string
	}{
		"open":            {nil, jobs.Submitted},
		"on hold":         {domainorder.Hold{HoldID: "h", Reason: domainorder.HoldFraud}, "unknown"},
		"being cancelled": {cancelled, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.ask(t, strings.NewReplacer(" ", "-", ",", "").Replace(name))
			if c.command != nil {
				a.tell(t, a.orderID(), c.command)
			}
			err := a.do(t.Context(), a.orderID(), process.ReconcileJob, "f")
			if waits, ok := errors.AsType[*process.NotYetError](err); !ok || waits.After != time.Hour {
				t.Errorf("it ended with %v", err)
			}
			if got := a.status(t); got != c.want {
				t.Errorf("the job is %s, want %s", got, c.want)
			}
		})
	}
}

// The warehouse tells of a parcel, and is asked about it by two processes, all
// at the same time, or tells of it late.
func TestAParcelIsRecordedOnceHoweverItIsHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for round := range 10 {
		a := w.ask(t, fmt.Sprint("o", round))
		id := a.orderID()
		a.must(t, id, process.Fulfil, "f")
		a.pack(t, "a", 3, 0)
		a.pack(t, "b", 0, 2)
		var group sync.WaitGroup
		for _, s := range []*shop{a.shop, a.again(t)} {
			group.Go(func() {
				err := s.do(t.Context(), id, process.ReconcileJob, "f")
				if err != nil && !errors.As(err, new(*process.NotYetError)) {
					t.Error(err)
				}
			})
		}
		told := func(ctx context.Context) {
			for _, c := range []domainorder.Ship{callback("a", 3, 0), callback("b", 0, 2)} {
				if _, err := a.try(ctx, id, c); err != nil {
					t.Errorf("told of %s: %v", c.ShipmentID, err)
				}
			}
		}
		group.Go(func() { told(t.Context()) })
		group.Wait()
		told(t.Context())
		a.must(t, id, process.ReconcileJob, "f")
		o := a.order(t, id)
		if o.Status != domainorder.StatusShipped || len(o.Shipments) != 2 {
			t.Errorf("the order is %s", say(o))
		}
	}
}

// What has left is not cancelled, though nobody has heard of it.
func TestACancellationFindsParcelsNobodyHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		before func(t *testing.T, a asked)
		want   string
		job    string
	}{
		"some has left": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 0) },
			want:   "partially_shipped, a [{l0 1}]", job: jobs.Submitted,
		},
		"some has left, and that was heard": {
			before: func(t *testing.T, a asked) { t.Helper(); a.pack(t, "a", 1, 0); a.parcel(t, a.orderID(), "a", 1, 0) },
			want:   "cancelled, a [{l0 1}]", job: jobs.Stopped,
		},
		"nothing has left": {before: func(*testing.T, asked) {}, want: "cancelled", job: jobs.Stopped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.ask(t, strings.NewReplacer(" ", "-", ",", "").Replace(name))
			a.must(t, a.orderID(), process.Fulfil, "f")
			c.before(t, a)
			a.tell(t, a.orderID(), cancelled)
			a.eventually(t, a.orderID(), process.Cancel, "x")
			if got := say(a.order(t, a.orderID())); got != c.want {
				t.Errorf("the order is %q, want %q", got, c.want)
			}
			if got := a.status(t); got != c.job {
				t.Errorf("the job is %s, want %s", got, c.job)
			}
		})
	}
}

func TestWhenAParcelLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask(t, "o")
	a.must(t, "o", process.Fulfil, "f")
	a.pack(t, "a", 3, 0)
	tomorrow := warehouse.Parcel{ID: "b", ShippedAt: noon.Add(24 * time.Hour), Lines: []warehouse.Units{{LineID: "l1", Quantity: 2}}}
	if _, err := a.yard.Pack(t.Context(), "f", tomorrow); err != nil {
		t.Fatal(err)
	}
	a.must(t, "o", process.ReconcileJob, "f")
	parcels := a.order(t, "o").Shipments
	if first, second := parcels[0].Shipped, parcels[1].Shipped; !first.ShippedAt.Equal(noon.Add(-time.Hour)) || !second.ShippedAt.Equal(noon) ||
		first.Carrier != "dhl" || first.Tracking != "T-a" {
		t.Errorf("%+v, %+v", first, second)
	}
}
