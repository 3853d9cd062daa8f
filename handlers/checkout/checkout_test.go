package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/order"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// counting counts appends.
type counting struct {
	eventstore.Store
	appends atomic.Int64
}

func (c *counting) Append(
	ctx context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent,
) (eventstore.Appended, error) {
	c.appends.Add(1)
	return c.Store.Append(ctx, stream, expected, events...)
}

func must(tb testing.TB, o checkout.Outcome, err error) checkout.Outcome {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func refusedBy(tb testing.TB, o checkout.Outcome, want *domain.RuleError) {
	tb.Helper()
	if o.Refused == nil || !errors.Is(o.Refused, want) {
		tb.Fatalf("refused with %v in step %q, want %v", o.Refused, o.Checkout.Step, want)
	}
}

func TestAnOrderIsPlaced(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	store := &counting{Store: handlertest.Connect(t, w.address)}
	p := w.processOn(t, &c, store)
	p.offer(t, "MUG-1", 5)
	if _, err := p.Numbers.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	contacts := &contacts{refs: map[string]any{}}
	p.Contacts = contacts
	request := place("k", "sandbox:approved", line("MUG-1", 2), line("MUG-1", 1))
	request.Subject, request.Contact, request.ShipTo, request.BillTo = "u", "a@example.com", "1 High Street", "2 High Street"
	before := store.appends.Load()
	o, err := p.Place(t.Context(), request)
	must(t, o, err)
	if got := store.appends.Load() - before; got != 7 {
		t.Errorf("%d appends for an order of one SKU, want 7", got)
	}
	if o.Refused != nil || o.Replayed || o.Revision != 0 || o.Checkout.Step != domaincheckout.Completed {
		t.Fatalf("outcome %+v", o)
	}
	if o.Order.Totals.Grand.Amount != 3750 || len(o.Order.Lines) != 2 || o.Order.Number != "100002" || o.Order.Authorised.Amount != 3750 {
		t.Errorf("order %+v", o.Order)
	}
	contacts.check(t, o.Order, "u")
	if s := p.item(t, "MUG-1"); s.Committed != 3 || s.Reserved != 0 {
		t.Errorf("%d committed, %d reserved; want 3, 0", s.Committed, s.Reserved)
	}
	if status, asked := w.ledger(t, o.Order.PaymentID); status != "authorised" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times", status, asked)
	}
	again, err := w.process(t, &c).Place(t.Context(), request)
	must(t, again, err)
	if !again.Replayed {
		t.Error("the second answer is a replay")
	}
	if diff := cmp.Diff(o.Order, again.Order); diff != "" {
		t.Errorf("the same key answers differently (-first +second):\n%s", diff)
	}
	request.Fingerprint = "other"
	o, err = p.Place(t.Context(), request)
	refusedBy(t, must(t, o, err), domain.ErrKeyReused)
}

// contacts keeps personal data as the vault does: what is there stays, and
// each reference is of one person.
type contacts struct {
	mu   sync.Mutex
	refs map[string]any // subject and reference
}

func (c *contacts) Put(_ context.Context, subject, ref string, data any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.refs[subject+" "+ref]; !known {
		c.refs[subject+" "+ref] = data
	}
	return nil
}

// check fails the test unless an order's personal data is where the order says.
func (c *contacts) check(t *testing.T, o order.State, subject string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, want := range map[string]string{o.ContactRef: "a@example.com", o.ShipToRef: "1 High Street", o.BillToRef: "2 High Street"} {
		if got := c.refs[subject+" "+ref]; got != want {
			t.Errorf("under reference %q is kept %v, want %v", ref, got, want)
		}
	}
}

func TestAGuestsDataIsKeptApartForEachOrder(t *testing.T) {
	t.Parallel()
	var c clock
	p := newWorld(t, "").process(t, &c)
	p.offer(t, "MUG-1", 5)
	kept := &contacts{refs: map[string]any{}}
	p.Contacts = kept
	for _, key := range []string{"k", "l"} {
		request := place(key, "sandbox:approved", line("MUG-1", 1))
		request.Contact, request.ShipTo, request.BillTo = "a@example.com", "1 High Street", "2 High Street"
		o, err := p.Place(t.Context(), request)
		must(t, o, err)
		kept.check(t, o.Order, "order:"+o.Order.OrderID)
	}
}

func TestACartWithMistakesIsRefusedOnceForAll(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	request := place("k", "sandbox:approved", line("NO", 1), line("ALSO-NO", 0))
	for range 2 {
		o, err := p.Place(t.Context(), request)
		refusedBy(t, must(t, o, err), domaincheckout.ErrCart)
		if len(o.Refused.Mistakes) != 3 {
			t.Errorf("%d mistakes, want 3: %v", len(o.Refused.Mistakes), o.Refused.Mistakes)
		}
		p.offer(t, "NO", 1) // too late for this key
	}
}

func TestOutOfStockReleasesTheRest(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	p.offer(t, "B", 1)
	for range 2 {
		o, err := p.Place(t.Context(), place("k", "sandbox:approved", line("A", 2), line("B", 1), line("B", 1)))
		refusedBy(t, must(t, o, err), domaincheckout.ErrOutOfStock)
		want := map[string]any{"sku": "B", "location": "main", "requested": 2, "available": 1}
		if diff := cmp.Diff(want, o.Refused.Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
	}
	if s := p.item(t, "A"); s.Available() != 5 {
		t.Errorf("%d of A available, want 5", s.Available())
	}
	if entries, _ := w.sandbox.Entries(t.Context()); len(entries) != 0 {
		t.Error("the gateway was asked")
	}
}

func TestADeclinedPaymentMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:declined", line("A", 2))
	o, err := p.Place(t.Context(), request)
	refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
	id := o.Checkout.CheckoutID
	c.advance(4 * time.Minute)
	if s := p.item(t, "A"); s.Reserved != 2 {
		t.Errorf("%d reserved, want 2", s.Reserved)
	}
	o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "1", Method: "card:magic"})
	refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
	if o.Checkout.DeclineCode != checkout.CodeUnsupported || o.Checkout.Attempt != 2 {
		t.Errorf("attempt %d declined with %q", o.Checkout.Attempt, o.Checkout.DeclineCode)
	}
	third := checkout.Pay{CheckoutID: id, RequestID: "2", Method: "sandbox:approved"}
	for i := range 2 {
		o, err = p.Pay(t.Context(), third)
		if must(t, o, err); o.Refused != nil || o.Checkout.Attempt != 3 || o.Order.OrderID == "" || o.Replayed != (i == 1) {
			t.Fatalf("outcome %+v", o)
		}
	}
	third.Method = "sandbox:declined"
	o, err = p.Pay(t.Context(), third)
	refusedBy(t, must(t, o, err), domain.ErrKeyReused)
	o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "3", Method: "sandbox:approved"})
	refusedBy(t, must(t, o, err), domaincheckout.ErrTransition)
	o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: "no", RequestID: "3", Method: "sandbox:approved"})
	refusedBy(t, must(t, o, err), checkout.ErrNotFound)
}

func TestADeclinedCheckoutIsReleasedAfterAWhile(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	o := p.buy(t, "sandbox:declined")
	id := o.Checkout.CheckoutID
	recovery := p.recovery(id)
	c.advance(5*time.Minute - 1)
	if err := recovery.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.item(t, "A"); s.Reserved != 2 {
		t.Errorf("%d reserved, want 2", s.Reserved)
	}
	c.advance(1)
	o, err := p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "1", Method: "sandbox:approved"})
	refusedBy(t, must(t, o, err), domainstock.ErrExpired)
	if err := recovery.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err = p.Get(t.Context(), id)
	refusedBy(t, must(t, o, err), domaincheckout.ErrDeclined)
	if s := p.item(t, "A"); s.Reserved != 0 || o.Checkout.Step != domaincheckout.Failed {
		t.Errorf("%d reserved in step %s, want 0 in failed", s.Reserved, o.Checkout.Step)
	}
}

// TestStockIsKeptWhileTheGatewayIsAsked: a payment that is begun at the end of
// what the goods are kept for keeps them for longer, before it can hold money.
func TestStockIsKeptWhileTheGatewayIsAsked(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	p.Config.DeclinedHold = 30 * time.Minute
	o := p.buy(t, "sandbox:declined")
	id := o.Checkout.CheckoutID
	c.advance(30*time.Minute - 5*time.Second)
	o, err := p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "1", Method: "sandbox:approved"})
	if must(t, o, err); o.Order.OrderID == "" {
		t.Fatalf("refused with %v", o.Refused)
	}
	var kept []time.Time
	for r, err := range p.Store.ReadStream(t.Context(), domainstock.Decider.Stream(domainstock.ID("main", "A")), 0) {
		if err != nil {
			t.Fatal(err)
		}
		event, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if longer, is := event.(domainstock.StockReservationExtended); is {
			kept = append(kept, longer.ExpiresAt)
		}
	}
	if diff := cmp.Diff([]time.Time{noon.Add(30 * time.Minute), noon.Add(45*time.Minute - 5*time.Second)}, kept); diff != "" {
		t.Errorf("kept until (-want +got):\n%s", diff)
	}
}

// TestAFailureIsToldOnceByMany: processes that undo a checkout at the same time
// release its stock once, and say once that nothing came of it.
func TestAFailureIsToldOnceByMany(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	w.patient = impatient
	first := w.process(t, &c)
	first.offer(t, "A", 100)
	for _, processes := range []int{2, 6, 12} {
		o, err := first.Place(t.Context(), place(fmt.Sprint("k", processes), "sandbox:timeout-declined", line("A", 2)))
		id := must(t, o, err).Checkout.CheckoutID
		if o.Checkout.Step != domaincheckout.Unknown {
			t.Fatalf("step %s, refused %v", o.Checkout.Step, o.Refused)
		}
		c.advance(20 * time.Second)
		var all sync.WaitGroup
		for range processes {
			p := w.process(t, &c)
			all.Go(func() {
				for range 20 {
					if o, err := p.Recover(t.Context(), id); err == nil && o.Checkout.Step == domaincheckout.Failed {
						return
					}
				}
				t.Error("the checkout is not undone")
			})
		}
		all.Wait()
		told := map[string]int{}
		for _, stream := range []string{checkoutfailure.Decider.Stream(id), domaincheckout.Decider.Stream(id)} {
			for r, err := range first.Store.ReadStream(t.Context(), stream, 0) {
				if err != nil {
					t.Fatal(err)
				}
				told[r.Type]++
			}
		}
		if told["CheckoutFailureAnnounced"] != 1 || told["CheckoutFailed"] != 1 || told["CheckoutCompensating"] != 1 {
			t.Errorf("%d processes recorded %v", processes, told)
		}
		if s := first.item(t, "A"); s.Reserved != 0 || s.Committed != 0 || s.Available() != 100 {
			t.Errorf("after %d processes %d are reserved, %d committed", processes, s.Reserved, s.Committed)
		}
	}
}

// A gateway that charges and answers too late: 202, then an order, and one
// authorisation.
func TestAnUnknownOutcomeIsFoundOut(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]domaincheckout.Step{
		"sandbox:timeout": domaincheckout.Completed, "sandbox:error": domaincheckout.Failed,
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var c clock
			w := newWorld(t, "")
			w.patient = impatient
			p := w.process(t, &c)
			p.offer(t, "A", 5)
			request := place("k", method, line("A", 2))
			o, err := p.Place(t.Context(), request)
			if must(t, o, err); o.Refused != nil || o.Checkout.Step != domaincheckout.Unknown {
				t.Fatalf("step %s, refused %v", o.Checkout.Step, o.Refused)
			}
			id := o.Checkout.CheckoutID
			o, err = p.Pay(t.Context(), checkout.Pay{CheckoutID: id, RequestID: "1", Method: "sandbox:approved"})
			refusedBy(t, must(t, o, err), domaincheckout.ErrTransition)
			recovery := p.recovery(id)
			for round := range 4 {
				c.advance(4 * time.Second)
				if err := recovery.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
				if o, err = p.Get(t.Context(), id); round < 2 && want == domaincheckout.Failed && must(t, o, err).Checkout.Step != domaincheckout.Unknown {
					t.Errorf("what the gateway knows nothing of may still be on its way after 8 s, got %s", o.Checkout.Step)
				}
			}
			o, err = p.Place(t.Context(), request)
			if must(t, o, err); o.Checkout.Step != want || !o.Replayed {
				t.Fatalf("step %s, want %s", o.Checkout.Step, want)
			}
			status, asked := w.ledger(t, o.Checkout.PaymentID)
			s := p.item(t, "A")
			switch want {
			case domaincheckout.Completed:
				if status != "authorised" || asked != 1 || s.Committed != 2 {
					t.Errorf("gateway %q asked %d times, %d committed", status, asked, s.Committed)
				}
			default:
				refusedBy(t, o, domaincheckout.ErrDeclined)
				if status != "" || s.Available() != 5 {
					t.Errorf("gateway %q, %d available", status, s.Available())
				}
			}
		})
	}
}

// A round that meets a checkout somebody is working on has asked nobody: the
// next one does not wait for the poll after.
func TestAPollIsNotUsedUpByWorkInProgress(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	w.patient = impatient
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	o, err := p.Place(t.Context(), place("k", "sandbox:timeout", line("A", 2)))
	if must(t, o, err); o.Checkout.Step != domaincheckout.Unknown {
		t.Fatalf("step %s", o.Checkout.Step)
	}
	id := o.Checkout.CheckoutID
	recovery := p.recovery(id)
	c.advance(3 * time.Second) // the first poll is due, the second is not
	for _, row := range []struct {
		working bool
		want    domaincheckout.Step
	}{{true, domaincheckout.Unknown}, {false, domaincheckout.Completed}} {
		done := func() {}
		if row.working {
			done = p.Work(id)
		}
		if err := recovery.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		done()
		o, err := p.Get(t.Context(), id)
		if must(t, o, err); o.Checkout.Step != row.want {
			t.Errorf("step %s, want %s", o.Checkout.Step, row.want)
		}
	}
}

func TestStockThatIsLostVoidsThePayment(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	w.patient = impatient
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	request := place("k", "sandbox:timeout", line("A", 5))
	o, err := p.Place(t.Context(), request)
	must(t, o, err)
	c.advance(2 * time.Hour)
	other, err := p.Place(t.Context(), place("l", "sandbox:approved", line("A", 1)))
	if must(t, other, err); other.Order.OrderID == "" {
		t.Fatalf("the expired stock is not for others: %v", other.Refused)
	}
	if err := p.recovery(o.Checkout.CheckoutID).Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err = p.Place(t.Context(), request)
	refusedBy(t, must(t, o, err), domaincheckout.ErrStockLost)
	if status, _ := w.ledger(t, o.Checkout.PaymentID); status != "voided" || !o.Checkout.Voided {
		t.Errorf("the gateway has %q, want voided", status)
	}
}

func TestAnOutcomeThatCannotBeFoundIsVoided(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	w.patient = impatient
	p := w.process(t, &c)
	o := p.buy(t, "sandbox:timeout")
	id := o.Checkout.CheckoutID
	deaf := w.process(t, &c)
	deaf.wrap(t, func(g payment.Provider) payment.Provider { return deafGateway{g} })
	recovery := deaf.recovery(id)
	for range 3 {
		c.advance(11 * time.Hour)
		if err := recovery.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o, err := p.Get(t.Context(), id)
	refusedBy(t, must(t, o, err), domaincheckout.ErrUnresolved)
	if status, _ := w.ledger(t, o.Checkout.PaymentID); status != "voided" {
		t.Errorf("the gateway has %q, want voided", status)
	}
}

// slowGateway lets a call through only when it is told to.
type slowGateway struct {
	payment.Provider
	called, open chan struct{}
}

func (g slowGateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	close(g.called)
	<-g.open
	return g.Provider.Authorise(context.WithoutCancel(ctx), request)
}

// A process hangs before it asks the gateway, recovery gives the checkout up,
// and then the process goes on and is charged: that is let go again.
func TestAnAnswerAfterTheCheckoutWasGivenUpHoldsNoMoney(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	hanging, other := w.process(t, &c), w.process(t, &c)
	gateway := slowGateway{called: make(chan struct{}), open: make(chan struct{})}
	hanging.wrap(t, func(g payment.Provider) payment.Provider { gateway.Provider = g; return gateway })
	other.offer(t, "A", 5)
	request := place("k", "sandbox:approved", line("A", 2))
	done := make(chan checkout.Outcome)
	go func() {
		o, err := hanging.Place(t.Context(), request)
		if err != nil {
			t.Error(err)
		}
		done <- o
	}()
	<-gateway.called
	c.advance(2 * time.Minute)
	recovery := other.recovery(checkout.ID(request.Credential, request.Key))
	for range 2 {
		if err := recovery.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.advance(16 * time.Second)
	}
	close(gateway.open)
	o := <-done
	refusedBy(t, o, domaincheckout.ErrDeclined)
	if status, asked := w.ledger(t, o.Checkout.PaymentID); status != "voided" || asked != 1 {
		t.Errorf("the gateway has %q, asked %d times; want voided, 1", status, asked)
	}
	if s := other.item(t, "A"); s.Available() != 5 {
		t.Errorf("%d available, want 5", s.Available())
	}
}

func TestTheSameKeyAtOnceMakesOneOrder(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	processes := []*process{w.process(t, &c), w.process(t, &c)}
	processes[0].offer(t, "A", 50)
	var orders sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			o, err := processes[i%2].Place(t.Context(), place("k", "sandbox:approved", line("A", 1)))
			switch {
			case err != nil:
				t.Error(err)
			case o.Refused == nil:
				orders.Store(o.Order.Number, true)
			case !errors.Is(o.Refused, checkout.ErrInProgress) || o.RetryAfter < time.Second:
				t.Errorf("refused with %v, again after %v", o.Refused, o.RetryAfter)
			}
		})
	}
	wg.Wait()
	n := 0
	orders.Range(func(any, any) bool { n++; return true })
	if s := processes[0].item(t, "A"); n != 1 || s.Committed != 1 {
		t.Errorf("%d orders, %d committed; want 1, 1", n, s.Committed)
	}
}

// 200 buyers in two processes, 50 units: 50 orders.
// Whoever is told of an order may ask again at once, while the process is still
// at the checkout.
func TestARepeatIsAnsweredAsSoonAsTheOrderIsThere(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, t.TempDir()), &clock{}
	p := w.process(t, c)
	p.offer(t, "MUG", 10)
	request := place("k", "sandbox:approved", line("MUG", 1))
	var early, again, other checkout.Outcome
	p.Fault = func(step string) (err error) {
		switch step {
		case "authorised":
			early, err = p.Place(t.Context(), request)
		case "order placed":
			another := request
			another.Fingerprint = "another"
			other, err = p.Place(t.Context(), another)
			if err != nil {
				return err
			}
			again, err = p.Place(t.Context(), request)
		}
		return err
	}
	first, err := p.Place(t.Context(), request)
	first = must(t, first, err)
	refusedBy(t, early, checkout.ErrInProgress)
	refusedBy(t, other, domain.ErrKeyReused)
	if again.Order.OrderID != first.Order.OrderID || again.Revision != first.Revision || !again.Replayed {
		t.Errorf("the repeat is answered with %+v, the first with %+v", again, first)
	}
}

func TestFiftyUnitsAreSoldFiftyTimes(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	processes := []*process{w.process(t, &c), w.process(t, &c)}
	processes[0].offer(t, "A", 50)
	var sold, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			o, err := processes[i%2].Place(t.Context(), place(fmt.Sprint("buyer ", i), "sandbox:approved", line("A", 1)))
			switch {
			case err != nil:
				t.Error(err)
			case o.Refused != nil && errors.Is(o.Refused, domaincheckout.ErrOutOfStock):
				refused.Add(1)
			case o.Order.OrderID != "":
				sold.Add(1)
			default:
				t.Errorf("outcome %+v", o)
			}
		})
	}
	wg.Wait()
	if s := processes[0].item(t, "A"); sold.Load() != 50 || refused.Load() != 150 || s.Available() != 0 {
		t.Errorf("%d sold, %d refused, %d available; want 50, 150, 0", sold.Load(), refused.Load(), s.Available())
	}
}

// offGateway is known to be down until it is switched on.
type offGateway struct {
	payment.Provider
	on atomic.Bool
}

func (g *offGateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	if !g.on.Load() {
		return payment.Authorisation{}, payment.ErrNotSent
	}
	return g.Provider.Authorise(ctx, request)
}

func (g *offGateway) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	if !g.on.Load() {
		return payment.Authorisation{}, payment.ErrNotSent
	}
	return g.Provider.Find(ctx, key)
}

func TestTheGatewayIsAway(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	p := w.process(t, &c)
	gateway := &offGateway{}
	p.wrap(t, func(g payment.Provider) payment.Provider { gateway.Provider = g; return gateway })
	p.offer(t, "A", 5)
	request := place("k", "sandbox:approved", line("A", 1))
	for range 2 {
		if _, err := p.Place(t.Context(), request); !errors.Is(err, checkout.ErrGatewayAway) || !errors.Is(err, eventstore.ErrUnavailable) || strings.Contains(err.Error(), "event store") {
			t.Fatalf("got %v, want %v", err, checkout.ErrGatewayAway)
		}
	}
	gateway.on.Store(true)
	o, err := p.Place(t.Context(), request)
	if must(t, o, err); o.Order.OrderID == "" {
		t.Errorf("no order although the gateway is back: %v", o.Refused)
	}
}

func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	var c clock
	w := newWorld(t, "")
	node := nodetest.New(t, nodetest.Config{Dir: t.TempDir()})
	w.address = node.ConnectionString()
	p := w.process(t, &c)
	p.offer(t, "A", 5)
	node.Stop()
	request := place("k", "sandbox:approved", line("A", 1))
	if _, err := p.Place(t.Context(), request); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("got %v, want unavailable", err)
	}
	node.Restart()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if o, err := p.Place(t.Context(), request); err == nil && o.Order.OrderID != "" {
			return
		}
	}
	t.Error("no order although the store is back")
}
