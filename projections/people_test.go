package projections_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// people is what belongs to whom, as the events say it, kept as simply as
// possible.
type people struct {
	h         *history
	random    *rand.Rand
	drafts    []projections.DraftRow
	orders    []owned
	checkouts []owned
	reached   map[string]eventstore.Revision // of each customer's stream
}

// owned is an order or a checkout and whose it is.
type owned struct {
	id, customer string
	at           time.Time
	shipped      bool
	over         bool
}

func newPeople(t *testing.T, seed uint64) *people {
	t.Helper()
	return &people{h: newHistory(t), random: rand.New(rand.NewPCG(seed, 5)), reached: map[string]eventstore.Revision{}} //nolint:gosec // a test
}

// now is when the next event is recorded.
func (p *people) now() time.Time {
	return historyStart.Add(time.Duration(len(p.h.events)+1) * time.Millisecond)
}

// somebody is one of a few customers, or a guest.
func (p *people) somebody() string { return []string{"", "ada", "bob", "cy"}[p.random.IntN(4)] }

// live records something that happens to a draft, a checkout, an order or a
// customer.
func (p *people) live() {
	switch p.random.IntN(4) {
	case 0:
		p.draft()
	case 1:
		p.checkout()
	case 2:
		p.order()
	case 3:
		p.customer()
	}
}

func (p *people) draft() {
	at := p.now()
	var open []int
	for i, d := range p.drafts {
		if d.Status == draft.Open || d.Status == draft.Placing {
			open = append(open, i)
		}
	}
	if len(open) == 0 || p.random.IntN(4) == 0 {
		id := fmt.Sprintf("d%02d", len(p.drafts))
		p.h.record("draft-"+id, id, draft.DraftOpened{DraftID: id, Currency: "EUR", At: at})
		p.drafts = append(p.drafts, projections.DraftRow{DraftID: id, Status: draft.Open, Currency: "EUR", OpenedAt: at, ChangedAt: at})
		return
	}
	d := &p.drafts[open[p.random.IntN(len(open))]]
	id := d.DraftID
	var event domain.Event
	switch {
	case d.Status == draft.Placing && p.random.IntN(2) == 0:
		d.Status, event = draft.Open, draft.DraftPlacementEnded{DraftID: id, Reason: "payment-declined"}
	case d.Status == draft.Placing:
		d.Status, d.OrderID = draft.Placed, "of-"+id
		event = draft.DraftPlaced{DraftID: id, OrderID: d.OrderID}
	default:
		switch p.random.IntN(5) {
		case 0:
			event = draft.DraftLineSet{DraftID: id, Line: draft.Line{SKU: "A", Quantity: 1}}
		case 1:
			event = draft.DraftLineRemoved{DraftID: id, SKU: "A"}
		case 2:
			d.CustomerID = p.somebody()
			event = draft.DraftDetailsSet{DraftID: id, Details: draft.Details{CustomerID: d.CustomerID}}
		case 3:
			d.Status, event = draft.Placing, draft.DraftPlacementBegun{DraftID: id}
		case 4:
			d.Status, event = draft.Discarded, draft.DraftDiscarded{DraftID: id}
		}
	}
	d.ChangedAt = at
	p.h.record("draft-"+id, id, event)
}

func (p *people) checkout() {
	open := slices.IndexFunc(p.checkouts, func(c owned) bool { return !c.over })
	if open < 0 || p.random.IntN(2) == 0 {
		c := owned{id: fmt.Sprintf("c%02d", len(p.checkouts)), customer: p.somebody()}
		p.h.record("checkout-"+c.id, c.id, checkout.CheckoutStarted{CheckoutID: c.id, Request: checkout.Request{CustomerID: c.customer}})
		p.checkouts = append(p.checkouts, c)
		return
	}
	c := &p.checkouts[open]
	if p.random.IntN(3) == 0 {
		p.h.record("checkout-"+c.id, c.id, checkout.CheckoutStockReserved{CheckoutID: c.id})
		return
	}
	c.over = true
	switch p.random.IntN(4) {
	case 0:
		p.h.record("checkout-"+c.id, c.id, checkout.CheckoutFailed{CheckoutID: c.id, Reason: "payment-declined"})
	case 1:
		p.h.record("checkout-"+c.id, c.id, checkout.CheckoutAbandoned{CheckoutID: c.id})
	default:
		o := owned{id: "o" + c.id, customer: c.customer, at: historyStart.Add(time.Duration(p.random.IntN(3)) * time.Hour)}
		p.h.record("order-"+o.id, c.id, order.OrderPlaced{OrderID: o.id, CheckoutID: c.id, CustomerID: c.customer, PlacedAt: o.at})
		p.orders = append(p.orders, o)
		if p.random.IntN(2) == 0 { // recovery says so, too
			p.h.record("checkout-"+c.id, c.id, checkout.CheckoutCompleted{CheckoutID: c.id, OrderID: o.id})
		}
	}
}

func (p *people) order() {
	if len(p.orders) == 0 {
		return
	}
	o := &p.orders[p.random.IntN(len(p.orders))]
	var event domain.Event = order.OrderTagged{OrderID: o.id}
	switch p.random.IntN(5) {
	case 0:
		o.over, event = !o.shipped, order.OrderCancelled{OrderID: o.id}
	case 1:
		o.over, event = true, order.OrderCompleted{OrderID: o.id}
	case 2:
		o.over, event = false, order.OrderReopened{OrderID: o.id}
	case 3:
		o.shipped, event = true, order.OrderShipped{OrderID: o.id}
	}
	p.h.record("order-"+o.id, o.id, event)
}

func (p *people) customer() {
	id := cmp.Or(p.somebody(), "dee")
	revision := p.h.next["customer-"+id]
	events := []domain.Event{
		customer.CustomerRegistered{CustomerID: id},
		customer.CustomerContactChanged{CustomerID: id},
		customer.CustomerErasureBegun{CustomerID: id},
		customer.CustomerErasureStopped{CustomerID: id},
		customer.CustomerErased{CustomerID: id},
		customer.CustomerDataExported{CustomerID: id},
	}
	i := p.random.IntN(len(events))
	p.h.record("customer-"+id, id, events[i])
	if i < len(events)-1 {
		p.reached[id] = revision
	}
}

// ids are those of a customer, in an order.
func ids(all []owned, of string, wanted func(owned) bool, before func(a, b owned) int) (found []string) {
	all = slices.Clone(all)
	slices.SortFunc(all, before)
	for _, o := range all {
		if o.customer == of && wanted(o) {
			found = append(found, o.id)
		}
	}
	return found
}

func oldest(a, b owned) int   { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) }
func newest(a, b owned) int   { return oldest(b, a) }
func unfinished(o owned) bool { return !o.over }
func every(owned) bool        { return true }

// Whatever happened to drafts, checkouts, orders and customers, and however the
// log is cut into pages, repeated and begun anew: the lists say what is whose.
func TestListsOfDraftsAndCustomersAgreeWithTheLog(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for seed := range uint64(2) {
			p := newPeople(t, seed)
			for range 150 {
				p.live()
			}
			for _, model := range []projections.Projection{projections.Drafts{}, projections.Customers{}} {
				want := p.h.replay(t, e, model, len(p.h.events), 0)
				for _, size := range []int{1, 7, 512} {
					for _, overlap := range []int{0, 5} {
						if diff := gocmp.Diff(want, p.h.replay(t, e, model, size, overlap)); diff != "" {
							t.Errorf("seed %d: %s, pages of %d, %d of them twice (-want +got):\n%s", seed, model.Name(), size, overlap, diff)
						}
					}
				}
			}
			p.agreeDrafts(t, e)
			p.agreeCustomers(t, e)
		}
	})
}

func (p *people) filled(t *testing.T, e databasetest.Engine, model projections.Projection) *projections.Runner {
	t.Helper()
	r := p.h.open(model, e.Another(t))
	t.Cleanup(func() { _ = r.Close() })
	if err := r.Apply(t.Context(), p.h.page(model, 0, len(p.h.events))); err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *people) agreeDrafts(t *testing.T, e databasetest.Engine) {
	t.Helper()
	q := projections.DraftQueries{DB: p.filled(t, e, projections.Drafts{}).Read()}
	for _, status := range []draft.Status{draft.Open, draft.Placing, draft.Placed, draft.Discarded} {
		for _, of := range []string{"", "ada", "bob"} {
			var want, got []projections.DraftRow
			for _, d := range slices.Backward(p.drafts) { // ids and times grow
				if d.Status == status && (of == "" || d.CustomerID == of) {
					want = append(want, d)
				}
			}
			for after := (*projections.DraftKey)(nil); ; {
				page, err := q.List(t.Context(), status, of, after, 3)
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, page...); len(page) < 3 {
					break
				}
				after = &projections.DraftKey{OpenedAt: page[2].OpenedAt, DraftID: page[2].DraftID}
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s drafts of %q (-want +got):\n%s", status, of, diff)
			}
		}
	}
	var waiting []projections.DraftRow
	before := historyStart.Add(100 * time.Millisecond)
	for _, d := range p.drafts {
		if d.Status == draft.Placing && d.ChangedAt.Before(before) {
			waiting = append(waiting, d)
		}
	}
	slices.SortFunc(waiting, func(a, b projections.DraftRow) int { return a.ChangedAt.Compare(b.ChangedAt) })
	var want []string
	for _, d := range waiting {
		want = append(want, d.DraftID)
	}
	if got, err := q.Placing(t.Context(), before); err != nil || !slices.Equal(got, want) {
		t.Errorf("being placed are %q, want %q, %v", got, want, err)
	}
}

func (p *people) agreeCustomers(t *testing.T, e databasetest.Engine) {
	t.Helper()
	q := projections.CustomerQueries{DB: p.filled(t, e, projections.Customers{}).Read()}
	first := func(all []string, n int) []string { return all[:min(n, len(all))] }
	for _, who := range []string{"ada", "bob", "cy", "dee", "nobody"} {
		for _, limit := range []int{2, 1000} {
			orders, checkouts, err := q.Open(t.Context(), who, limit)
			if err != nil {
				t.Fatal(err)
			}
			if want := first(ids(p.orders, who, unfinished, oldest), limit); !slices.Equal(orders, want) {
				t.Errorf("open orders of %s: %q, want %q", who, orders, want)
			}
			if want := first(ids(p.checkouts, who, unfinished, oldest), limit); !slices.Equal(checkouts, want) {
				t.Errorf("open checkouts of %s: %q, want %q", who, checkouts, want)
			}
			all, err := q.Orders(t.Context(), who, limit)
			if want := first(ids(p.orders, who, every, newest), limit); err != nil || !slices.Equal(all, want) {
				t.Errorf("orders of %s: %q, want %q, %v", who, all, want, err)
			}
		}
		var drafts []string
		for _, d := range p.drafts {
			if d.CustomerID == who && (d.Status == draft.Open || d.Status == draft.Placing) {
				drafts = append(drafts, d.DraftID)
			}
		}
		if got, err := q.Drafts(t.Context(), who); err != nil || !slices.Equal(got, drafts) {
			t.Errorf("drafts of %s: %q, want %q, %v", who, got, drafts, err)
		}
		want, known := p.reached[who]
		if !known {
			want = eventstore.NoStream
		}
		if got, err := q.Reached(t.Context(), who); err != nil || got != want {
			t.Errorf("the log of %s is known to %d, want %d, %v", who, got, want, err)
		}
	}
}
