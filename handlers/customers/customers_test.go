package customers_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/customers"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/jobs"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/vault"
)

var (
	noon     = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	errCrash = errors.New("the process ended")
)

type contact struct{ Email, Name string }

// bench is an installation with one customer, ada, who ordered o1.
type bench struct {
	t     *testing.T
	store *eventstore.Client
	vault *vault.Vault
	list  projections.CustomerQueries
	n     int
	hour  int

	forgotten forgotten
}

// forgotten are the drafts that were discarded.
type forgotten []string

// Forget implements [customers.Drafts].
func (f *forgotten) Forget(_ context.Context, draftID, _ string) error {
	*f = append(*f, draftID)
	return nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, store: handlertest.Start(t)}
	keys, err := vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if b.vault, err = vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), keys); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.vault.Close() })
	b.follow()
	b.put("r1")
	b.record("order-o1", order.OrderPlaced{OrderID: "o1", CustomerID: "ada", ContactRef: "r1", PlacedAt: noon})
	return b
}

// follow brings the read model forward until the test ends.
func (b *bench) follow() {
	b.t.Helper()
	config := projections.Config{Dir: b.t.TempDir(), Store: b.store, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
	runner, err := projections.Open(b.t.Context(), projections.Customers{}, config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.list.DB = runner.Read()
	ctx, stop := context.WithCancel(context.WithoutCancel(b.t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		feed := b.store.Feed(eventstore.FeedConfig{Prefixes: runner.Prefixes()})
		defer feed.Close()
		for page, err := feed.Next(ctx); err == nil; page, err = feed.Next(ctx) {
			if err := runner.Apply(ctx, page); err != nil && ctx.Err() == nil {
				b.t.Error(err)
			}
		}
	})
	b.t.Cleanup(func() { stop(); running.Wait(); _ = runner.Close() })
}

func (b *bench) put(ref string) {
	b.t.Helper()
	if err := b.vault.Put(b.t.Context(), "ada", ref, contact{"ada@example.com", "Ada Lovelace"}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) record(stream string, events ...domain.Event) {
	b.t.Helper()
	b.n++
	meta := eventstore.Metadata{CommandID: fmt.Sprint("record ", b.n)}
	if _, err := b.store.Append(b.t.Context(), stream, eventstore.Any, eventstore.NewEvents(stream, meta, events...)...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) service() *customers.Service {
	return &customers.Service{Store: b.store, Vault: b.vault, List: b.list, Drafts: &b.forgotten, Now: time.Now}
}

// one lists the job of a test.
type one struct{}

func (one) Due(context.Context, time.Time) ([]string, error) { return []string{"j1"}, nil }

// run lets a process work on the job j1, and returns where it is then.
func (b *bench) run(s *customers.Service, kind string) job.State {
	b.t.Helper()
	b.hour++ // a job that failed is due again
	now := func() time.Time { return noon.Add(time.Duration(b.hour) * time.Hour) }
	service := jobs.New(b.store, now, s.Kinds()...)
	request := jobs.Request{JobID: "j1", Kind: kind, Params: map[string]string{customers.Param: "ada"}}
	if _, err := service.Start(b.t.Context(), eventstore.Metadata{CommandID: "start"}, request); err != nil {
		b.t.Fatal(err)
	}
	runner := &jobs.Runner{Service: service, Todo: one{}, Logger: slog.New(slog.DiscardHandler)}
	if err := runner.Round(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	runner.Wait()
	result, err := service.Get(b.t.Context(), "j1")
	if err != nil {
		b.t.Fatal(err)
	}
	return result.State
}

// events are the names of what was recorded of ada.
func (b *bench) events() (names []string) {
	b.t.Helper()
	for r, err := range b.store.ReadStream(b.t.Context(), "customer-ada", 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		names = append(names, r.Type)
	}
	return names
}

func (b *bench) expectErased() {
	b.t.Helper()
	if err := b.vault.Get(b.t.Context(), "r1", &contact{}); !errors.Is(err, vault.ErrErased) {
		b.t.Errorf("the data is there: %v", err)
	}
	view, err := b.service().Get(b.t.Context(), "ada")
	if err != nil || view.Customer.Status != customer.Erased || view.Customer.KeyID == "" || !slices.Contains(view.Orders, "o1") {
		b.t.Errorf("the customer is %+v, %v", view, err)
	}
}

func TestACustomerIsErasedWhenTheOrdersAreOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.record("order-o1", order.OrderCancelRequested{}, order.OrderCancelled{})
	if state := b.run(b.service(), customers.EraseKind); state.Status != job.Succeeded || state.Result[customers.Param] != "ada" {
		t.Errorf("the job is %+v", state)
	}
	b.expectErased()
	if want := []string{"CustomerErasureBegun", "CustomerErased"}; !slices.Equal(b.events(), want) {
		t.Errorf("recorded %v", b.events())
	}
	state, _, err := eventstore.Load(t.Context(), b.store, order.Decider, "o1")
	if err != nil || state.Status != order.StatusCancelled {
		t.Errorf("the order is %s, %v", state.Status, err)
	}
}

// TestErasureIsFinishedAfterACrashAnywhere ends the process at each gap: then
// another one finishes the work.
func TestErasureIsFinishedAfterACrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		for _, step := range []string{"retired", "begun", "discarded", "erased", "stopped"} {
			b := newBench(t)
			if !open {
				b.record("order-o1", order.OrderCancelRequested{}, order.OrderCancelled{})
			}
			first := b.service()
			crashed := false
			first.Fault = func(at string) error {
				if at == step {
					crashed = true
					return errCrash
				}
				return nil
			}
			if state := b.run(first, customers.EraseKind); crashed && state.Status != job.Running {
				t.Fatalf("after a crash at %s the job is %s", step, state.Status)
			}
			state := b.run(b.service(), customers.EraseKind)
			if open {
				if b.put("r2"); state.Status != job.Failed || state.Code != "open-orders" {
					t.Errorf("open, after a crash at %s: the job is %s %s", step, state.Status, state.Code)
				}
				continue
			}
			if state.Status != job.Succeeded {
				t.Errorf("after a crash at %s the job is %s", step, state.Status)
			}
			b.expectErased()
		}
	}
}

func TestDraftsOfAnErasedCustomerAreDiscarded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.record("order-o1", order.OrderCancelled{})
	of := func(id, customerID string) draft.DraftDetailsSet {
		return draft.DraftDetailsSet{DraftID: id, Details: draft.Details{CustomerID: customerID}}
	}
	b.record("draft-d1", draft.DraftOpened{DraftID: "d1"}, of("d1", "ada"))
	b.record("draft-d2", draft.DraftOpened{DraftID: "d2"}, of("d2", "ada"), of("d2", "bob"))
	b.record("draft-d3", draft.DraftOpened{DraftID: "d3"}, of("d3", "ada"), draft.DraftDiscarded{DraftID: "d3"})
	s := b.service()
	s.Fault = func(at string) error {
		if at == "retired" { // by who was let in before
			b.record("draft-d4", draft.DraftOpened{DraftID: "d4"}, of("d4", "ada"))
		}
		return nil
	}
	if state := b.run(s, customers.EraseKind); state.Status != job.Succeeded {
		t.Errorf("the job is %s %s", state.Status, state.Code)
	}
	if want := []string{"d1", "d4"}; !slices.Equal(b.forgotten, want) {
		t.Errorf("discarded %v, want %v", b.forgotten, want)
	}
}

func TestNobodyIsErasedWhileSomethingIsOpen(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before []domain.Event // of o1
		meanwhile,
		stream string
		late domain.Event
		open int
	}{
		"an order":                        {open: 1},
		"an order that was reopened":      {before: []domain.Event{order.OrderCompleted{}, order.OrderReopened{}}, open: 1},
		"an order placed this moment":     {before: []domain.Event{order.OrderCancelled{}}, meanwhile: "retired", stream: "order-o2", late: order.OrderPlaced{OrderID: "o2", CustomerID: "ada"}, open: 1},
		"a checkout begun this moment":    {before: []domain.Event{order.OrderCancelled{}}, meanwhile: "retired", stream: "checkout-c2", late: checkout.CheckoutStarted{CheckoutID: "c2", Request: checkout.Request{CustomerID: "ada"}}, open: 1},
		"nothing, but somebody else has":  {before: []domain.Event{order.OrderCancelled{}}, meanwhile: "retired", stream: "order-o2", late: order.OrderPlaced{OrderID: "o2", CustomerID: "bob"}},
		"nothing, the order is completed": {before: []domain.Event{order.OrderCompleted{}}},
	} {
		b := newBench(t)
		if len(row.before) > 0 {
			b.record("order-o1", row.before...)
		}
		s := b.service()
		s.Fault = func(at string) error {
			if at == row.meanwhile {
				b.record(row.stream, row.late)
			}
			return nil
		}
		state := b.run(s, customers.EraseKind)
		if row.open == 0 {
			if state.Status != job.Succeeded {
				t.Errorf("%s: %s %s", name, state.Status, state.Code)
			}
			continue
		}
		orders, checkouts, err := b.service().Open(t.Context(), "ada")
		if state.Code != "open-orders" || len(orders)+len(checkouts) != row.open || err != nil {
			t.Errorf("%s: %s %s, open %v %v, %v", name, state.Status, state.Code, orders, checkouts, err)
		}
		if err := b.service().Erasable(t.Context(), "ada"); !errors.Is(err, customer.ErrOpenOrders) {
			t.Errorf("%s: %v", name, err)
		}
		b.put("after") // fails the test unless the vault is open again
	}
}

// Of what was shipped before the rest was cancelled something may come back: for
// as long as of a completed order, from when it arrived.
func TestWhatWasShippedOfACancelledOrderMayComeBack(t *testing.T) {
	t.Parallel()
	lines := []order.Units{{LineID: "l1", Quantity: 1}}
	back := []order.ReceivedUnits{{LineID: "l1", Quantity: 1}}
	asked := order.OrderReturnRequested{OrderID: "o2", ReturnID: "r", Lines: []order.ReturnedUnits{{LineID: "l1", Quantity: 1, Reason: "late"}}, Kind: order.ForRefund}
	arrived := order.OrderDelivered{OrderID: "o2", ShipmentID: "s"}
	for name, row := range map[string]struct {
		then  []domain.Event
		later time.Duration
		open  bool
	}{
		"on its way":              {nil, 60 * 24 * time.Hour, true},
		"arrived":                 {[]domain.Event{arrived}, 0, true},
		"arrived a day ago":       {[]domain.Event{arrived}, 24 * time.Hour, true},
		"arrived long ago":        {[]domain.Event{arrived}, 3 * 24 * time.Hour, false},
		"a return is under way":   {[]domain.Event{arrived, asked}, 3 * 24 * time.Hour, true},
		"a return was rejected":   {[]domain.Event{arrived, asked, order.OrderReturnRejected{OrderID: "o2", ReturnID: "r", Reason: "worn"}}, 0, true},
		"all came back":           {[]domain.Event{arrived, asked, order.OrderReturnReceived{OrderID: "o2", ReturnID: "r", Lines: back}}, 0, false},
		"it is being paid back":   {[]domain.Event{arrived, order.OrderRefundRequested{OrderID: "o2", RefundID: "f"}}, 3 * 24 * time.Hour, true},
		"it was paid back by now": {[]domain.Event{arrived, order.OrderRefundRequested{OrderID: "o2", RefundID: "f"}, order.OrderRefunded{OrderID: "o2", RefundID: "f"}}, 3 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.record("order-o1", order.OrderCancelled{})
			b.record("order-o2",
				order.OrderPlaced{OrderID: "o2", CustomerID: "ada", ContactRef: "r1", PlacedAt: noon, Lines: []order.Line{{LineID: "l1", Quantity: 1}, {LineID: "l2", Quantity: 1}}},
				order.OrderShipped{OrderID: "o2", ShipmentID: "s", Lines: lines},
				order.OrderCancelRequested{OrderID: "o2", RequestID: "c"}, order.OrderCancelled{OrderID: "o2", Lines: []order.Units{{LineID: "l2", Quantity: 1}}},
			)
			if len(row.then) > 0 {
				b.record("order-o2", row.then...)
			}
			s := b.service()
			s.Returns = 2 * 24 * time.Hour
			s.Now = func() time.Time { return time.Now().Add(row.later) }
			state := b.run(s, customers.EraseKind)
			if open := state.Status == job.Failed && state.Code == "open-orders"; open != row.open || !open && state.Status != job.Succeeded {
				t.Errorf("the job is %s %s", state.Status, state.Code)
			}
		})
	}
}

// A long list of orders that are over all the same hides none that is not.
func TestAnOpenOrderIsFoundAmongManyThatWereShippedInPart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.record("order-o1", order.OrderCancelled{})
	for i := range 130 {
		id := fmt.Sprintf("p%03d", i)
		one, two := []order.Units{{LineID: "l1", Quantity: 1}}, []order.Units{{LineID: "l2", Quantity: 1}}
		events := []domain.Event{
			order.OrderPlaced{OrderID: id, CustomerID: "ada", PlacedAt: noon.Add(time.Duration(i) * time.Hour), Lines: []order.Line{{LineID: "l1", Quantity: 1}, {LineID: "l2", Quantity: 1}}},
			order.OrderShipped{OrderID: id, ShipmentID: "s", Lines: one},
			order.OrderDelivered{OrderID: id, ShipmentID: "s"},
		}
		if i < 120 {
			events = append(events, order.OrderCancelRequested{OrderID: id, RequestID: "c"}, order.OrderCancelled{OrderID: id, Lines: two})
		}
		b.record("order-"+id, events...)
	}
	b.waitFor("p129")
	service := b.service()
	service.Now = func() time.Time { return time.Now().Add(60 * 24 * time.Hour) }
	orders, _, err := service.Open(t.Context(), "ada")
	if err != nil || len(orders) != 10 || orders[0] != "p120" {
		t.Errorf("open: %v, %v", orders, err)
	}
}

// TestWhoWasLetInBeforeIsWaitedFor holds the mark back until the time that a
// request may take is over.
func TestWhoWasLetInBeforeIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.record("order-o1", order.OrderCancelRequested{}, order.OrderCancelled{})
	s := b.service()
	s.Settle = 200 * time.Millisecond
	var retired time.Time
	s.Fault = func(at string) error {
		switch at {
		case "retired":
			retired = time.Now()
			if err := b.vault.Put(t.Context(), "ada", "r9", contact{}); !errors.Is(err, vault.ErrRetired) {
				t.Errorf("somebody is let in: %v", err)
			}
		case "begun":
			if waited := time.Since(retired); waited < s.Settle-10*time.Millisecond {
				t.Errorf("waited %s only", waited)
			}
		}
		return nil
	}
	if state := b.run(s, customers.EraseKind); state.Status != job.Succeeded {
		t.Errorf("the job is %s", state.Status)
	}
}

func TestAnExportHasEverythingAndIsErasedWithTheRest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.service()
	if _, err := s.Register(t.Context(), eventstore.Metadata{CommandID: "register"}, "ada", contact{"ada@example.com", "Countess"}); err != nil {
		t.Fatal(err)
	}
	b.waitFor("o1")
	state := b.run(s, customers.ExportKind)
	exportID, _ := state.Result["export_id"].(string)
	document, err := s.Exported(t.Context(), "ada", exportID)
	if err != nil {
		t.Fatalf("%v, the job is %+v", err, state)
	}
	for _, part := range []string{"Ada Lovelace", "Countess", "ada@example.com", `"OrderPlaced"`, `"CustomerRegistered"`, `"o1"`} {
		if !strings.Contains(string(document), part) {
			t.Errorf("the export lacks %s: %s", part, document)
		}
	}
	if _, err := s.Exported(t.Context(), "ada", "r1"); !errors.Is(err, customer.ErrNotFound) {
		t.Errorf("what is no export is shown: %v", err)
	}
	b.record("order-o1", order.OrderCancelRequested{}, order.OrderCancelled{})
	if err := b.vault.Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exported(t.Context(), "ada", exportID); !errors.Is(err, customer.ErrErased) {
		t.Errorf("the export is still there: %v", err)
	}
	if _, err := s.Register(t.Context(), eventstore.Metadata{CommandID: "again"}, "ada", contact{}); !errors.Is(err, customer.ErrErased) {
		t.Errorf("registered after the erasure: %v", err)
	}
}

// waitFor returns when the read model has an order.
func (b *bench) waitFor(orderID string) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ids, err := b.list.Orders(b.t.Context(), "ada", 10); err != nil || slices.Contains(ids, orderID) {
			return
		}
	}
	b.t.Fatalf("%s is not in the read model", orderID)
}

func TestSomebodyUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.service().Get(t.Context(), "nobody"); !errors.Is(err, customer.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
