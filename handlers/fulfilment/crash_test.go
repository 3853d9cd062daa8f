package fulfilment_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/process"
)

var errKilled = errors.New("killed")

// killAfter ends a process's work after so many steps.
func killAfter(steps int) (fault func(string) error, killed func() bool) {
	n, done := 0, false
	return func(string) error {
		if n++; n > steps {
			done = true
			return errKilled
		}
		return nil
	}, func() bool { return done }
}

// saga is a task that is interrupted, and what came before it.
type saga struct {
	kind process.Kind
	ref  string
	// begin makes a random order that needs the task. Without a ref that is what
	// it leaves in also.
	begin func(t *testing.T, s *shop, c cart, random *rand.Rand)
	// ended checks what the task was for.
	ended func(t *testing.T, s *shop, c cart)
	// act is interrupted, if set, instead of a task. Meanwhile other things
	// happen, and finish brings all of it to an end; what is not set is nothing,
	// and the work on every task.
	act       func(t *testing.T, s *shop, c cart) error
	meanwhile func(t *testing.T, s *shop, c cart, random *rand.Rand)
	finish    func(t *testing.T, s *shop, c cart) error
}

func (s *shop) randomParcel(t *testing.T, id, shipment string, random *rand.Rand) {
	t.Helper()
	o := s.order(t, id)
	var lines []domainorder.Units
	for _, l := range o.Lines {
		if n := random.IntN(o.Left(l) + 1); n > 0 {
			lines = append(lines, domainorder.Units{LineID: l.LineID, Quantity: n})
		}
	}
	if len(lines) > 0 {
		s.tell(t, id, domainorder.Ship{ShipmentID: shipment, Lines: lines, At: noon})
	}
}

// anyPast is what may have happened to an order: captured at once, or by hand,
// or not yet; shipped in parts; given back in parts; edited.
func anyPast(t *testing.T, s *shop, c cart, random *rand.Rand) {
	t.Helper()
	switch random.IntN(4) {
	case 0:
		s.eventually(t, c.id, process.Capture, "order")
	case 1:
		s.pay(t, "p1-"+c.id, domainpayment.RequestCapture{CaptureID: "by-hand-" + c.id, Amount: eur(1 + random.Int64N(s.order(t, c.id).Totals.Grand.Amount))})
	default:
	}
	if random.IntN(2) == 0 {
		s.randomParcel(t, c.id, "first", random)
	}
	if random.IntN(2) == 0 {
		if err := s.work(t, c.id); err != nil {
			t.Fatal(err)
		}
	}
	if most := s.order(t, c.id).Refundable().Amount; most > 0 && random.IntN(3) == 0 {
		s.tell(t, c.id, refund("goodwill", 1+random.Int64N(most)))
	}
}

// shipAll ships all of an order that may be captured at once, in one parcel or two.
func shipAll(t *testing.T, s *shop, c cart, random *rand.Rand) {
	t.Helper()
	if random.IntN(3) == 0 {
		s.eventually(t, c.id, process.Capture, "order")
	}
	s.randomParcel(t, c.id, "first", random)
	o := s.order(t, c.id)
	var rest []domainorder.Units
	for _, l := range o.Lines {
		if n := o.Left(l); n > 0 {
			rest = append(rest, domainorder.Units{LineID: l.LineID, Quantity: n})
		}
	}
	if len(rest) > 0 {
		s.tell(t, c.id, domainorder.Ship{ShipmentID: "last", Lines: rest, At: noon})
	}
}

func sagas() map[string]saga {
	return map[string]saga{
		"edit": edited(), "renew": renewed(), "exchange": exchanged(), "pay": paidByHand(),
		"capture": {
			kind: process.Capture, ref: "last", begin: shipAll,
			ended: func(t *testing.T, s *shop, c cart) {
				t.Helper()
				if o := s.order(t, c.id); o.Money().Captured != o.Totals.Grand || o.PaymentStatus() != domainorder.Captured {
					t.Errorf("%s of %s captured, %s", o.Money().Captured, o.Totals.Grand, o.PaymentStatus())
				}
			},
		},
		"cancel": {
			kind: process.Cancel, ref: "x",
			begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
				t.Helper()
				anyPast(t, s, c, random)
				if _, err := s.try(t.Context(), c.id, cancelled); err != nil && !errors.Is(err, domainorder.ErrTransition) {
					t.Fatal(err)
				}
			},
			ended: func(t *testing.T, s *shop, c cart) {
				t.Helper()
				o := s.order(t, c.id)
				if len(o.CancelRequests) == 0 {
					return // all of it was shipped
				}
				m, goodwill := o.Money(), int64(0)
				for _, r := range o.Refunds {
					if r.Requested.Reason == "goodwill" {
						goodwill = r.Requested.Amount.Amount
					}
				}
				kept := m.Captured.Amount - m.Refunded.Amount + goodwill
				if want := max(worth(o), goodwill); o.Status != domainorder.StatusCancelled || kept != want {
					t.Errorf("the order is %s, and keeps %d of %s for goods of %d", o.Status, kept, m.Captured, want)
				}
			},
		},
		"return": {
			kind: process.Return, ref: "back",
			begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
				t.Helper()
				shipAll(t, s, c, random)
				quantities := make([]int, len(c.quantities))
				for i, n := range c.quantities {
					quantities[i] = 1 + random.IntN(n)
				}
				s.comeBack(t, c.id, "back", domainorder.ForRefund, quantities...)
			},
			ended: func(t *testing.T, s *shop, c cart) {
				t.Helper()
				o := s.order(t, c.id)
				var want int64
				for i, u := range o.Returns[0].Received {
					want += c.totals[i] * int64(u.Quantity) / int64(c.quantities[i])
				}
				if m := o.Money(); m.Refunded.Amount != want || m.Captured != o.Totals.Grand {
					t.Errorf("%s captured, %s given back, want %d", m.Captured, m.Refunded, want)
				}
			},
		},
		"refund": {
			kind: process.Refund, ref: "r",
			begin: func(t *testing.T, s *shop, c cart, random *rand.Rand) {
				t.Helper()
				s.eventually(t, c.id, process.Capture, "order")
				s.tell(t, c.id, refund("r", 1+random.Int64N(s.order(t, c.id).Totals.Grand.Amount)))
			},
			ended: func(t *testing.T, s *shop, c cart) {
				t.Helper()
				if o := s.order(t, c.id); o.Money().Refunded != o.Refunds[0].Requested.Amount || o.Refunds[0].Status != domainorder.RefundDone {
					t.Errorf("%s given back, %+v", o.Money().Refunded, o.Refunds)
				}
			},
		},
	}
}

// worth is what was shipped costs, by its definition.
func worth(o domainorder.State) (n int64) {
	if len(o.Shipments) == 0 {
		return 0
	}
	for _, l := range o.Lines {
		n += l.Total.Amount * int64(o.Progress(l.LineID).Shipped) / int64(l.Quantity)
	}
	return n + o.Totals.Shipping.Amount
}

func randomCart(id string, random *rand.Rand) cart {
	methods := []string{"capture-timeout", "refund-timeout", "void-timeout"}
	c := cart{id: id, method: "sandbox:approved", shipping: random.Int64N(500), received: 100, oneSKU: random.IntN(3) == 0}
	if i := random.IntN(30); i < len(methods) {
		c.method = "sandbox:" + methods[i]
	}
	for range 1 + random.IntN(3) {
		c.quantities = append(c.quantities, 1+random.IntN(5))
		c.totals = append(c.totals, 1+random.Int64N(5000))
	}
	return c
}

// A process is killed at a gap of a task, others at random gaps of whatever
// they do then; in the end everything is done once, and all agree.
func TestWhateverIsKilledIsFinishedOnce(t *testing.T) {
	t.Parallel()
	seeds := handlertest.Seeds(t, 30)
	for name, saga := range sagas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for worker := range 2 {
				t.Run(fmt.Sprint(worker), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					for seed := uint64(worker); seed < seeds; seed += 2 { //nolint:gosec // small
						killed(t, w, saga, fmt.Sprintf("%s%d", name, seed), rand.New(rand.NewPCG(seed, 7)), int(seed%50)) //nolint:gosec // small
					}
				})
			}
		})
	}
}

// Every gap of a task, one after another.
func TestEveryGap(t *testing.T) {
	t.Parallel()
	for name, saga := range sagas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for seed := range handlertest.Seeds(t, 1) {
				for gap := 0; killed(t, w, saga, fmt.Sprintf("%s%d-%d", name, seed, gap), rand.New(rand.NewPCG(seed, 1)), gap); gap++ {
				}
			}
		})
	}
}

// killed reports false when the task was done before the gap.
func killed(t *testing.T, w *world, saga saga, id string, random *rand.Rand, gap int) bool {
	t.Helper()
	c := randomCart(id, random)
	s := w.shop(t)
	s.place(t, c)
	saga.begin(t, s, c, random)

	fault, dead := killAfter(gap)
	s.Fault = fault
	if len(s.also) == 1 {
		saga.ref = s.also[0].Ref
	}
	var err error
	if saga.act != nil {
		// Where it dies late it knows what to answer.
		if err = saga.act(t, s, c); err != nil && !dead() {
			t.Fatalf("%s: gap %d: %v", id, gap, err)
		}
	} else if err = s.do(t.Context(), id, saga.kind, saga.ref); dead() != errors.Is(err, errKilled) {
		t.Fatalf("%s: killed at gap %d: %v", id, gap, err)
	}
	for range random.IntN(3) {
		next := s.again(t)
		next.Fault, _ = killAfter(random.IntN(12))
		for _, task := range s.todo(t, id) {
			if err := next.Handlers()[task.Kind](t.Context(), task); errors.Is(err, errKilled) {
				break
			}
		}
	}
	if saga.meanwhile != nil {
		saga.meanwhile(t, s.again(t), c, random)
	}
	last := s.again(t)
	finish := saga.finish
	if finish == nil {
		finish = func(t *testing.T, s *shop, c cart) error { t.Helper(); return s.work(t, c.id) }
	}
	if err := finish(t, last, c); err != nil {
		t.Errorf("not finished: %v", err)
	}
	saga.ended(t, last, c)
	if last.agree(t, c); t.Failed() {
		t.Fatalf("%s: %+v, killed at gap %d", id, c, gap)
	}
	return dead()
}

// Four processes do the same tasks of an order at once, and four people want
// the same money back, fewer units, or nothing at all: nothing is done twice,
// and nothing beyond what is allowed.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for seed := range uint64(6) { //nolint:paralleltest // the ledger is audited as a whole
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			c := randomCart(fmt.Sprint("o", seed), random)
			c.method = "sandbox:approved"
			s := w.shop(t)
			s.place(t, c)
			o := s.order(t, c.id)
			if random.IntN(2) == 0 {
				s.eventually(t, c.id, process.Capture, "order")
			}
			edits := random.IntN(2) == 0
			if !edits {
				s.randomParcel(t, c.id, "a", random)
				s.randomParcel(t, c.id, "b", random)
			}
			grand := o.Totals.Grand.Amount
			work := func(next *shop) {
				for _, task := range next.todo(t, c.id) {
					_ = next.Handlers()[task.Kind](context.WithoutCancel(t.Context()), task)
				}
			}
			together(4, func(i int) {
				next := s.again(t)
				for range 3 {
					_, _ = next.try(t.Context(), c.id, refund(fmt.Sprint("r", i), 1+grand/2))
					if edits && i > 0 && c.quantities[0] > i {
						_, _ = next.try(t.Context(), c.id, fewer(o.Lines[0], fmt.Sprint("e", i), c.quantities[0]-i))
					}
					if edits && i < 3 {
						work(next)
						continue
					}
					_, _ = next.try(t.Context(), c.id, domainorder.RequestCancel{RequestID: fmt.Sprint("x", i), Reason: "late", By: "me"})
					work(next)
				}
			})
			last := s.again(t)
			if err := last.work(t, c.id); err != nil {
				t.Error(err)
			}
			last.agree(t, c)
			if m := last.order(t, c.id).Money(); m.Captured.Amount > grand || m.Refunded.Amount > m.Captured.Amount {
				t.Errorf("%s captured, %s given back of %d", m.Captured, m.Refunded, grand)
			}
		})
	}
}

// fewer leaves a line so many units, at the same price.
func fewer(l domainorder.Line, edit string, quantity int) domainorder.Edit {
	total := l.Total.Amount * int64(quantity) / int64(l.Quantity)
	l.Discount = eur(l.UnitPrice.Amount*int64(quantity) - total)
	l.Quantity, l.Total = quantity, eur(total)
	return domainorder.Edit{EditID: edit, Lines: []domainorder.Line{l}}
}

func together(n int, do func(int)) {
	done := make(chan struct{})
	for i := range n {
		go func() { do(i); done <- struct{}{} }()
	}
	for range n {
		<-done
	}
}
