package orders_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	domaincatalog "github.com/waybill-dev/waybill/domain/catalog"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	domainprocess "github.com/waybill-dev/waybill/domain/process"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/catalog"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/handlers/stock"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// shop is a store with mugs and cups, 100 of each, and what changes orders.
type shop struct {
	*orders.Service
	store *eventstore.Client
	items *stock.Writer
}

func open(t *testing.T) shop {
	t.Helper()
	store := handlertest.Start(t)
	products, err := catalog.New(store, 0)
	check(t, err)
	items, err := stock.NewWriter(stock.Config{Store: store, Now: time.Now})
	check(t, err)
	s := shop{store: store, items: items, Service: &orders.Service{
		Store: store, Pricer: checkout.Prices{Products: products}, Stock: items, Now: time.Now,
	}}
	for sku, price := range map[string]int64{"MUG": 1250, "CUP": 500} {
		_, err := products.Register(t.Context(), meta(), domaincatalog.Register{
			SKU: sku, Title: sku, Prices: []domaincatalog.Price{{Money: eur(price)}}, At: noon,
		})
		check(t, err)
		s.item(t, sku, domainstock.Receive{Location: "main", SKU: sku, Quantity: 100, Ref: "first"})
	}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func meta() eventstore.Metadata { return eventstore.Metadata{CommandID: uuid.NewString()} }

func (s shop) item(t *testing.T, sku string, c domainstock.Command) domainstock.State {
	t.Helper()
	receipt, err := s.items.Handle(t.Context(), meta(), stock.Item{Location: "main", SKU: sku}, c)
	check(t, err)
	return receipt.State
}

// committed returns how many units of a SKU belong to orders, and fails where
// some are merely reserved.
func (s shop) committed(t *testing.T, sku string) int {
	t.Helper()
	state, _, err := eventstore.Load(t.Context(), s.store, domainstock.Decider, domainstock.ID("main", sku))
	check(t, err)
	return state.Committed
}

// place makes an order of mugs whose money is held: so much of it.
func (s shop) place(t *testing.T, mugs int, held int64) (id string) {
	t.Helper()
	id = uuid.NewString()
	reservation := "r-" + id
	s.item(t, "MUG", domainstock.Reserve{Location: "main", SKU: "MUG", ReservationID: reservation, CheckoutID: id, Quantity: mugs, ExpiresAt: noon.Add(time.Hour), At: noon})
	s.item(t, "MUG", domainstock.Commit{ReservationID: reservation, OrderID: id, At: noon})
	total := eur(1250 * int64(mugs))
	payments := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: s.store, Decider: payment.Decider}
	for _, c := range []payment.Command{
		payment.Request{PaymentID: "p-" + id, OrderID: id, Amount: eur(held), Method: "m", Gateway: "sandbox", Key: "p-" + id, At: noon},
		payment.Authorise{GatewayRef: "ref", Amount: eur(held), ExpiresAt: noon.Add(24 * time.Hour)},
	} {
		_, err := payments.Handle(t.Context(), "p-"+id, meta(), c)
		check(t, err)
	}
	s.decide(t, id, order.Place{Order: order.OrderPlaced{
		OrderID: id, Number: "1", CheckoutID: id, CustomerID: "c", Currency: "EUR", PaymentID: "p-" + id, Authorised: eur(held), PlacedAt: noon,
		Lines: []order.Line{{
			LineID: "1", SKU: "MUG", Title: "MUG", Quantity: mugs, UnitPrice: eur(1250), Discount: eur(0), Tax: eur(0), Total: total, Location: "main",
			ReservationID: reservation,
		}},
		Totals: order.Totals{Subtotal: total, Discount: eur(0), Shipping: eur(0), Tax: eur(0), Grand: total},
	}})
	return id
}

func (s shop) decide(t *testing.T, id string, c order.Command) {
	t.Helper()
	h := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: s.store, Decider: order.Decider}
	_, err := h.Handle(t.Context(), id, meta(), c)
	check(t, err)
}

// keyed is a request under a caller's key.
func keyed(id, key string) orders.Request {
	return orders.Request{OrderID: id, Meta: eventstore.Metadata{CommandID: eventstore.DeriveID("command", id, key), Fingerprint: "f"}}
}

// lessAndMore is one mug less, and three cups.
func lessAndMore(key string) orders.Edit {
	return orders.Edit{EditID: "edit-" + key, Lines: []orders.EditLine{{LineID: "1", Quantity: 1}, {SKU: "CUP", Quantity: 1}, {SKU: "CUP", Quantity: 2}}}
}

func TestAnEditHasItsUnits(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 2, 3750)
	result, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k"))
	check(t, err)
	if got := result.State.Totals.Grand; got != eur(2750) || len(result.State.Lines) != 3 || result.State.Lines[2].LineID != "3" {
		t.Errorf("the order costs %v: %+v", got, result.State.Lines)
	}
	for _, l := range result.State.Lines[1:] {
		state, _, err := eventstore.Load(t.Context(), s.store, domainstock.Decider, "main.CUP")
		check(t, err)
		if r, made := state.Reservation(l.ReservationID); !made || r.Status != domainstock.StatusCommitted || r.OrderID != id || r.Quantity != 3 {
			t.Errorf("line %s: reservation %+v", l.LineID, r)
		}
	}
	again, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k"))
	if err != nil || !again.Replayed || again.Revision != result.Revision || s.committed(t, "CUP") != 3 {
		t.Errorf("again: %+v, %v, %d cups", again, err, s.committed(t, "CUP"))
	}
	// A line that was taken out does not lend its number to another.
	_, err = s.Edit(t.Context(), keyed(id, "out"), orders.Edit{EditID: "out", Lines: []orders.EditLine{{LineID: "3", Quantity: 0}}})
	check(t, err)
	last, err := s.Edit(t.Context(), keyed(id, "in"), orders.Edit{EditID: "in", Lines: []orders.EditLine{{SKU: "CUP", Quantity: 1}}})
	if err != nil || last.State.Lines[2].LineID != "4" {
		t.Errorf("%v, %+v", err, last.State.Lines)
	}
}

func TestAnEditThatIsRefusedTakesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []orders.EditLine
		want  error
	}{
		"too dear":              {[]orders.EditLine{{SKU: "CUP", Quantity: 3}}, order.ErrExceedsAuthorised},
		"one of two is missing": {[]orders.EditLine{{LineID: "1", Quantity: 0}, {SKU: "CUP", Quantity: 1}, {SKU: "MUG", Quantity: 1, Location: "moon"}}, domainstock.ErrOutOfStock},
		"no product":            {[]orders.EditLine{{SKU: "CUP", Quantity: 1}, {SKU: "NONE", Quantity: 1}}, domaincheckout.ErrCart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			id := s.place(t, 2, 3750)
			_, err := s.Edit(t.Context(), keyed(id, "k"), orders.Edit{EditID: "k", Lines: c.lines})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			state := s.item(t, "CUP", domainstock.Sweep{At: noon})
			if state.Committed+state.Reserved != 0 || s.committed(t, "MUG") != 2 {
				t.Errorf("%d cups are taken, %d mugs", state.Committed+state.Reserved, s.committed(t, "MUG"))
			}
			state2, _, err := s.At(t.Context(), id, orders.Moment{})
			if err != nil || len(state2.Edits) != 0 {
				t.Errorf("edits %v, %v", state2.Edits, err)
			}
		})
	}
}

// TestAnEditThatIsOvertakenGivesBack lets the order change between the units
// being taken and the edit being recorded.
func TestAnEditThatIsOvertakenGivesBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 2, 3750)
	s.Fault = func(step string) error {
		if step == "commit CUP" {
			s.decide(t, id, order.Ship{ShipmentID: "s1", Lines: []order.Units{{LineID: "1", Quantity: 2}}, At: noon})
		}
		return nil
	}
	if _, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k")); !errors.Is(err, order.ErrTransition) {
		t.Fatalf("an edit of a shipped order: %v", err)
	}
	if n := s.committed(t, "CUP"); n != 0 {
		t.Errorf("%d cups were not given back", n)
	}
	s.Fault = nil
	id = s.place(t, 2, 3750)
	company := 0
	s.Fault = func(step string) error { // harmless company
		if step == "commit CUP" {
			company++
			s.decide(t, id, order.Tag{Add: []string{fmt.Sprint("company-", company)}})
		}
		return nil
	}
	s.Config.Budget = time.Minute
	if _, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k")); !errors.Is(err, eventstore.ErrConflict) || s.committed(t, "CUP") != 0 {
		t.Errorf("others who keep winning: %v, %d cups", err, s.committed(t, "CUP"))
	}
}

var errKilled = errors.New("killed")

// TestAnEditIsKilledAtEveryGap ends the process between every two appends. Who
// asks again gets the edit, once; where nobody does, the units come back.
func TestAnEditIsKilledAtEveryGap(t *testing.T) {
	t.Parallel()
	s := open(t)
	gaps := []string{}
	s.Fault = func(step string) error { gaps = append(gaps, step); return nil }
	_, err := s.Edit(t.Context(), keyed(s.place(t, 2, 3750), "k"), lessAndMore("k"))
	check(t, err)
	if !slices.Equal(gaps, []string{"reserve CUP", "commit CUP", "recorded"}) {
		t.Fatalf("gaps %q", gaps)
	}
	cups := 3
	for _, gap := range gaps {
		for _, repeated := range []bool{true, false} {
			id := s.place(t, 2, 3750)
			s.Fault = func(step string) error {
				if step == gap {
					return errKilled
				}
				return nil
			}
			if _, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k")); !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", gap, err)
			}
			s.Fault = nil
			if repeated {
				result, err := s.Edit(t.Context(), keyed(id, "k"), lessAndMore("k"))
				if err != nil || len(result.State.Edits) != 1 {
					t.Fatalf("%s, again: %+v, %v", gap, result.State.Edits, err)
				}
			}
			s.giveBack(t, id)
			state := s.item(t, "CUP", domainstock.Sweep{At: time.Now().Add(time.Hour)})
			placed, _, err := s.At(t.Context(), id, orders.Moment{})
			check(t, err)
			if len(placed.Edits) > 0 {
				cups += 3
			}
			if len(placed.Edits) == 0 && (repeated || gap == "recorded") || state.Committed != cups || state.Reserved != 0 {
				t.Errorf("%s, repeated %t: %d edits, %d cups committed, %d reserved, want %d", gap, repeated, len(placed.Edits), state.Committed, state.Reserved, cups)
			}
		}
	}
}

// giveBack does the tasks that commits for edits have opened.
func (s shop) giveBack(t *testing.T, orderID string) {
	t.Helper()
	for r, err := range s.store.ReadStream(t.Context(), "stock-main.CUP", 0) {
		check(t, err)
		event, err := r.Decode()
		check(t, err)
		if e, is := event.(domainstock.StockCommitted); is && e.OrderID == orderID && strings.HasPrefix(e.ReservationID, domainstock.ForEdit) {
			ref := domainstock.ID(e.Location, e.SKU) + "#" + e.ReservationID
			for range 2 {
				check(t, s.GiveBack(t.Context(), process.Task{OrderID: e.OrderID, Kind: domainprocess.EditStock, Ref: ref}))
			}
		}
	}
}

// TestSimultaneousEdits never promises more than money is held for, nor takes
// units for what is refused.
func TestSimultaneousEdits(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 2, 3750) // covers two cups more
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			_, err := s.Edit(t.Context(), keyed(id, fmt.Sprint(i)), orders.Edit{EditID: fmt.Sprint(i), Lines: []orders.EditLine{{SKU: "CUP", Quantity: 1}}})
			if err != nil && !errors.Is(err, order.ErrExceedsAuthorised) && !errors.Is(err, eventstore.ErrConflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	state, _, err := s.At(t.Context(), id, orders.Moment{})
	check(t, err)
	if state.Totals.Grand.Amount > 3750 || len(state.Edits) == 0 || s.committed(t, "CUP") != len(state.Edits) {
		t.Errorf("%v, %d edits, %d cups", state.Totals.Grand, len(state.Edits), s.committed(t, "CUP"))
	}
}

func TestSimultaneousCaptures(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 3, 3750)
	amount := eur(1500)
	var group sync.WaitGroup
	var mu sync.Mutex
	ids, refused := map[string]bool{}, 0
	for i := range 8 {
		group.Go(func() {
			key := fmt.Sprint(i % 4)
			captured, err := s.Capture(t.Context(), keyed(id, key), orders.Capture{CaptureID: "c" + key, Amount: &amount})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ids[captured.Movement.ID] = true
			case errors.Is(err, payment.ErrExceedsAuthorised):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(ids) != 2 || refused != 4 {
		t.Errorf("of four captures of 15.00 EUR, each asked for twice, of 37.50 EUR: %v, %d refused", ids, refused)
	}
}

// TestNoMoreIsCapturedThanTheOrderCosts edits an order, so that more is held
// than it costs.
func TestNoMoreIsCapturedThanTheOrderCosts(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 3, 3750)
	_, err := s.Edit(t.Context(), keyed(id, "e"), orders.Edit{EditID: "e", Lines: []orders.EditLine{{LineID: "1", Quantity: 1}}})
	check(t, err)
	much, some := eur(1251), eur(250)
	if _, err := s.Capture(t.Context(), keyed(id, "much"), orders.Capture{CaptureID: "much", Amount: &much}); !errors.Is(err, payment.ErrExceedsAuthorised) {
		t.Errorf("more than it costs: %v", err)
	}
	first, err := s.Capture(t.Context(), keyed(id, "some"), orders.Capture{CaptureID: "some", Amount: &some})
	check(t, err)
	rest, err := s.Capture(t.Context(), keyed(id, "rest"), orders.Capture{CaptureID: "rest"})
	check(t, err)
	if first.Movement.Amount != some || rest.Movement.Amount != eur(1000) {
		t.Errorf("%s and %s of 12.50 EUR", first.Movement.Amount, rest.Movement.Amount)
	}
	if _, err := s.Capture(t.Context(), keyed(id, "more"), orders.Capture{CaptureID: "more"}); !errors.Is(err, payment.ErrExceedsAuthorised) {
		t.Errorf("nothing is left: %v", err)
	}
}

// More is held than the order costs, and several capture all of that at the
// same moment.
func TestSimultaneousCapturesOfWhatTheOrderCosts(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 5 {
		id := s.place(t, 2, 7500)
		begin := make(chan struct{})
		var group sync.WaitGroup
		var taken atomic.Int32
		for i := range 4 {
			group.Go(func() {
				<-begin
				_, err := s.Capture(t.Context(), keyed(id, fmt.Sprint(i)), orders.Capture{CaptureID: fmt.Sprint("c", i)})
				switch {
				case err == nil:
					taken.Add(1)
				case !errors.Is(err, payment.ErrExceedsAuthorised):
					t.Error(err)
				}
			})
		}
		close(begin)
		group.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%d captures of 25.00 EUR each, of an order of 25.00 EUR", n)
		}
	}
}

// The id of a capture is the order's: asked for once more, it is not a capture
// of another payment.
func TestACaptureIsOfOnePayment(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 3, 2500)
	payments := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: s.store, Decider: payment.Decider}
	for _, c := range []payment.Command{
		payment.Request{PaymentID: "second-" + id, OrderID: id, Amount: eur(2500), Method: "m", Gateway: "sandbox", Key: "second-" + id, At: noon},
		payment.Authorise{GatewayRef: "ref", Amount: eur(2500), ExpiresAt: noon.Add(24 * time.Hour)},
	} {
		_, err := payments.Handle(t.Context(), "second-"+id, meta(), c)
		check(t, err)
	}
	s.decide(t, id, order.UpdatePayment{
		PaymentID: "second-" + id, Revision: 1, Kind: order.PaymentAuthorised, Amount: eur(2500),
		Totals: order.PaymentTotals{Authorised: eur(2500), Captured: eur(0), Refunded: eur(0)},
	})
	amount := eur(1500)
	first, err := s.Capture(t.Context(), keyed(id, "a"), orders.Capture{CaptureID: "c", PaymentID: "second-" + id, Amount: &amount})
	check(t, err)
	again, err := s.Capture(t.Context(), keyed(id, "b"), orders.Capture{CaptureID: "c", Amount: &amount})
	check(t, err)
	if first.Payment.PaymentID != "second-"+id || again.Payment.PaymentID != "second-"+id {
		t.Errorf("captured of %s, and again of %s", first.Payment.PaymentID, again.Payment.PaymentID)
	}
	if _, err := s.Capture(t.Context(), keyed(id, "c"), orders.Capture{CaptureID: "c", PaymentID: "p-" + id, Amount: &amount}); !errors.Is(err, payment.ErrIDReused) {
		t.Errorf("the same id for another payment: %v", err)
	}
}

// TestACaptureIsCollected lets the gateway take the money within the request.
func TestACaptureIsCollected(t *testing.T) {
	t.Parallel()
	s := open(t)
	payments := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: s.store, Decider: payment.Decider}
	var answer func(id string) payment.Command
	s.Collect = func(ctx context.Context, _, paymentID, captureID string) error {
		if answer == nil {
			return errKilled
		}
		_, err := payments.Handle(ctx, paymentID, meta(), answer(captureID))
		return err
	}
	for name, c := range map[string]struct {
		answer func(id string) payment.Command
		want   payment.MovementStatus
	}{
		"taken":    {func(id string) payment.Command { return payment.Capture{CaptureID: id, GatewayRef: "r"} }, payment.MovementDone},
		"refused":  {func(id string) payment.Command { return payment.FailCapture{CaptureID: id, Code: "expired"} }, payment.MovementFailed},
		"no reply": {nil, payment.MovementRequested},
	} {
		answer = c.answer
		id := s.place(t, 3, 3750)
		captured, err := s.Capture(t.Context(), keyed(id, "k"), orders.Capture{CaptureID: "c"})
		if err != nil || captured.Movement.Status != c.want || captured.Movement.Amount != eur(3750) {
			t.Errorf("%s: %+v, %v", name, captured.Movement, err)
		}
		again, err := s.Capture(t.Context(), keyed(id, "k"), orders.Capture{CaptureID: "c"})
		if err != nil || !again.Replayed || again.Movement != captured.Movement {
			t.Errorf("%s, again: %+v, %v", name, again, err)
		}
	}
}

// TestPartsOfALine compares the parts of discount and tax with the whole.
func TestPartsOfALine(t *testing.T) {
	t.Parallel()
	s := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		id, n := uuid.NewString(), 2+random.IntN(50)
		discount, tax := random.Int64N(2000), random.Int64N(2000)
		price := eur(1250 * int64(n))
		total := eur(price.Amount - discount + tax)
		s.decide(t, id, order.Place{Order: order.OrderPlaced{
			OrderID: id, Number: "1", Currency: "EUR", PaymentID: "p-" + id, Authorised: total, PlacedAt: noon,
			Lines: []order.Line{{
				LineID: "1", SKU: "MUG", Title: "MUG", Quantity: n, UnitPrice: eur(1250), Discount: eur(discount), Tax: eur(tax), Total: total, Location: "main",
				ReservationID: "r",
			}},
			Totals: order.Totals{Subtotal: price, Discount: eur(discount), Shipping: eur(0), Tax: eur(tax), Grand: total},
		}})
		left := 1 + random.IntN(n-1)
		result, err := s.Edit(t.Context(), keyed(id, "k"), orders.Edit{EditID: "k", Lines: []orders.EditLine{{LineID: "1", Quantity: left}}})
		check(t, err)
		line := result.State.Lines[0]
		for _, of := range []struct{ got, whole int64 }{{line.Discount.Amount, discount}, {line.Tax.Amount, tax}} {
			if off := 2 * (of.got*int64(n) - of.whole*int64(left)); off > int64(n) || off < -int64(n) {
				t.Errorf("%d of %d units have %d of %d", left, n, of.got, of.whole)
			}
		}
	}
}

func TestAnOrderInThePast(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := s.place(t, 1, 1250)
	s.decide(t, id, order.Tag{Add: []string{"a"}})
	s.decide(t, id, order.Tag{Add: []string{"b"}})
	var created []time.Time
	for r, err := range s.store.ReadStream(t.Context(), order.Decider.Stream(id), 0) {
		check(t, err)
		created = append(created, r.Created)
	}
	at := func(r eventstore.Revision) *eventstore.Revision { return &r }
	for name, c := range map[string]struct {
		moment orders.Moment
		tags   []string
		last   eventstore.Revision
		want   error
	}{
		"now":                {orders.Moment{}, []string{"a", "b"}, 2, nil},
		"the first revision": {orders.Moment{Revision: at(0)}, nil, 0, nil},
		"the last one":       {orders.Moment{Revision: at(2)}, []string{"a", "b"}, 2, nil},
		"one to come":        {orders.Moment{Revision: at(3)}, nil, 0, orders.ErrFuture},
		"when it was placed": {orders.Moment{Time: created[0]}, nil, 0, nil},
		"before that":        {orders.Moment{Time: created[0].Add(-time.Millisecond)}, nil, 0, orders.ErrNotFound},
		"tomorrow":           {orders.Moment{Time: created[2].Add(24 * time.Hour)}, []string{"a", "b"}, 2, nil},
	} {
		state, last, err := s.At(t.Context(), id, c.moment)
		if !errors.Is(err, c.want) || c.want == nil && (last != c.last || !slices.Equal(state.Tags, c.tags)) {
			t.Errorf("%s: %v at %d, %v", name, state.Tags, last, err)
		}
	}
	if _, _, err := s.At(t.Context(), "none", orders.Moment{Revision: at(3)}); !errors.Is(err, orders.ErrNotFound) {
		t.Errorf("an order that is not there: %v", err)
	}
}
