package fulfilment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/gateways/warehouse"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// impatient is how long to wait for answers that come too late.
const impatient = 300 * time.Millisecond

// world is what outlives a process: the log and the gateway. Its clock is the
// gateway's too.
type world struct {
	store   eventstore.Store
	node    string // its address
	sandbox *sandbox.Server
	passed  atomic.Int64
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{node: nodetest.Start(tb)}
	w.store = handlertest.Connect(tb, w.node)
	var err error
	w.sandbox, err = sandbox.Listen(tb.Context(), "127.0.0.1:0", sandbox.Config{
		Ledger: filepath.Join(tb.TempDir(), "ledger.db"), Delay: time.Minute, Now: w.now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.sandbox.Stop(context.WithoutCancel(tb.Context())) })
	return w
}

func (w *world) now() time.Time          { return noon.Add(time.Duration(w.passed.Load())) }
func (w *world) advance(d time.Duration) { w.passed.Add(int64(d)) }

// gateways are those there are.
type gateways map[string]payment.Provider

func (g gateways) Provider(name string) (payment.Provider, error) {
	if p, known := g[name]; known {
		return p, nil
	}
	return nil, fmt.Errorf("no gateway is named %q", name)
}

// shop is what one process has.
type shop struct {
	*fulfilment.Service
	world  *world
	writer *stock.Writer
	also   []process.Task // what is to be done beside what events have opened
	sells  []string       // SKUs that are sent for others, by checkouts of its own
	sent   map[string]int // units of replacements, by SKU
	pays   bool           // somebody pays by hand, by a method
	method string
}

func (w *world) shop(tb testing.TB) *shop {
	tb.Helper()
	items, err := stock.NewWriter(stock.Config{Store: w.store, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	client := sandbox.NewClient(w.sandbox.URL(), impatient)
	tb.Cleanup(client.Close)
	return &shop{world: w, writer: items, Service: &fulfilment.Service{
		Store: w.store, Stock: items, Gateways: gateways{"sandbox": client}, Warehouse: warehouse.Manual{}, Now: w.now,
	}}
}

// again is another process, after this one was killed.
func (s *shop) again(tb testing.TB) *shop {
	tb.Helper()
	next := s.world.shop(tb)
	next.Warehouse, next.Gateways, next.Replacements, next.also = s.Warehouse, s.Gateways, s.Replacements, s.also
	next.pays, next.method = s.pays, s.method
	if len(s.sells) > 0 {
		next.exchanges(tb, s.sells...)
	}
	return next
}

func meta(parts ...string) eventstore.Metadata {
	return eventstore.Metadata{CommandID: strings.Join(parts, "/")}
}

// cart is an order that is to be placed.
type cart struct {
	id, method string
	quantities []int // of a line each
	totals     []int64
	shipping   int64
	oneSKU     bool // all lines are of one SKU, and share a reservation
	received   int  // of each SKU
	contactRef string
	guest      bool // has no customer
	currency   string
}

// basic is 3 mugs for 10.00 and 2 bowls for 5.01, with shipping 4.00: 19.01.
func basic(id string) cart {
	return cart{id: id, method: "sandbox:approved", quantities: []int{3, 2}, totals: []int64{1000, 501}, shipping: 400, received: 10}
}

func (c cart) sku(i int) string {
	if c.oneSKU {
		i = 0
	}
	return fmt.Sprintf("%s-%d", c.id, i)
}

// place sets stock aside, authorises a payment and places the order, as the
// checkout does.
func (s *shop) place(tb testing.TB, c cart) domainorder.State {
	tb.Helper()
	o := domainorder.OrderPlaced{
		OrderID: c.id, Number: "1", CheckoutID: "c-" + c.id, CustomerID: "u", ContactRef: c.contactRef, Currency: "EUR", PaymentID: "p1-" + c.id, PlacedAt: s.Now(),
		Shipping: domainorder.Shipping{Method: "post", Price: eur(c.shipping), Tax: eur(0)},
		Totals:   domainorder.Totals{Discount: eur(0), Shipping: eur(c.shipping), Tax: eur(0)},
	}
	if c.guest {
		o.CustomerID = ""
	}
	units := map[string]int{}
	for i, n := range c.quantities {
		// The unit price is rounded up, and the discount takes the difference.
		unit := (c.totals[i] + int64(n) - 1) / int64(n)
		o.Lines = append(o.Lines, domainorder.Line{
			LineID: fmt.Sprint("l", i), SKU: c.sku(i), Title: "Mug", Quantity: n, UnitPrice: eur(unit), Discount: eur(unit*int64(n) - c.totals[i]), Tax: eur(0),
			Total: eur(c.totals[i]), Location: "main", ReservationID: "r-" + c.sku(i),
		})
		o.Totals.Subtotal = eur(o.Totals.Subtotal.Amount + unit*int64(n))
		o.Totals.Discount = eur(o.Totals.Discount.Amount + unit*int64(n) - c.totals[i])
		units[c.sku(i)] += n
	}
	o.Totals.Grand = eur(o.Totals.Subtotal.Amount - o.Totals.Discount.Amount + c.shipping)
	o.Authorised = o.Totals.Grand
	if c.currency != "" {
		o = in(tb, o, c.currency)
	}
	for sku, n := range units {
		item := stock.Item{Location: "main", SKU: sku}
		for _, command := range []domainstock.Command{
			domainstock.Receive{Location: "main", SKU: sku, Quantity: c.received, Ref: "delivery"},
			domainstock.Reserve{Location: "main", SKU: sku, ReservationID: "r-" + sku, CheckoutID: o.CheckoutID, Quantity: n, ExpiresAt: noon.Add(time.Hour), At: noon},
			domainstock.Commit{ReservationID: "r-" + sku, OrderID: c.id, At: noon},
		} {
			if _, err := s.writer.Handle(tb.Context(), meta(fmt.Sprintf("%T", command), sku), item, command); err != nil {
				tb.Fatal(err)
			}
		}
	}
	s.pay(tb, o.PaymentID, domainpayment.Request{
		PaymentID: o.PaymentID, OrderID: c.id, Amount: o.Authorised, Method: c.method, Gateway: "sandbox", Key: o.PaymentID, At: s.Now(),
	})
	g, err := s.Gateways.Provider("sandbox")
	if err != nil {
		tb.Fatal(err)
	}
	a, err := g.Authorise(tb.Context(), payment.Authorise{Key: o.PaymentID, Amount: o.Authorised, Method: c.method})
	for attempt := 0; err != nil && attempt < 100; attempt++ { // the machine is slow
		a, err = g.Authorise(tb.Context(), payment.Authorise{Key: o.PaymentID, Amount: o.Authorised, Method: c.method})
	}
	if err != nil {
		tb.Fatal(err)
	}
	s.pay(tb, o.PaymentID, domainpayment.Authorise{GatewayRef: a.Ref, Amount: a.Amount, ExpiresAt: a.ExpiresAt})
	return s.tell(tb, c.id, domainorder.Place{Order: o})
}

// in is an order in another currency than euros.
func in(tb testing.TB, o domainorder.OrderPlaced, currency string) (other domainorder.OrderPlaced) {
	tb.Helper()
	written, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(bytes.ReplaceAll(written, []byte(`"EUR"`), []byte(`"`+currency+`"`)), &other)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return other
}

func (s *shop) try(ctx context.Context, id string, c domainorder.Command) (domainorder.State, error) {
	h := handlers.CommandHandler[domainorder.State, domainorder.Command, domainorder.Event]{Store: s.Store, Decider: domainorder.Decider}
	result, err := h.Handle(ctx, id, meta("test", fmt.Sprintf("%T%+v", c, c)), c)
	return result.State, err
}

// tell lets an order decide a command.
func (s *shop) tell(tb testing.TB, id string, c domainorder.Command) domainorder.State {
	tb.Helper()
	state, err := s.try(tb.Context(), id, c)
	if err != nil {
		tb.Fatalf("%T: %v", c, err)
	}
	return state
}

func (s *shop) pay(tb testing.TB, id string, c domainpayment.Command) domainpayment.State {
	tb.Helper()
	h := handlers.CommandHandler[domainpayment.State, domainpayment.Command, domainpayment.Event]{Store: s.Store, Decider: domainpayment.Decider}
	result, err := h.Handle(tb.Context(), id, meta("test", fmt.Sprintf("%T%+v", c, c)), c)
	if err != nil {
		tb.Fatalf("%T: %v", c, err)
	}
	return result.State
}

func (s *shop) order(tb testing.TB, id string) domainorder.State {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), s.Store, domainorder.Decider, id)
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

// replacement is the id of the order that a return was exchanged for.
func (s *shop) replacement(tb testing.TB, key string) string {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), s.Store, domaincheckout.Decider, checkout.ID("exchange", key))
	if err != nil || state.OrderID == "" {
		tb.Fatalf("exchange %s has order %q: %v", key, state.OrderID, err)
	}
	return state.OrderID
}

func (s *shop) payment(tb testing.TB, id string) domainpayment.State {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), s.Store, domainpayment.Decider, id)
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

func (s *shop) item(tb testing.TB, sku string) domainstock.State {
	tb.Helper()
	state, _, err := eventstore.Load(tb.Context(), s.Store, domainstock.Decider, domainstock.ID("main", sku))
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

// do does one task.
func (s *shop) do(ctx context.Context, id string, kind process.Kind, ref string) error {
	return s.Handlers()[kind](ctx, process.Task{OrderID: id, Kind: kind, Ref: ref, Cause: "cause", OpenedAt: s.openedAt()})
}

// openedAt is when tasks were opened: the clock of a test begins then.
func (s *shop) openedAt() time.Time { return noon }

func (s *shop) must(tb testing.TB, id string, kind process.Kind, ref string) {
	tb.Helper()
	if err := s.do(tb.Context(), id, kind, ref); err != nil {
		tb.Fatalf("%s %s: %v", kind, ref, err)
	}
}

// eventually does one task, more than once if it must.
func (s *shop) eventually(tb testing.TB, id string, kind process.Kind, ref string) {
	tb.Helper()
	for range 100 { // the machine may be slow
		if s.do(tb.Context(), id, kind, ref) == nil {
			return
		}
	}
	s.must(tb, id, kind, ref)
}

func units(quantities ...int) (all []domainorder.Units) {
	for i, n := range quantities {
		if n > 0 {
			all = append(all, domainorder.Units{LineID: fmt.Sprint("l", i), Quantity: n})
		}
	}
	return all
}

func (s *shop) parcel(tb testing.TB, id, shipment string, quantities ...int) {
	tb.Helper()
	s.tell(tb, id, domainorder.Ship{ShipmentID: shipment, Lines: units(quantities...), At: noon})
}

// comeBack has units returned and received.
func (s *shop) comeBack(tb testing.TB, id, name string, kind domainorder.ReturnKind, quantities ...int) {
	tb.Helper()
	var asked []domainorder.ReturnedUnits
	var came []domainorder.ReceivedUnits
	for _, u := range units(quantities...) {
		asked = append(asked, domainorder.ReturnedUnits{LineID: u.LineID, Quantity: u.Quantity, Reason: "late"})
		came = append(came, domainorder.ReceivedUnits{LineID: u.LineID, Quantity: u.Quantity, Restock: true})
	}
	s.tell(tb, id, domainorder.RequestReturn{ReturnID: name, Lines: asked, Kind: kind})
	s.tell(tb, id, domainorder.ReceiveReturn{ReturnID: name, Lines: came})
}

// todo lists the tasks that an order's and its payments' events have opened,
// whether they are done or not: doing one again is harmless.
func (s *shop) todo(tb testing.TB, id string) (all []process.Task) {
	tb.Helper()
	o := s.order(tb, id)
	add := func(kind process.Kind, ref string) {
		all = append(all, process.Task{OrderID: id, Kind: kind, Ref: ref, Cause: "cause", OpenedAt: noon})
	}
	for _, r := range o.Requests {
		add(process.Fulfil, r.RequestID)
	}
	for _, p := range o.Shipments {
		add(process.Capture, p.Shipped.ShipmentID)
		add(process.ShipStock, p.Shipped.ShipmentID)
	}
	for _, c := range o.CancelRequests {
		add(process.Cancel, c.RequestID)
	}
	for _, r := range o.Returns {
		add(process.Return, r.Requested.ReturnID)
	}
	for _, r := range o.Refunds {
		add(process.Refund, r.Requested.RefundID)
	}
	for key := range s.chain(tb, o) {
		p := s.payment(tb, key)
		for _, m := range slices.Concat(p.Captures, p.Refunds) {
			add(process.Movement, key+"/"+m.ID)
		}
		add(process.CopyPayment, key)
		if p.ByHand {
			add(process.Pay, key)
		}
	}
	for _, e := range o.Edits { // captures open them again
		add(process.Edit, e.EditID)
	}
	return append(all, s.also...)
}

// chain is the payments of an order.
func (s *shop) chain(tb testing.TB, o domainorder.State) map[string]domainpayment.State {
	tb.Helper()
	all := map[string]domainpayment.State{}
	for id := o.PaymentID; ; id = eventstore.DeriveID("next payment", id) {
		p := s.payment(tb, id)
		if p.Status == "" {
			return all
		}
		all[id] = p
	}
}

// work does all tasks until nothing fails and nothing waits, and reports
// whether that came about. Meanwhile the clock goes on.
func (s *shop) work(tb testing.TB, id string) error {
	tb.Helper()
	var last error
	for range 20 {
		last = nil
		for _, t := range s.todo(tb, id) {
			if err := s.Handlers()[t.Kind](tb.Context(), t); err != nil {
				last = errors.Join(last, fmt.Errorf("%s %s: %w", t.Kind, t.Ref, err))
			}
		}
		if last == nil {
			return nil
		}
		if len(s.sells) > 0 { // another process may be at a checkout for a while
			s.world.advance(5 * time.Second)
		}
		if s.pays { // a shopper is waited for
			s.world.advance(time.Minute)
		}
	}
	return last
}

// agree checks that the gateway's ledger, the payments and the order say the
// same about the money, and that the stock adds up.
func (s *shop) agree(tb testing.TB, c cart) {
	tb.Helper()
	if err := s.world.sandbox.Audit(tb.Context()); err != nil {
		tb.Error(err)
	}
	o := s.order(tb, c.id)
	for id := range s.chain(tb, o) { // as a sweeper does
		s.kept(tb, "answer", id)
		s.kept(tb, "unseen", id)
	}
	entries, err := s.world.sandbox.Entries(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var captured, refunded int64
	for id, p := range s.chain(tb, o) {
		i := slices.IndexFunc(entries, func(e sandbox.Entry) bool { return e.Key == id })
		if i < 0 {
			if p.Status == domainpayment.StatusAuthorised {
				tb.Errorf("the gateway knows nothing of %s", id)
			}
			continue
		}
		e := entries[i]
		if e.Captured != p.Captured().Amount || e.Refunded != p.Refunded().Amount {
			tb.Errorf("%s: the gateway has %d captured, %d refunded, the payment %s, %s", id, e.Captured, e.Refunded, p.Captured(), p.Refunded())
		}
		if holds := e.Status == "authorised" && !e.Final && e.Captured < e.Amount; holds != (p.Capturable().Amount > 0) {
			tb.Errorf("%s: the gateway is %s, %d of %d captured; the payment %s has %s", id, e.Status, e.Captured, e.Amount, p.Status, p.Capturable())
		}
		captured += e.Captured
		refunded += e.Refunded
	}
	if m := o.Money(); m.Captured.Amount != captured || m.Refunded.Amount != refunded {
		tb.Errorf("the order has %s captured, %s refunded; the gateway %d, %d", m.Captured, m.Refunded, captured, refunded)
	}
	s.agreeStock(tb, c, o)
}

func (s *shop) agreeStock(tb testing.TB, c cart, o domainorder.State) {
	tb.Helper()
	onHand, committed := map[string]int{}, map[string]int{}
	for _, l := range o.Placed.Lines {
		onHand[l.SKU], committed[l.SKU] = c.received, 0
	}
	for _, l := range o.Lines {
		onHand[l.SKU] -= o.Progress(l.LineID).Shipped
		committed[l.SKU] += o.Left(l)
	}
	for sku, n := range s.sent {
		committed[sku] += n
	}
	for _, r := range o.Returns {
		for _, u := range r.Received {
			if l, _ := o.Line(u.LineID); u.Restock {
				onHand[l.SKU] += u.Quantity
			}
		}
	}
	for sku := range onHand {
		if i := s.item(tb, sku); i.OnHand != onHand[sku] || i.Committed != committed[sku] || i.Reserved != 0 {
			tb.Errorf("%s: %d on hand, %d committed, %d reserved; want %d, %d, 0", sku, i.OnHand, i.Committed, i.Reserved, onHand[sku], committed[sku])
		}
	}
}
