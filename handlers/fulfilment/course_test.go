package fulfilment_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domainorder "github.com/waybill-dev/waybill/domain/order"
	domainpayment "github.com/waybill-dev/waybill/domain/payment"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
)

// course is what people do with one order, one random thing after another.
type course struct {
	*shop

	cart   cart
	random *rand.Rand
	steps  int
	log    []string

	refuses  *refusing // renewals, sometimes
	generous bool      // people give money back by hand, too
}

// refused lets a rule say no: nobody looks before asking.
func (c *course) refused(t *testing.T, what string, err error) {
	t.Helper()
	rule := (*domain.RuleError)(nil)
	if err != nil && !errors.As(err, &rule) {
		t.Fatalf("%s: %v\n%s", what, err, strings.Join(c.log, "\n"))
	}
	if err != nil {
		what += ": " + rule.Code
	}
	c.log = append(c.log, what)
}

func (c *course) name(kind string) string { return fmt.Sprint(kind, c.steps) }

func (c *course) command(t *testing.T, what string, command domainorder.Command) {
	t.Helper()
	_, err := c.try(t.Context(), c.cart.id, command)
	c.refused(t, fmt.Sprintf("%s %+v", what, command), err)
}

// step is one of the things that people do, or that happen by themselves.
func (c *course) step(t *testing.T) {
	t.Helper()
	steps := []func(*testing.T, domainorder.State){
		c.fewer, c.fewer, c.another, c.another, c.takeMoney, c.takeMoney, c.leave, c.holdOrRelease, c.cancel,
		c.takeBack, c.later, c.change, c.payAgain, c.giveBack, c.goOn, c.goOn,
	}
	c.steps++
	steps[c.random.IntN(len(steps))](t, c.order(t, c.cart.id))
}

// fewer takes units out of the order.
func (c *course) fewer(t *testing.T, o domainorder.State) {
	t.Helper()
	l := o.Lines[c.random.IntN(len(o.Lines))]
	c.command(t, "fewer", fewer(l, c.name("e"), c.random.IntN(l.Quantity)))
}

// takeMoney captures by hand.
func (c *course) takeMoney(t *testing.T, o domainorder.State) {
	t.Helper()
	capture := orders.Capture{CaptureID: c.name("c"), Final: c.random.IntN(8) == 0}
	if c.random.IntN(3) > 0 {
		amount := eur(1 + c.random.Int64N(o.Totals.Grand.Amount+1))
		capture.Amount = &amount
	}
	service := &orders.Service{Store: c.Store, Now: c.Now}
	done, err := service.Capture(t.Context(), orders.Request{OrderID: o.OrderID, Meta: meta(o.OrderID, c.name("capture"))}, capture)
	c.refused(t, fmt.Sprintf("capture %s, final %v, wanted %v", done.Movement.Amount, capture.Final, capture.Amount), err)
}

// leave is a parcel.
func (c *course) leave(t *testing.T, o domainorder.State) {
	t.Helper()
	c.command(t, "parcel", domainorder.Ship{ShipmentID: c.name("s"), At: noon, Lines: c.some(o, func(l domainorder.Line) int { return min(o.Left(l), 2) })})
}

// some are units of each line, or of none.
func (c *course) some(o domainorder.State, most func(domainorder.Line) int) (lines []domainorder.Units) {
	for _, l := range o.Lines {
		if n := c.random.IntN(most(l) + 1); n > 0 {
			lines = append(lines, domainorder.Units{LineID: l.LineID, Quantity: n})
		}
	}
	return lines
}

func (c *course) holdOrRelease(t *testing.T, _ domainorder.State) {
	t.Helper()
	if c.random.IntN(4) == 0 {
		c.command(t, "hold", domainorder.Hold{HoldID: c.name("h"), Reason: domainorder.HoldManual})
	} else {
		c.command(t, "release", domainorder.ReleaseHold{By: "me"})
	}
}

func (c *course) cancel(t *testing.T, _ domainorder.State) {
	t.Helper()
	if c.random.IntN(12) == 0 {
		c.command(t, "cancel", domainorder.RequestCancel{RequestID: c.name("x"), Reason: "late", By: "me"})
	}
}

// takeBack has units returned that were shipped.
func (c *course) takeBack(t *testing.T, o domainorder.State) {
	t.Helper()
	if !o.Returnable() {
		return
	}
	var asked []domainorder.ReturnedUnits
	var came []domainorder.ReceivedUnits
	out := func(l domainorder.Line) int { return o.Progress(l.LineID).Shipped - o.Progress(l.LineID).Returned }
	for _, u := range c.some(o, out) {
		asked = append(asked, domainorder.ReturnedUnits{LineID: u.LineID, Quantity: u.Quantity, Reason: "late"})
		came = append(came, domainorder.ReceivedUnits{LineID: u.LineID, Quantity: u.Quantity, Restock: true})
	}
	c.command(t, "ask back", domainorder.RequestReturn{ReturnID: c.name("b"), Lines: asked, Kind: domainorder.ForRefund})
	c.command(t, "come back", domainorder.ReceiveReturn{ReturnID: c.name("b"), Lines: came})
}

// later lets time pass, up to as long as an authorisation is good.
func (c *course) later(t *testing.T, o domainorder.State) {
	t.Helper()
	if c.random.IntN(2) == 0 {
		c.world.advance(time.Duration(c.random.IntN(168)) * time.Hour)
		c.log = append(c.log, "later "+c.world.now().String())
	}
	c.renewals(t, o)
}

// change has the gateway refuse renewals, or not.
func (c *course) change(_ *testing.T, _ domainorder.State) {
	how := []payment.Status{"", "", payment.Declined, payment.ActionRequired}[c.random.IntN(4)]
	c.refuses.from(how)
	c.log = append(c.log, "the gateway: "+string(how))
}

// payAgain has somebody pay, with whatever outcome.
func (c *course) payAgain(t *testing.T, o domainorder.State) {
	t.Helper()
	methods := []string{"approved", "declined", "timeout", "error", "timeout-declined", "action", "capture-timeout", "callback-first"}
	method := methods[c.random.IntN(len(methods))]
	_, err := c.Pay(t.Context(), asking(o.OrderID, c.name("k")), by(method))
	c.refused(t, "pay by "+method, err)
}

// giveBack refunds by hand, for units or for nothing.
func (c *course) giveBack(t *testing.T, o domainorder.State) {
	t.Helper()
	most := o.Refundable().Amount
	if !c.generous || most == 0 {
		return
	}
	r := refund(c.name("g"), 1+c.random.Int64N(most))
	if c.random.IntN(2) == 0 {
		r.Lines = c.some(o, func(l domainorder.Line) int { return l.Quantity })
	}
	c.command(t, "give back", r)
}

// goOn does what is to be done, and the shopper confirms a payment, or not.
func (c *course) goOn(t *testing.T, o domainorder.State) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(c.chain(t, o))) {
		if choice := c.random.IntN(3); choice < 2 {
			_, _ = c.world.sandbox.Act(t.Context(), key, choice == 0)
		}
	}
	c.log = append(c.log, fmt.Sprintf("work: %v", c.work(t, o.OrderID)))
}

// renewals are due for what is about to run out.
func (c *course) renewals(t *testing.T, o domainorder.State) {
	t.Helper()
	c.also = nil
	for id, p := range c.chain(t, o) {
		if p.Status == domainpayment.StatusAuthorised && p.ExpiresAt.Sub(c.world.now()) <= domainpayment.RenewBefore {
			c.also = append(c.also, process.Task{OrderID: o.OrderID, Kind: process.Reauthorise, Ref: id, Cause: "cause", OpenedAt: noon})
		}
	}
}

// another adds a line with its stock, as an edit does.
func (c *course) another(t *testing.T, o domainorder.State) {
	t.Helper()
	quantity, price := 1+c.random.IntN(3), c.random.Int64N(200)
	l := domainorder.Line{
		LineID: c.name("n"), SKU: c.cart.sku(0), Title: "Mug", Quantity: quantity, UnitPrice: eur(price), Discount: eur(0), Tax: eur(0),
		Total: eur(price * int64(quantity)), Location: "main", ReservationID: "edit:" + o.OrderID + c.name("r"),
	}
	item := stock.Item{Location: "main", SKU: l.SKU}
	for _, command := range []domainstock.Command{
		domainstock.Reserve{Location: "main", SKU: l.SKU, ReservationID: l.ReservationID, CheckoutID: "x", Quantity: quantity, ExpiresAt: noon.Add(time.Hour), At: noon},
		domainstock.Commit{ReservationID: l.ReservationID, OrderID: o.OrderID, At: noon},
	} {
		if _, err := c.writer.Handle(t.Context(), meta(fmt.Sprintf("%T", command), l.ReservationID), item, command); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.try(t.Context(), o.OrderID, domainorder.Edit{EditID: c.name("e"), Lines: []domainorder.Line{l}})
	c.refused(t, fmt.Sprintf("another line %s %s", l.LineID, l.Total), err)
	if err != nil {
		release := domainstock.Release{ReservationID: l.ReservationID, Reason: domainstock.Compensation}
		if _, err := c.writer.Handle(t.Context(), meta("release", l.ReservationID), item, release); err != nil {
			t.Fatal(err)
		}
	}
}

// end has the order paid, and ships what is left, or cancels it.
func (c *course) end(t *testing.T) {
	t.Helper()
	id := c.cart.id
	c.refuses.from("")
	c.pays = true // nobody confirms any more: time goes on
	for i, err := 0, error(nil); i < 4 && !errors.Is(err, fulfilment.ErrPaid); i++ {
		_, _ = c.try(t.Context(), id, domainorder.ReleaseHold{By: fmt.Sprint("end", i)})
		c.renewals(t, c.order(t, id))
		_ = c.work(t, id)
		_, err = c.Pay(t.Context(), asking(id, fmt.Sprint("end", i)), by("approved"))
		c.refused(t, "pay in the end", err)
	}
	c.steps++
	_, _ = c.try(t.Context(), id, domainorder.ReleaseHold{By: "last"})
	if c.random.IntN(2) == 0 {
		c.command(t, "cancel", domainorder.RequestCancel{RequestID: c.name("x"), Reason: "late", By: "me"})
	} else {
		o := c.order(t, id)
		var lines []domainorder.Units
		for _, l := range o.Lines {
			if n := o.Left(l); n > 0 {
				lines = append(lines, domainorder.Units{LineID: l.LineID, Quantity: n})
			}
		}
		c.command(t, "rest", domainorder.Ship{ShipmentID: c.name("s"), Lines: lines, At: noon})
	}
	if err := c.work(t, id); err != nil {
		t.Errorf("not finished: %v", err)
	}
}

// right checks what the shop keeps, and that it holds nothing more. What was
// given back by hand, for whatever reason, is between it and the customer.
func (c *course) right(t *testing.T) {
	t.Helper()
	o := c.order(t, c.cart.id)
	price := o.Totals.Grand.Amount
	if o.Status == domainorder.StatusCancelled {
		price = worth(o)
	}
	var byHand, returned int64
	for _, r := range o.Refunds {
		if r.Requested.Reason == "goodwill" {
			byHand += o.Reported(r.Requested.RefundID)
		}
	}
	for _, l := range o.Lines {
		returned += l.Total.Amount * int64(o.Progress(l.LineID).Returned) / int64(l.Quantity)
	}
	m := o.Money()
	kept := m.Captured.Amount - m.Refunded.Amount
	if most, least := price-returned, max(0, price-returned-byHand); kept > most || kept < least {
		t.Errorf("%d kept of %s, %d given back by hand; it is between %d and %d", kept, m.Captured, byHand, least, most)
	}
	if held, _ := c.held(t, c.cart.id); held != 0 {
		t.Errorf("%d is still held", held)
	}
	c.agree(t, c.cart)
}

// Whatever people do with an order, in the end the shop has what the goods cost
// that the customer kept, to the penny, and every unit is accounted for.
func TestWhateverIsDoneTheMoneyIsRight(t *testing.T) {
	t.Parallel()
	for worker := range uint64(2) {
		t.Run(fmt.Sprint(worker), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for seed := worker; seed < handlertest.Seeds(t, 60); seed += 2 {
				random := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // repeatable
				c := &course{shop: w.shop(t), cart: randomCart(fmt.Sprint("o", seed), random), random: random}
				c.cart.method = "sandbox:approved"
				for i := range c.cart.quantities {
					c.cart.quantities[i] *= 1 + random.IntN(3)
				}
				c.generous = seed%3 == 2
				sandboxed, _ := c.Gateways.Provider("sandbox")
				c.refuses = &refusing{Provider: sandboxed}
				c.Gateways = gateways{"sandbox": c.refuses}
				c.place(t, c.cart)
				for range 5 + random.IntN(30) {
					c.step(t)
				}
				c.end(t)
				if c.right(t); t.Failed() {
					t.Fatalf("seed %d: %+v\n%s", seed, c.cart, strings.Join(c.log, "\n"))
				}
			}
		})
	}
}
