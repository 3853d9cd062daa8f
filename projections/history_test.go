package projections_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

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
	"github.com/waybill-dev/waybill/projections"
)

var historyStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// history is a log made by hand. It is the [eventstore.Store] of the runners
// that read it.
type history struct {
	tb     testing.TB
	codec  *eventstore.Codec
	events []eventstore.Recorded
	next   map[string]eventstore.Revision
}

func newHistory(tb testing.TB) *history {
	tb.Helper()
	types := stock.EventTypes()
	for _, more := range [][]domain.EventType{
		order.EventTypes(), checkout.EventTypes(), payment.EventTypes(), process.EventTypes(),
		customer.EventTypes(), job.EventTypes(), gatewaycallback.EventTypes(), catalog.EventTypes(), draft.EventTypes(),
	} {
		types = append(types, more...)
	}
	codec, err := eventstore.NewCodec(types...)
	if err != nil {
		tb.Fatal(err)
	}
	return &history{tb: tb, codec: codec, next: map[string]eventstore.Revision{}}
}

// record puts an event at the end of the log, with gaps between positions.
func (h *history) record(stream, correlation string, event domain.Event) {
	h.tb.Helper()
	data, err := json.Marshal(event)
	if err != nil {
		h.tb.Fatal(err)
	}
	n := len(h.events) + 1
	meta := fmt.Appendf(nil, `{"$correlationId":%q,"$traceId":"t-%s","traceparent":"p-%d","schema":1}`, correlation, correlation, n)
	h.events = append(h.events, h.codec.Bind(eventstore.Recorded{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %d", stream, n)), Stream: stream, Revision: h.next[stream],
		Position: eventstore.Position(n * 100), Type: event.EventName(), Created: historyStart.Add(time.Duration(n) * time.Millisecond),
		Data: data, RawMetadata: meta,
	}))
	h.next[stream]++
}

func (h *history) Append(context.Context, string, eventstore.Revision, ...eventstore.NewEvent) (eventstore.Appended, error) {
	return eventstore.Appended{}, fmt.Errorf("a projection causes nothing")
}

func (h *history) ReadStream(_ context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for _, e := range h.events {
			if e.Stream == stream && e.Revision >= from && !yield(e, nil) {
				return
			}
		}
	}
}

// page returns the events of a projection among those from a to b.
func (h *history) page(p projections.Projection, a, b int) eventstore.Page {
	b = min(b, len(h.events))
	page := eventstore.Page{Through: h.events[b-1].Position}
	for _, e := range h.events[a:b] {
		for _, prefix := range p.Prefixes() {
			if strings.HasPrefix(e.Stream, prefix) {
				page.Events = append(page.Events, e)
				break
			}
		}
	}
	return page
}

func (h *history) open(p projections.Projection, e databasetest.Engine) *projections.Runner {
	h.tb.Helper()
	return openRunner(h.tb, p, projections.Config{
		Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return historyStart },
	})
}

// openRunner opens a read model that belongs to this process until the end of
// the test.
func openRunner(tb testing.TB, p projections.Projection, cfg projections.Config) *projections.Runner {
	tb.Helper()
	cfg.Owner = "test"
	r, err := projections.Open(tb.Context(), p, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if cfg.Server != nil {
		ctx, cancel := context.WithCancel(tb.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = r.Run(ctx) })
		tb.Cleanup(func() { cancel(); running.Wait() })
		if _, err := r.Checkpoint(tb.Context()); err != nil { // which waits until it is ours
			tb.Fatal(err)
		}
	}
	return r
}

// trade writes what n checkouts leave behind, interleaved as they happen to be.
func (h *history) trade(seed uint64, n int) {
	random := rand.New(rand.NewPCG(seed, 1))
	for _, sku := range []string{"A", "B"} {
		h.record("product-"+sku, sku, catalog.ProductRegistered{SKU: sku, Title: "A white hanging heart", Prices: []catalog.Price{{Money: domain.Money{Amount: 1250, Currency: "EUR"}}}})
	}
	h.record("stock-main.A", "receipt", stock.StockReceived{SKU: "A", Location: "main", Quantity: 1_000_000})
	h.record("stock-main.B", "receipt", stock.StockReceived{SKU: "B", Location: "main", Quantity: 1_000_000})
	var running [][]func()
	for i := range n {
		running = append(running, h.checkout(fmt.Sprint(i), random), h.beside(i))
	}
	for len(running) > 0 {
		i := random.IntN(min(len(running), 8))
		running[i][0]()
		if running[i] = running[i][1:]; len(running[i]) == 0 {
			running = append(running[:i], running[i+1:]...)
		}
	}
}

// beside returns the steps of [beside], each of which records.
func (h *history) beside(n int) (steps []func()) {
	for _, s := range beside(n) {
		steps = append(steps, func() { h.record(s.stream, s.stream, s.event) })
	}
	return steps
}

// checkout returns the steps of one checkout, each of which records.
func (h *history) checkout(id string, random *rand.Rand) []func() {
	sku, quantity := string("AB"[random.IntN(2)]), 1+random.IntN(3)
	c, o, p, s, r := "c"+id, "o"+id, "p"+id, "stock-main."+sku, "r"+id
	record := func(stream string, event domain.Event) func() { return func() { h.record(stream, c, event) } }
	steps := []func(){
		record("product-"+sku, catalog.PriceChanged{SKU: sku, Price: catalog.Price{Money: domain.Money{Amount: int64(len(id)), Currency: "EUR"}, Region: id}}),
		record("product-"+sku, []domain.Event{catalog.ProductWithdrawn{SKU: sku}, catalog.ProductRelisted{SKU: sku}, catalog.ProductTitleChanged{SKU: sku, Title: o}}[quantity-1]),
		record("checkout-"+c, checkout.CheckoutStarted{CheckoutID: c, OrderID: o, StartedAt: historyStart}),
		record(s, stock.StockReserved{SKU: sku, Location: "main", ReservationID: r, CheckoutID: c, Quantity: quantity}),
		record("checkout-"+c, checkout.CheckoutStockReserved{CheckoutID: c}),
		record("checkout-"+c, checkout.CheckoutPaymentRequested{CheckoutID: c, PaymentID: p, Attempt: 1}),
		record("payment-"+p, payment.PaymentAuthorisationRequested{PaymentID: p, OrderID: o, Method: "sandbox:approved"}),
	}
	switch random.IntN(6) {
	case 0: // nothing more is known of it
		return steps
	case 1:
		return append(steps,
			record("payment-"+p, payment.PaymentDeclined{PaymentID: p, Code: "card-declined"}),
			record("checkout-"+c, checkout.CheckoutPaymentDeclined{CheckoutID: c, Code: "card-declined", RetryUntil: historyStart.Add(5 * time.Minute)}),
			record(s, stock.StockReservationReleased{SKU: sku, Location: "main", ReservationID: r, Quantity: quantity, Reason: stock.Declined}),
			record("checkout-"+c, checkout.CheckoutFailed{CheckoutID: c, Reason: "payment-declined"}))
	}
	return append(steps,
		record("payment-"+p, payment.PaymentAuthorised{PaymentID: p, Amount: domain.Money{Amount: 1, Currency: "EUR"}, ExpiresAt: historyStart.Add(7 * 24 * time.Hour)}),
		record("checkout-"+c, checkout.CheckoutPaymentAuthorised{CheckoutID: c, PaymentID: p}),
		record(s, stock.StockCommitted{SKU: sku, Location: "main", ReservationID: r, OrderID: o, Quantity: quantity}),
		record("order-"+o, placed(o, id, sku, quantity)),
		record("checkout-"+c, checkout.CheckoutCompleted{CheckoutID: c, OrderID: o}),
		record("order-"+o, order.OrderShipped{OrderID: o, ShipmentID: "s" + id}),
		record("payment-"+p, payment.PaymentCaptureRequested{PaymentID: p, CaptureID: "m" + id, Final: random.IntN(2) == 0}),
		record("payment-"+p, payment.PaymentCaptured{PaymentID: p, CaptureID: "m" + id, Amount: domain.Money{Amount: 1, Currency: "EUR"}}),
		record("order-"+o, order.OrderDelivered{OrderID: o, ShipmentID: "s" + id, At: historyStart}),
		record("order-"+o, order.OrderReturnRequested{OrderID: o, ReturnID: "b" + id, Kind: order.ForRefund, Lines: []order.ReturnedUnits{{LineID: "1", Quantity: 1}}}),
		record("order-"+o, order.OrderReturnReceived{OrderID: o, ReturnID: "b" + id, Lines: []order.ReceivedUnits{{LineID: "1", Quantity: 1}}}),
		func() { h.process(o, p, id, random) })[:len(steps)+5+random.IntN(8)]
}

// process closes what the history of an order opened, or not.
func (h *history) process(o, p, id string, random *rand.Rand) {
	for _, task := range []process.Task{{Kind: process.Capture, Ref: "s" + id}, {Kind: process.CopyPayment, Ref: p}, {Kind: process.Complete, Ref: "order"}} {
		if opened := h.events[random.IntN(len(h.events))]; random.IntN(3) > 0 {
			task.OpenedBy = opened.ID.String()
		}
		for _, e := range h.events {
			if task.OpenedBy == "" && (e.Stream == "order-"+o && task.Kind != process.CopyPayment || e.Stream == "payment-"+p) {
				task.OpenedBy = e.ID.String()
			}
		}
		if random.IntN(2) == 0 {
			h.record("orderpm-"+o, o, process.ProcessTaskFailed{OrderID: o, Task: task, Attempt: 1, Cause: "late", RetryAt: historyStart})
		}
		h.record("orderpm-"+o, o, process.ProcessTaskDone{OrderID: o, Task: task})
	}
}

func placed(id, number, sku string, lines int) order.OrderPlaced {
	price := domain.Money{Amount: 1250, Currency: "EUR"}
	e := order.OrderPlaced{
		OrderID: id, Number: number, CheckoutID: "c", CustomerID: "customer", Currency: "EUR", PlacedAt: historyStart,
		Totals: order.Totals{Subtotal: price, Grand: price, Discount: price, Shipping: price, Tax: price}, Authorised: price, PaymentID: "p",
	}
	for i := range lines {
		e.Lines = append(e.Lines, order.Line{
			LineID: fmt.Sprint(i + 1), SKU: sku, Title: "A white hanging heart", Quantity: 2, UnitPrice: price, Total: price,
			Discount: price, Tax: price, Location: "main", ReservationID: "r" + id,
		})
	}
	return e
}

// tablesOf returns the tables of a read model and its checkpoint.
func tablesOf(tb testing.TB, db *sql.DB) (tables []string) {
	tb.Helper()
	// Words are in tables of FTS5's own, which are cut as they happen to be written.
	all := `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name`
	if _, err := db.ExecContext(tb.Context(), `SELECT current_schema()`); err == nil {
		all = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	for _, row := range query(tb, db, all) {
		if name := row[0]; !strings.HasPrefix(name, "goose") && !strings.HasPrefix(name, "sqlite") && !slices.Contains([]string{"leases", "partitions", "workers", "barrier"}, name) {
			tables = append(tables, name)
		}
	}
	return tables
}

// snapshot returns every row of every table but goose's own.
func snapshot(tb testing.TB, db *sql.DB) (rows []string) {
	tb.Helper()
	for _, table := range tablesOf(tb, db) {
		for _, row := range query(tb, db, "SELECT * FROM "+table) {
			rows = append(rows, table+": "+strings.Join(row, "|"))
		}
	}
	slices.Sort(rows)
	return rows
}

// orNull scans a value as a text, also one that is not there.
type orNull struct{ into *string }

func (n orNull) Scan(value any) error {
	var text sql.NullString
	if err := text.Scan(value); err != nil {
		return err
	}
	if *n.into = text.String; !text.Valid {
		*n.into = "NULL"
	}
	return nil
}

func query(tb testing.TB, db *sql.DB, text string, args ...any) (all [][]string) {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), text, args...)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, _ := rows.Columns()
	for rows.Next() {
		values, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = orNull{&values[i]}
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		all = append(all, values)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

// alone is a projection that applies one event after the other.
type alone struct{ projections.Projection }

// However the log is cut into pages, whatever comes twice, and however often
// the program is started anew: the rows are the same.
func TestTheRowsDoNotDependOnPagesRepeatsAndRestarts(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		h.trade(7, 25)
		for _, p := range everyProjection() {
			t.Run(p.Name(), func(t *testing.T) {
				t.Parallel()
				want := h.replay(t, e, alone{p}, len(h.events), 0)
				if len(want) < 3 {
					t.Fatalf("%d rows are made", len(want))
				}
				for _, size := range []int{1, 7, 512} {
					if diff := cmp.Diff(want, h.replay(t, e, p, size, 0)); diff != "" {
						t.Errorf("pages of %d (-want +got):\n%s", size, diff)
					}
					if diff := cmp.Diff(want, h.replay(t, e, p, size, 5)); diff != "" {
						t.Errorf("pages of %d with repeats and restarts (-want +got):\n%s", size, diff)
					}
				}
			})
		}
	})
}

// replay fills a new file and reads it. Every page begins with some events of
// the one before; every fifth is given twice, and then the file opened anew.
func (h *history) replay(t *testing.T, e databasetest.Engine, p projections.Projection, size, overlap int) []string {
	t.Helper()
	e = e.Another(t)
	h = &history{tb: t, codec: h.codec, events: h.events}
	r := h.open(p, e)
	for i := 0; i < len(h.events); i += size {
		page := h.page(p, max(i-overlap, 0), i+size)
		for range 1 + overlap*i/size%2 {
			if err := r.Apply(t.Context(), page); err != nil {
				t.Fatal(err)
			}
		}
		if overlap > 0 && i/size%5 == 4 {
			_ = r.Close()
			r = h.open(p, e)
		}
	}
	defer func() { _ = r.Close() }()
	return snapshot(t, r.Read())
}

// oneByOne takes ApplyPage away from a projection that it is embedded beside, so
// that another Apply counts: of two methods of one name neither is there.
type oneByOne struct{} //nolint:unused // it takes away by being there

func (oneByOne) ApplyPage() {} //nolint:unused // see above
