package fulfilment_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
)

// alsoPaid has a second payment hold what an order costs, too.
func alsoPaid(t *testing.T, s *shop, c cart) {
	t.Helper()
	o := s.place(t, c)
	amount, id := o.Totals.Grand, second(c.id)
	g, err := s.Gateways.Provider("sandbox")
	if err != nil {
		t.Fatal(err)
	}
	var a payment.Authorisation
	for range 100 { // the machine may be slow
		if a, err = g.Authorise(t.Context(), payment.Authorise{Key: id, Amount: amount, Method: c.method}); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.pay(t, id, domainpayment.Request{PaymentID: id, OrderID: c.id, Amount: amount, Method: c.method, Gateway: "sandbox", Key: id, At: s.Now()})
	s.pay(t, id, domainpayment.Authorise{GatewayRef: a.Ref, Amount: amount, ExpiresAt: a.ExpiresAt})
	s.must(t, c.id, process.CopyPayment, id)
}

// Two payments were asked for what the order costs once: the log tells which
// was first, whoever looks, whenever and in whatever order, and whatever became
// of the first.
func TestOfCapturesOfSeveralPaymentsTheLaterIsWithdrawn(t *testing.T) {
	t.Parallel()
	const first, later = "p1-o/a", "second/b"
	for name, c := range map[string]struct {
		tasks       []string
		fails       bool // the gateway refuses the first
		a, b, taken int64
	}{
		"the first is done first":        {[]string{first, later}, false, 1901, 1901, 1901},
		"the later is done first":        {[]string{later, first, later}, false, 1901, 1901, 1901},
		"the first fails":                {[]string{first, later}, true, 1901, 1901, 0},
		"the later, and the first fails": {[]string{later, first, later}, true, 1901, 1901, 0},
		"together they are enough":       {[]string{later, first}, false, 1000, 901, 1901},
		"a cent too much":                {[]string{later, first}, false, 1000, 902, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorld(t).shop(t)
			alsoPaid(t, s, basic("o"))
			s.pay(t, "p1-o", domainpayment.RequestCapture{CaptureID: "a", Amount: eur(c.a)})
			s.pay(t, second("o"), domainpayment.RequestCapture{CaptureID: "b", Amount: eur(c.b)})
			s.Gateways = gateways{"sandbox": &refusesCapture{Provider: s.Gateways.(gateways)["sandbox"], id: map[bool]string{true: "a"}[c.fails]}}
			for _, task := range c.tasks {
				s.must(t, "o", process.Movement, strings.Replace(task, "second", second("o"), 1))
			}
			if m := s.order(t, "o").Money(); m.Captured != eur(c.taken) {
				t.Errorf("%s captured", m.Captured)
			}
			b := s.payment(t, second("o")).Captures[0]
			if withdrawn := b.Code == domainpayment.CodeExceedsOrder; withdrawn != (c.a+c.b > 1901) {
				t.Errorf("the later is %+v", b)
			}
			s.agree(t, basic("o"))
		})
	}
}

// refusesCapture is a gateway that refuses one capture.
type refusesCapture struct {
	payment.Provider
	id string
}

// Capture implements [payment.Provider].
func (g *refusesCapture) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	if c.ID == g.id {
		return payment.Movement{}, &payment.RefusedError{Code: "expired_card"}
	}
	return g.Provider.Capture(ctx, c)
}

// byHand is what people of a process of its own capture with.
func (w *world) byHand(t *testing.T) *orders.Service {
	t.Helper()
	s := w.shop(t)
	s.Store = handlertest.Connect(t, w.node)
	return &orders.Service{
		Store: s.Store, Now: w.now,
		Collect: func(ctx context.Context, orderID, paymentID, captureID string) error {
			return s.do(ctx, orderID, process.Movement, paymentID+"/"+captureID)
		},
	}
}

// Both payments hold what the order costs, and people of two processes capture
// each of them at the same moment, while its parcel is paid for.
func TestSimultaneousCapturesOfSeveralPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	processes := []*orders.Service{w.byHand(t), w.byHand(t)}
	for round := range 10 {
		c := basic(fmt.Sprint("o", round))
		alsoPaid(t, s, c)
		if round%2 == 1 {
			s.parcel(t, c.id, "a", 1, 1)
		}
		begin := make(chan struct{})
		var group sync.WaitGroup
		var taken atomic.Int32
		for i := range 4 {
			paymentID := []string{"p1-" + c.id, second(c.id)}[i/2]
			group.Go(func() {
				<-begin
				name := fmt.Sprint("c", i)
				_, err := processes[i%2].Capture(t.Context(), asking(c.id, name), orders.Capture{CaptureID: name, PaymentID: paymentID})
				switch {
				case err == nil:
					taken.Add(1)
				case !errors.Is(err, domainorder.ErrExceedsAuthorised) && !errors.Is(err, domainpayment.ErrExceedsAuthorised):
					t.Error(err)
				}
			})
		}
		if round%2 == 1 {
			group.Go(func() {
				<-begin
				for s.do(t.Context(), c.id, process.Capture, "a") != nil && t.Context().Err() == nil {
					continue // others changed the same order
				}
			})
		}
		close(begin)
		group.Wait()
		if n := taken.Load(); n != 1 && round%2 == 0 {
			t.Errorf("%d captures of 19.01 EUR each, of an order of 19.01 EUR", n)
		}
		if err := s.work(t, c.id); err != nil {
			t.Fatal(err)
		}
		if _, captured := s.held(t, c.id); captured > 1901 {
			t.Errorf("%d cents were taken for an order of 19.01 EUR", captured)
		}
		s.agree(t, c)
	}
}

// meets is a log in which something happens just before the next append to a
// stream.
type meets struct {
	eventstore.Store
	stream string
	before func()
}

// Append implements [eventstore.Store].
func (m *meets) Append(ctx context.Context, stream string, at eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if stream == m.stream && m.before != nil {
		before := m.before
		m.before = nil
		before()
	}
	return m.Store.Append(ctx, stream, at, events...)
}

// A capture that was withdrawn is refused, and again when it is asked for
// again.
func TestACaptureThatWasWithdrawnIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop(t)
	alsoPaid(t, s, basic("o"))
	service := w.byHand(t)
	service.Store = &meets{service.Store, domainpayment.Decider.Stream(second("o")), func() {
		s.pay(t, "p1-o", domainpayment.RequestCapture{CaptureID: "a", Amount: eur(1000)})
	}}
	for range 2 {
		_, err := service.Capture(t.Context(), asking("o", "k"), orders.Capture{CaptureID: "b", PaymentID: second("o")})
		refused, _ := errors.AsType[*domain.RuleError](err)
		if !errors.Is(err, domainorder.ErrExceedsAuthorised) || refused.Details["available"] != eur(901).String() {
			t.Errorf("after a capture of 10.00 EUR: %v", err)
		}
	}
	s.must(t, "o", process.Movement, "p1-o/a")
	s.agree(t, basic("o"))
}

// The capture of a parcel that is withdrawn is no failure: the task looks again
// at what is still owed.
func TestAParcelsCaptureThatWasWithdrawnTakesTheRest(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	c := basic("o")
	alsoPaid(t, s, c)
	s.parcel(t, "o", "a", 3, 2)
	s.Store = &meets{s.Store, domainpayment.Decider.Stream("p1-o"), func() {
		s.again(t).pay(t, second("o"), domainpayment.RequestCapture{CaptureID: "b", Amount: eur(1000)})
	}}
	s.must(t, "o", process.Capture, "a")
	s.must(t, "o", process.ShipStock, "a")
	if got := captures(s.payment(t, "p1-o")); len(got) != 1 || got[0] != 901 {
		t.Errorf("captured %v of the first", got)
	}
	if m := s.order(t, "o").Money(); m.Captured != eur(1901) {
		t.Errorf("%s captured", m.Captured)
	}
	s.agree(t, c)
}

// nowhere is a log that does not tell where the events of a stream are.
type nowhere struct{ eventstore.Store }

// ReadStream implements [eventstore.Store].
func (n nowhere) ReadStream(ctx context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range n.Store.ReadStream(ctx, stream, from) {
			if r.Position = 0; !yield(r, err) {
				return
			}
		}
	}
}

// Where nobody can tell which capture was first, none is withdrawn for it.
func TestALogThatTellsNoPositionsWithdrawsNothing(t *testing.T) {
	t.Parallel()
	s := newWorld(t).shop(t)
	alsoPaid(t, s, basic("o"))
	s.Store = nowhere{s.Store}
	s.pay(t, second("o"), domainpayment.RequestCapture{CaptureID: "b", Amount: eur(1000)})
	s.must(t, "o", process.Movement, second("o")+"/b")
	if m := s.order(t, "o").Money(); m.Captured != eur(1000) {
		t.Errorf("%s captured", m.Captured)
	}
}
