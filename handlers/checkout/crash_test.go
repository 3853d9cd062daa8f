package checkout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	domaincallback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	tasks "github.com/waybill-dev/waybill/handlers/process"
)

// deafGateway finds nothing out.
type deafGateway struct{ payment.Provider }

func (deafGateway) Find(context.Context, string) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrUnknownOutcome
}

var errKilled = errors.New("killed")

// killAfter ends a process's work after so many steps.
func killAfter(steps int) (fault func(string) error, done func() (string, bool)) {
	n, last, killed := 0, "", false
	return func(step string) error {
			if n++; n > steps {
				last, killed = step, true
				return errKilled
			}
			return nil
		}, func() (string, bool) {
			return last, killed
		}
}

// scenario is how a checkout begins.
type scenario struct {
	method string
	first  fate // of the first authorisation
	free   bool
}

var scenarios = map[string]scenario{
	"approved":         {method: "sandbox:approved", first: answered},
	"told first":       {method: "sandbox:approved", first: toldFirst},
	"answer lost":      {method: "sandbox:approved", first: answerLost},
	"request lost":     {method: "sandbox:approved", first: requestLost},
	"declined":         {method: "sandbox:declined", first: answered},
	"declined, unseen": {method: "sandbox:declined", first: answerLost},
	"action":           {method: "sandbox:action", first: answered},
	"free":             {method: "sandbox:approved", free: true},
}

// A process is killed at every gap of every kind of checkout. Then shoppers,
// callbacks, lost requests, rivals and further processes that are killed too
// come in a random order. In the end there is one order with its stock and its
// money, or nothing at all.
func TestWhateverIsInterruptedIsFinishedOrUndone(t *testing.T) {
	t.Parallel()
	seeds := handlertest.Seeds(t, 3)
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.store = handlertest.Connect(t, w.address)
			w.contacts = &contacts{refs: map[string]any{}}
			gaps, ends := 0, map[domaincheckout.Step]int{}
			for killed := true; killed; gaps++ {
				gap := gaps
				killed = false
				for seed := range seeds {
					x := begin(t, w, scenario, fmt.Sprintf("%d-%d", gap, seed), rand.New(rand.NewPCG(seed, uint64(gap)))) //nolint:gosec // small
					killed = x.interrupted(gap) || killed
					x.happen()
					x.finish()
					ends[x.get(x.id).Step]++
					if x.check(); t.Failed() {
						t.Fatalf("killed at gap %d, seed %d: %v", gap, seed, x.story)
					}
				}
			}
			if err := w.sandbox.Audit(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("%s: %d gaps, %d seeds each: %v", name, gaps-1, seeds, ends)
		})
	}
}

// interruption is one checkout and everything that happens to it.
type interruption struct {
	t        *testing.T
	w        *world
	random   *rand.Rand
	c        clock
	store    eventstore.Store
	gateway  *fickle
	first    *process
	id       string
	request  checkout.Place
	rival    string   // another checkout that wants the same goods
	skus     []string // 10 units of each
	received []string // callbacks
	old      []callback
	story    []string // what happened, to be read when a test fails
}

func begin(t *testing.T, w *world, s scenario, name string, random *rand.Rand) *interruption {
	t.Helper()
	x := &interruption{t: t, w: w, random: random, store: w.store}
	x.first = w.process(t, &x.c)
	x.first.wrap(t, func(g payment.Provider) payment.Provider {
		x.gateway = &fickle{Provider: g, random: random, first: s.first, told: func(c callback) { x.hear(c) }}
		return x.gateway
	})
	var lines []domaincheckout.RequestLine
	for i := range 1 + 2*random.IntN(2) {
		sku, units := fmt.Sprintf("%s-%d", name, i), 10
		if i == 1 && random.IntN(4) == 0 {
			units = 0
		}
		x.first.offer(t, sku, units)
		x.skus = append(x.skus, sku)
		l := line(sku, 1+i)
		if s.free {
			l.UnitPrice = &domain.Money{Currency: "EUR"}
		}
		lines = append(lines, l)
	}
	x.request = place(name, s.method, lines...)
	x.request.Cart.ReturnURL = back
	x.request.Subject, x.request.Contact, x.request.ShipTo, x.request.BillTo = "u", "a@example.com", "1 High Street", "2 High Street"
	if s.free {
		x.request.Cart.External = domaincheckout.External{Source: "exchange", Ref: name, Time: noon}
	}
	x.id = checkout.ID(x.request.Credential, x.request.Key)
	return x
}

// process is another process at the same gateway.
func (x *interruption) process() *process {
	p := *x.first
	p.Service = &checkout.Service{
		Store: x.store, Pricer: x.first.Pricer, Stock: x.first.Stock, Gateways: x.first.Gateways, Numbers: x.first.Numbers,
		Now: x.c.now, NewID: x.first.NewID, Contacts: x.first.Contacts,
	}
	return &p
}

func (x *interruption) callbacks(checkouts *process) *gatewaycallbacks.Service {
	return gatewaycallbacks.New(gatewaycallbacks.Service{
		Store: x.store, Gateways: x.first.Gateways, Checkouts: checkouts.Service, Timeout: time.Minute, Now: x.c.now, Logger: slog.New(slog.DiscardHandler),
	})
}

// interrupted kills the first process at a gap. It reports false when the
// checkout was done before.
func (x *interruption) interrupted(gap int) bool {
	fault, state := killAfter(gap)
	x.first.Fault = fault
	_, err := x.first.Place(x.t.Context(), x.request)
	at, killed := state()
	x.excused("place, killed at "+at, err)
	if killed != errors.Is(err, errKilled) {
		x.t.Fatalf("killed at %q: %v", at, err)
	}
	return killed
}

// excused fails for what neither a killed process nor the network explains.
func (x *interruption) excused(what string, err error) {
	x.t.Helper()
	x.story = append(x.story, fmt.Sprint(what, ": ", err))
	notYet := (*tasks.NotYetError)(nil)
	if err != nil && !errors.Is(err, errKilled) && !errors.Is(err, payment.ErrUnknownOutcome) && !errors.Is(err, payment.ErrNotSent) && !errors.As(err, &notYet) {
		x.t.Fatalf("%s: %v", what, err)
	}
}

func (x *interruption) key(attempt int) string {
	return paymentOf(x.t, x.store, x.id, attempt)
}

// happen is what may happen after the first process was killed.
func (x *interruption) happen() {
	ctx := x.t.Context()
	for range x.random.IntN(6) {
		x.c.advance([]time.Duration{0, time.Second, 16 * time.Second, 61 * time.Second}[x.random.IntN(4)])
		next := x.process()
		next.Fault, _ = killAfter(x.random.IntN(6))
		attempt, what := 1+x.random.IntN(2), x.random.IntN(9)
		switch method := x.request.Cart.Method; {
		case x.random.IntN(3) > 0:
		case method == "sandbox:action":
			what = 3
		case method == "sandbox:declined":
			what = 4
		}
		switch what {
		case 0:
			_, err := next.Place(ctx, x.request)
			x.excused("the request again", err)
		case 1, 2:
			x.excused("recovery", next.recovery(x.id).Round(ctx))
		case 3:
			approve := x.random.IntN(3) > 0
			_, err := x.w.sandbox.Act(ctx, x.key(attempt), approve)
			x.story = append(x.story, fmt.Sprint("the shopper at attempt ", attempt, " ", approve, " ", err))
		case 4:
			method := []string{"sandbox:approved", "sandbox:declined", "sandbox:action"}[x.random.IntN(3)]
			_, err := next.Pay(ctx, checkout.Pay{CheckoutID: x.id, RequestID: fmt.Sprint(x.random.IntN(2)), Method: method, ReturnURL: back})
			x.excused("another payment, "+method, err)
		case 5:
			x.excused("a lost request arrives", x.gateway.arrive(ctx))
		case 6, 7:
			x.tell(attempt, next)
		case 8:
			x.rivals()
		}
	}
}

// rivals is somebody else who wants most of the same goods.
func (x *interruption) rivals() {
	request := x.request
	request.Key = "rival of " + x.request.Key
	request.Cart.Method = "sandbox:approved"
	request.Cart.Lines = []domaincheckout.RequestLine{line(x.skus[0], 10)}
	x.rival = checkout.ID(request.Credential, request.Key)
	_, err := x.process().Place(x.t.Context(), request)
	x.excused("a rival", err)
}

// tell sends a callback of this moment, or one that is late or repeated.
func (x *interruption) tell(attempt int, to *process) {
	if answer, err := x.gateway.Provider.Find(x.t.Context(), x.key(attempt)); err == nil {
		x.old = append(x.old, aboutAuthorisation(x.key(attempt), answer))
	}
	if len(x.old) == 0 {
		return
	}
	c := x.old[x.random.IntN(len(x.old))]
	service := x.callbacks(to)
	service.Fault, _ = killAfter(x.random.IntN(4))
	x.apply(service, c)
}

// hear takes a callback that comes before the answer, while the first process
// waits for that.
func (x *interruption) hear(c callback) { x.apply(x.callbacks(x.process()), c) }

func (x *interruption) apply(service *gatewaycallbacks.Service, c callback) {
	id, err := service.Receive(context.WithoutCancel(x.t.Context()), "sandbox", c.header, c.body)
	if err != nil {
		x.t.Errorf("receive: %v", err)
		return
	}
	if id == "" {
		x.story = append(x.story, "a callback that tells nothing new")
		return
	}
	x.received = append(x.received, id)
	x.excused("a callback", service.Apply(context.WithoutCancel(x.t.Context()), id))
}

// finish lets two processes recover at once for as long as anything is open.
// Requests that were lost arrive meanwhile.
func (x *interruption) finish() {
	x.gateway.settle()
	ids := []string{x.id}
	if x.rival != "" {
		ids = append(ids, x.rival)
	}
	a, b := x.process(), x.process()
	ra, rb := a.recovery(ids...), b.recovery(ids...)
	for round := range 40 {
		x.c.advance(16 * time.Second)
		if round > 6 {
			x.c.advance(11 * time.Minute)
		}
		together(x.t, ra, rb)
		if round == 1 && x.random.IntN(2) == 0 { // where there is anything to confirm
			_, _ = x.w.sandbox.Act(x.t.Context(), x.key(1), true)
		}
		if round == 4 || round > 8 {
			if err := x.gateway.arrive(x.t.Context()); err != nil {
				x.t.Fatal(err)
			}
		}
		for _, id := range slices.Concat(x.received, x.kept()) {
			x.excused("a callback that waits", x.callbacks(a).Apply(x.t.Context(), id))
		}
		if round > 1 && x.quiet(a, ids) {
			return
		}
	}
	x.t.Errorf("not finished")
}

// kept names what may stand on the list of callbacks without the gateway having
// told it: that it holds money for nothing, or may come to.
func (x *interruption) kept() (ids []string) {
	for attempt := 1; attempt <= domaincheckout.MaxPayments; attempt++ {
		for _, what := range []string{"answer:", "unseen:"} {
			ids = append(ids, eventstore.DeriveID("gateway callback", "sandbox", what+x.key(attempt)))
		}
	}
	return ids
}

// quiet reports whether nothing can happen any more.
func (x *interruption) quiet(p *process, ids []string) bool {
	for _, id := range ids {
		o, err := p.Get(x.t.Context(), id)
		if err != nil {
			x.t.Fatal(err)
		}
		if o.Checkout.Step.Open() {
			return false
		}
	}
	for _, id := range slices.Concat(x.received, x.kept()) {
		if c := fold(x, domaincallback.Decider, id); c.Open() {
			return false
		}
	}
	return len(x.gateway.underWay) == 0 && !x.held()
}

// held reports whether the gateway holds money, or may come to, for no order.
func (x *interruption) held() bool {
	o := fold(x, domainorder.Decider, orderOf(x.t, x.store, x.id))
	for attempt := 1; attempt <= domaincheckout.MaxPayments; attempt++ {
		answer, err := x.gateway.Provider.Find(x.t.Context(), x.key(attempt))
		if errors.Is(err, payment.ErrNotFound) {
			break
		}
		if answer.Status == payment.Authorised && o.PaymentID != x.key(attempt) || answer.Status == payment.ActionRequired {
			return true
		}
	}
	return false
}

func together(t *testing.T, a, b *checkout.Recovery) {
	t.Helper()
	done := make(chan error)
	go func() { done <- a.Round(t.Context()) }()
	err := b.Round(t.Context())
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
}

func fold[S, C any, E domain.Event](x *interruption, d domain.Decider[S, C, E], id string) S {
	x.t.Helper()
	state, _, err := eventstore.Load(x.t.Context(), x.store, d, id)
	if err != nil {
		x.t.Fatal(err)
	}
	return state
}

// check looks at everything that must hold in the end.
func (x *interruption) check() {
	x.t.Helper()
	want := map[string]int{}
	o := x.order(x.id, want)
	if x.rival != "" {
		x.order(x.rival, want)
	}
	failed := x.get(x.id)
	told := fold(x, checkoutfailure.Decider, x.id).Announced
	if want := failed.Step == domaincheckout.Failed && failed.Awaited; want != (told.CheckoutID == x.id) || want && told.Reason != failed.Reason {
		x.t.Errorf("of the checkout, %s because of %q, this was told: %+v", failed.Step, failed.Reason, told)
	}
	for _, sku := range x.skus {
		if s := x.first.item(x.t, sku); s.Reserved != 0 || s.Committed != want[sku] || s.Committed > s.OnHand {
			x.t.Errorf("%s: %d reserved, %d committed of %d; want 0, %d", sku, s.Reserved, s.Committed, s.OnHand, want[sku])
		}
	}
	if x.held() {
		x.t.Error("the gateway holds money without an order, or may come to")
	}
	if o.PaymentID != "" {
		paid, err := x.gateway.Provider.Find(x.t.Context(), o.PaymentID)
		if err != nil || paid.Status != payment.Authorised || paid.Amount != o.Totals.Grand {
			x.t.Errorf("the gateway has %+v, %v for an order of %s", paid, err, o.Totals.Grand)
		}
	}
	for _, id := range x.received {
		if c := fold(x, domaincallback.Decider, id); c.Open() || c.Unclaimed {
			x.t.Errorf("callback %+v is not applied: %s", c.Received, c.Reason)
		}
	}
	again, err := x.process().Place(x.t.Context(), x.request)
	if err != nil || again.Order.OrderID != o.OrderID && o.OrderID != "" {
		x.t.Errorf("the request again: order %q, %v; there was %q", again.Order.OrderID, err, o.OrderID)
	}
	other := x.request
	other.Fingerprint = "another"
	if again, err = x.process().Place(x.t.Context(), other); err != nil || !errors.Is(again.Refused, domain.ErrKeyReused) {
		x.t.Errorf("another request with the same key: %v, %v", again.Refused, err)
	}
}

// get is the checkout as it is told to others.
func (x *interruption) get(id string) domaincheckout.State {
	x.t.Helper()
	outcome, err := x.process().Get(x.t.Context(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	return outcome.Checkout
}

// order returns the order of a checkout, if it came to one, and counts its
// units.
func (x *interruption) order(id string, units map[string]int) domainorder.State {
	x.t.Helper()
	orderID := orderOf(x.t, x.store, id)
	o, c := fold(x, domainorder.Decider, orderID), x.get(id)
	if placed := o.Status == domainorder.StatusPlaced; c.Step.Open() || placed != (c.Step == domaincheckout.Completed) {
		x.t.Errorf("checkout %q, order %q", c.Step, o.Status)
	}
	placed := 0
	for recorded, err := range x.store.ReadStream(x.t.Context(), domainorder.Decider.Stream(orderID), 0) {
		if err == nil && recorded.Type == (domainorder.OrderPlaced{}).EventName() {
			placed++
		}
	}
	if placed > 1 {
		x.t.Errorf("placed %d times", placed)
	}
	if o.Status != "" {
		x.w.contacts.check(x.t, o, "u")
	}
	for _, line := range o.Lines {
		units[line.SKU] += line.Quantity
	}
	return o
}
