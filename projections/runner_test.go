package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/job"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// orderVanished stands for an event that only a newer program knows.
type orderVanished struct{}

func (orderVanished) EventName() string { return "OrderVanished" }

func client(t *testing.T, connection string, more ...domain.Event) *eventstore.Client {
	t.Helper()
	types := slices.Concat(order.EventTypes(), checkout.EventTypes(), payment.EventTypes(), process.EventTypes(), catalog.EventTypes(), stock.EventTypes(),
		customer.EventTypes(), draft.EventTypes(), job.EventTypes(), gatewaycallback.EventTypes(), domain.EventTypes(more...))
	return clientOf(t, connection, types...)
}

func clientOf(t *testing.T, connection string, types ...domain.EventType) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec(types...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := eventstore.NewClient(eventstore.Config{ConnectionString: connection, Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func add(t *testing.T, store eventstore.Store, stream string, correlation string, events ...domain.Event) {
	t.Helper()
	list := make([]eventstore.NewEvent, len(events))
	for i, e := range events {
		list[i] = eventstore.NewEvent{
			ID: eventstore.EventID(stream, correlation+e.EventName(), i), Event: e,
			Metadata: eventstore.Metadata{CorrelationID: correlation, TraceID: "t-" + correlation, Actor: eventstore.Actor{Type: "test", ID: "1"}},
		}
	}
	if _, err := store.Append(t.Context(), stream, eventstore.Any, list...); err != nil {
		t.Fatal(err)
	}
}

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// goBeside writes what happens beside the n-th order, see [beside].
func goBeside(t *testing.T, store eventstore.Store, n int) {
	t.Helper()
	for _, s := range beside(n) {
		add(t, store, s.stream, s.stream, s.event)
	}
}

// placeOrder writes everything that happens when the n-th order is placed.
func placeOrder(t *testing.T, store eventstore.Store, n int) {
	t.Helper()
	o, c, p := fmt.Sprint("o", n), fmt.Sprint("c", n), fmt.Sprint("p", n)
	sku := fmt.Sprint("MUG-", n%3)
	add(t, store, "checkout-"+c, c, checkout.CheckoutStarted{CheckoutID: c, OrderID: o, StartedAt: noon})
	add(t, store, "stock-main."+sku, c, stock.StockReserved{SKU: sku, Location: "main", ReservationID: c, Quantity: 2})
	add(t, store, "payment-"+p, c, payment.PaymentAuthorisationRequested{PaymentID: p, OrderID: o, Amount: eur(2500)}, payment.PaymentAuthorised{PaymentID: p, Amount: eur(2500)})
	add(t, store, "stock-main."+sku, c, stock.StockCommitted{SKU: sku, Location: "main", ReservationID: c, OrderID: o, Quantity: 2})
	add(t, store, "order-"+o, c, order.OrderPlaced{
		OrderID: o, Number: fmt.Sprint(1000 + n), CheckoutID: c, CustomerID: fmt.Sprint("customer-", n%2), Currency: "EUR",
		Lines:  []order.Line{{LineID: "1", SKU: sku, Title: "Mug", Quantity: 2, UnitPrice: eur(1250), Total: eur(2500)}},
		Totals: order.Totals{Subtotal: eur(2500), Grand: eur(2500)}, Authorised: eur(2500), PlacedAt: noon.Add(time.Duration(n) * time.Minute),
	})
	add(t, store, "checkout-"+c, c, checkout.CheckoutCompleted{CheckoutID: c, OrderID: o})
}

func open(t *testing.T, p projections.Projection, e databasetest.Engine, store eventstore.Store) *projections.Runner {
	t.Helper()
	return openRunner(t, p, projections.Config{
		Dir: e.Dir, Server: e.Server, Store: store, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
	})
}

// follow applies the log in pages until its end.
func follow(t *testing.T, r *projections.Runner, c *eventstore.Client, from eventstore.Position, size int) {
	t.Helper()
	feed := c.Feed(eventstore.FeedConfig{Prefixes: r.Prefixes(), From: from, PageSize: size})
	defer feed.Close()
	for {
		page, err := feed.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Apply(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		if page.Live {
			return
		}
	}
}

// dump returns every row of a read model's own tables.
func dump(t *testing.T, db *sql.DB) []string {
	t.Helper()
	var all []string
	for _, name := range tablesOf(t, db) {
		if name != "checkpoint" && name != "blocked_streams" {
			all = append(all, dumpTable(t, db, name)...)
		}
	}
	slices.Sort(all)
	return all
}

func dumpTable(t *testing.T, db *sql.DB, name string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		line := name
		for _, value := range values {
			line += fmt.Sprintf("|%v", *value.(*any))
		}
		all = append(all, line)
	}
	return all
}

func TestPagesOfAnySizeRepeatedAndAcrossRestartsGiveTheSameRows(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		add(t, c, "stock-main.MUG-1", "r", stock.StockItemRegistered{SKU: "MUG-1", Location: "main"}, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 50})
		add(t, c, "product-MUG-1", "p", catalog.ProductRegistered{SKU: "MUG-1", Title: "Mug"}, catalog.ProductWithdrawn{SKU: "MUG-1"}, catalog.ProductRelisted{SKU: "MUG-1"})
		for n := range 20 {
			placeOrder(t, c, n)
		}
		for n := range 3 {
			goBeside(t, c, n)
		}
		add(t, c, "checkout-open", "open", checkout.CheckoutStarted{CheckoutID: "open", OrderID: "never", StartedAt: noon})
		for _, p := range everyProjection() {
			t.Run(p.Name(), func(t *testing.T) {
				t.Parallel()
				whole := open(t, p, e.Another(t), c)
				follow(t, whole, c, 0, 512)
				want := dump(t, whole.Read())
				if len(want) == 0 {
					t.Fatal("no rows")
				}
				for _, size := range []int{1, 7} {
					dir := e.Another(t)
					r := open(t, p, dir, c)
					follow(t, r, c, 0, size)
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
					r = open(t, p, dir, c) // everything comes again
					follow(t, r, c, 0, size)
					if diff := cmp.Diff(want, dump(t, r.Read())); diff != "" {
						t.Errorf("pages of %d (-want +got):\n%s", size, diff)
					}
					if r.Position() != whole.Position() {
						t.Errorf("pages of %d: position %d, want %d", size, r.Position(), whole.Position())
					}
					_ = r.Close()
				}
				_ = whole.Close()
			})
		}
	})
}

func TestAnEventThatCannotBeAppliedBlocksItsStreamOnlyUntilItIsRepaired(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		connection := nodetest.Start(t)
		newer, older := client(t, connection, orderVanished{}), client(t, connection)
		add(t, newer, "order-bad", "x", orderVanished{})
		placeOrder(t, newer, 1)
		dir := e.Another(t)
		r := open(t, projections.Orders{}, dir, older)
		follow(t, r, older, 0, 512)
		blocked, err := r.Blocked(t.Context())
		if err != nil || len(blocked) != 1 || blocked[0].Stream != "order-bad" || !strings.Contains(blocked[0].Error, "OrderVanished") {
			t.Fatalf("blocked: %+v, %v", blocked, err)
		}
		if n := len(dump(t, r.Read())); n != 2 {
			t.Errorf("%d rows of the other order, want 2", n)
		}
		// A stream that stays blocked holds back its own later events and no page.
		add(t, newer, "order-bad", "later", order.OrderPlaced{OrderID: "bad", Number: "1", PlacedAt: noon})
		follow(t, r, older, r.Position(), 512)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		// The repair is a program that knows the event; the restart tries at once.
		repaired := open(t, tolerant{}, dir, newer)
		defer func() { _ = repaired.Close() }()
		if err := repaired.Retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		if blocked, err := repaired.Blocked(t.Context()); err != nil || len(blocked) != 0 {
			t.Errorf("still blocked: %+v, %v", blocked, err)
		}
		if _, err := (projections.OrderQueries{DB: repaired.Read()}).Get(t.Context(), "bad"); err != nil {
			t.Errorf("the event that waited was not applied: %v", err)
		}
	})
}

// tolerant is the list of orders of a program that knows orderVanished.
type tolerant struct {
	projections.Orders
	oneByOne //nolint:unused // see there
}

func (p tolerant) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	if r.Type == (orderVanished{}).EventName() {
		return nil
	}
	return p.Orders.Apply(ctx, tx, r)
}

func TestAFailedRetryIsPostponedAndKeepsNothingOfWhatItDid(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		connection := nodetest.Start(t)
		newer, older := client(t, connection, orderVanished{}), client(t, connection)
		add(t, newer, "order-bad", "x", orderVanished{})
		r := open(t, projections.Orders{}, e.Another(t), older)
		defer func() { _ = r.Close() }()
		follow(t, r, older, 0, 512)
		for range 2 {
			if err := r.Retry(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		blocked, err := r.Blocked(t.Context())
		if err != nil || len(blocked) != 1 {
			t.Fatalf("blocked: %v, %v", blocked, err)
		}
		if !blocked[0].DueAt.After(noon) {
			t.Errorf("due at %s, want later than %s", blocked[0].DueAt, noon)
		}
	})
}

func TestWaitForReturnsWhenTheReadModelIsThere(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		r := open(t, projections.Orders{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.WaitFor(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- r.WaitFor(t.Context(), 5) }()
		if err := r.Apply(t.Context(), eventstore.Page{Through: 5}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// panicking is the list of orders of a program with a fault.
type panicking struct {
	projections.Orders
	oneByOne //nolint:unused // see there
}

func (p panicking) Apply(ctx context.Context, tx *projections.Tx, r eventstore.Recorded) error {
	if r.Stream == "order-o1" {
		panic("fault")
	}
	return p.Orders.Apply(ctx, tx, r)
}

func TestAPanicBlocksItsStreamOnly(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t))
		placeOrder(t, c, 1)
		placeOrder(t, c, 2)
		r := open(t, panicking{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		blocked, err := r.Blocked(t.Context())
		if err != nil || len(blocked) != 1 || blocked[0].Stream != "order-o1" || !strings.Contains(blocked[0].Error, "fault") {
			t.Errorf("blocked: %+v, %v", blocked, err)
		}
		if _, err := (projections.OrderQueries{DB: r.Read()}).Get(t.Context(), "o2"); err != nil {
			t.Errorf("the other order: %v", err)
		}
	})
}
