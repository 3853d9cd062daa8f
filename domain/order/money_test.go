package order_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/order"
)

// update is the command that an update comes from.
func update(e order.OrderPaymentUpdated) order.UpdatePayment {
	return order.UpdatePayment{PaymentID: e.PaymentID, Revision: e.PaymentRevision, Kind: e.Kind, Ref: e.Ref, Amount: e.Amount, Totals: e.Totals, Final: e.Final}
}

func TestCopyingPayments(t *testing.T) {
	t.Parallel()
	first := updated(3, order.PaymentCaptured, "k1", 1000, 3900, 1000, 0)
	second := updated(5, order.PaymentCaptured, "k2", 500, 3900, 1500, 0)
	other := first
	other.Amount = eur(1)
	extra := updated(1, order.PaymentAuthorised, "", 700, 700, 0, 0)
	extra.PaymentID = "p2"
	pounds := first
	pounds.Amount.Currency = "GBP"
	huge := updated(4, order.PaymentAuthorised, "", 1, math.MaxInt64, 0, 0)
	decidertest.Run(t, order.Decider, []row{
		{Name: "a capture is copied", Given: events{two()}, When: update(first), Then: events{first}},
		{Name: "also to a held order", Given: events{two(), held("h", order.HoldFraud)}, When: update(first), Then: events{first}},
		{Name: "the next is copied", Given: events{two(), first}, When: update(second), Then: events{second}},
		{Name: "one that was overtaken changes nothing", Given: events{two(), second}, When: update(first)},
		{Name: "the same event with other content is refused", Given: events{two(), first}, When: update(other), Refused: order.ErrIDReused},
		{Name: "another payment is copied", Given: events{two(), first}, When: update(extra), Then: events{extra}},
		{Name: "a capture and a refund have an id", Given: events{two()}, When: update(updated(1, order.PaymentRefunded, "", 1, 2, 2, 1)), Refused: order.ErrInvalid.Because(name("/ref"))},
		{Name: "a payment is of the order's currency", Given: events{two()}, When: update(pounds), Refused: domain.ErrCurrencyMismatch},
		{Name: "no more is captured than authorised", Given: events{two()}, When: update(updated(1, order.PaymentCaptured, "k", 1, 100, 101, 0)), Refused: order.ErrExceedsAuthorised},
		{Name: "no more is given back than captured", Given: events{two()}, When: update(updated(1, order.PaymentRefunded, "k", 1, 100, 50, 51)), Refused: order.ErrExceedsCaptured},
		{Name: "nothing is negative", Given: events{two()}, When: update(updated(1, order.PaymentFailed, "", -1, 0, 0, 0)), Refused: order.ErrInvalid},
		{Name: "a kind is known", Given: events{two()}, When: update(updated(1, "stolen", "", 1, 0, 0, 0)), Refused: order.ErrInvalid},
		{Name: "a revision is not negative", Given: events{two()}, When: update(updated(-1, order.PaymentFailed, "", 1, 0, 0, 0)), Refused: order.ErrInvalid},
		{Name: "there is not that much money", Given: events{two(), extra}, When: update(huge), Refused: domain.ErrAmountOverflow},
	})
}

func TestPaymentFollowsFromUpdates(t *testing.T) {
	t.Parallel()
	second := func(e order.OrderPaymentUpdated) order.OrderPaymentUpdated {
		e.PaymentID = "p2"
		return e
	}
	expired := updated(1, order.PaymentExpired, "", 3900, 3900, 0, 0)
	voided := updated(1, order.PaymentVoided, "", 3900, 3900, 0, 0)
	half := updated(1, order.PaymentCaptured, "k", 1900, 3900, 1900, 0)
	last := half
	last.Final = true
	for name, c := range map[string]struct {
		given events
		want  order.PaymentStatus
	}{
		"placed":                             {events{}, order.Authorised},
		"a failed capture":                   {events{updated(1, order.PaymentFailed, "", 3900, 3900, 0, 0)}, order.Authorised},
		"a part captured":                    {events{half}, order.PartiallyCaptured},
		"all captured":                       {events{updated(1, order.PaymentCaptured, "k", 3900, 3900, 3900, 0)}, order.Captured},
		"a part captured, the rest let go":   {events{half, updated(2, order.PaymentVoided, "", 2000, 3900, 1900, 0)}, order.Captured},
		"a part captured, the rest too late": {events{half, updated(2, order.PaymentExpired, "", 2000, 3900, 1900, 0)}, order.Captured},
		"a part given back":                  {events{half, updated(2, order.PaymentRefunded, "r", 1, 3900, 1900, 1)}, order.PartiallyRefunded},
		"all given back":                     {events{half, updated(2, order.PaymentRefunded, "r", 1900, 3900, 1900, 1900)}, order.Refunded},
		"let go":                             {events{voided}, order.Voided},
		"too late":                           {events{expired}, order.Expired},
		"too late, and authorised again":     {events{expired, second(updated(1, order.PaymentAuthorised, "", 3900, 3900, 0, 0))}, order.Authorised},
		"and let go": {
			events{expired, second(updated(1, order.PaymentAuthorised, "", 3900, 3900, 0, 0)), second(updated(2, order.PaymentVoided, "", 3900, 3900, 0, 0))},
			order.Expired,
		},
		"a part captured for the last time": {events{last}, order.Captured},
		"charged back":                      {events{half, updated(2, order.PaymentChargedBack, "", 1900, 3900, 1900, 0)}, order.ChargedBack},
	} {
		if got := order.Decider.Fold(order.Decider.Fold(order.State{}, order.Event(two())), c.given...).PaymentStatus(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestRefunding(t *testing.T) {
	t.Parallel()
	refund := func(id string, amount int64) order.RequestRefund {
		return order.RequestRefund{RefundID: id, Amount: eur(amount), Reason: "late"}
	}
	wanted := func(id string, amount int64) order.OrderRefundRequested {
		return order.OrderRefundRequested{OrderID: "o", RefundID: id, Amount: eur(amount), Reason: "late"}
	}
	for1 := refund("r1", 1000)
	for1.Lines = units(1, 0)
	empty := refund("r1", 1000)
	empty.Lines = []order.Units{}
	with1 := wanted("r1", 1000)
	with1.Lines = for1.Lines
	captured := updated(1, order.PaymentCaptured, "k", 3900, 3900, 3900, 0)
	seen := updated(2, order.PaymentRefunded, "r1", 3000, 3900, 3900, 3000)
	outside := updated(2, order.PaymentRefunded, "x", 3000, 3900, 3900, 3000)
	back := updated(2, order.PaymentChargedBack, "", 3000, 3900, 3900, 0)
	refunded := order.OrderRefunded{OrderID: "o", RefundID: "r1", Amount: eur(3000)}
	failed := order.OrderRefundFailed{OrderID: "o", RefundID: "r1", Code: "card_closed"}
	part := updated(2, order.PaymentRefunded, "r1", 2000, 3900, 3900, 2000)
	second, rest := updated(1, order.PaymentCaptured, "k", 1000, 1000, 1000, 0), updated(2, order.PaymentRefunded, "r1", 1000, 1000, 1000, 1000)
	second.PaymentID, rest.PaymentID = "p2", "p2"
	left := func(requested, available string) *domain.RuleError {
		return order.ErrExceedsCaptured.With("requested", requested).With("available", available)
	}
	decidertest.Run(t, order.Decider, []row{
		{Name: "money is to be given back", Given: events{two(), captured}, When: refund("r1", 3900), Then: events{wanted("r1", 3900)}},
		{Name: "for some lines", Given: events{two(), captured}, When: for1, Then: events{with1}},
		{Name: "for none", Given: events{two(), captured}, When: empty, Then: events{wanted("r1", 1000)}},
		{Name: "in whatever state", Given: events{two(), captured, cancelRequested("c")}, When: refund("r1", 3900), Then: events{wanted("r1", 3900)}},
		{Name: "not what is not captured", Given: events{two()}, When: refund("r1", 1), Refused: left("0.01 EUR", "0.00 EUR")},
		{Name: "not what is about to be given back", Given: events{two(), captured, wanted("r1", 3000)}, When: refund("r2", 901), Refused: left("9.01 EUR", "9.00 EUR")},
		{Name: "not what was given back", Given: events{two(), captured, wanted("r1", 3000), refunded}, When: refund("r2", 901), Refused: left("9.01 EUR", "9.00 EUR")},
		{Name: "the payment heard first: it counts once", Given: events{two(), captured, wanted("r1", 3000), seen}, When: refund("r2", 900), Then: events{wanted("r2", 900)}},
		{Name: "both heard: it counts once", Given: events{two(), captured, wanted("r1", 3000), refunded, seen}, When: refund("r2", 900), Then: events{wanted("r2", 900)}},
		{Name: "both heard: it counts", Given: events{two(), captured, wanted("r1", 3000), seen, refunded}, When: refund("r2", 901), Refused: left("9.01 EUR", "9.00 EUR")},
		{Name: "nor what somebody gave back elsewhere", Given: events{two(), captured, wanted("r1", 500), outside}, When: refund("r2", 401), Refused: left("4.01 EUR", "4.00 EUR")},
		{Name: "nor what was charged back", Given: events{two(), captured, back}, When: refund("r1", 901), Refused: left("9.01 EUR", "9.00 EUR")},
		{Name: "a part that a payment reported counts once", Given: events{two(), captured, wanted("r1", 3000), part}, When: refund("r2", 901), Refused: left("9.01 EUR", "9.00 EUR")},
		{Name: "and what another one reports is the rest", Given: events{two(), captured, second, wanted("r1", 3000), part, rest}, When: refund("r2", 1900), Then: events{wanted("r2", 1900)}},
		{Name: "a part is not the whole", Given: events{two(), captured, wanted("r1", 3000), part}, When: order.FailRefund{RefundID: "r1", Code: "card_closed"}, Then: events{failed}},
		{Name: "what failed is there again", Given: events{two(), captured, wanted("r1", 3000), failed}, When: refund("r2", 3900), Then: events{wanted("r2", 3900)}},
		{Name: "another refund under the same id is refused", Given: events{two(), captured, wanted("r1", 3000)}, When: refund("r1", 2999), Refused: order.ErrIDReused},
		{Name: "a repeat when there is nothing left", Given: events{two(), captured, wanted("r1", 3900)}, When: refund("r1", 3900)},
		{Name: "a refund is of something", Given: events{two(), captured}, When: refund("r1", 0), Refused: order.ErrInvalid.Because(mistake("/amount", "more than nothing"))},
		{Name: "of the order's currency", Given: events{two(), captured}, When: order.RequestRefund{RefundID: "r1", Reason: "late", Amount: domain.Money{Amount: 1, Currency: "GBP"}}, Refused: domain.ErrCurrencyMismatch},
		{Name: "for lines that are there", Given: events{two(), captured}, When: order.RequestRefund{RefundID: "r1", Reason: "late", Amount: eur(1), Lines: []order.Units{{LineID: "9", Quantity: 1}}}, Refused: order.ErrInvalid},
		{Name: "it is done", Given: events{two(), captured, wanted("r1", 3000)}, When: order.CompleteRefund{RefundID: "r1", Amount: eur(3000)}, Then: events{refunded}},
		{Name: "in full", Given: events{two(), captured, wanted("r1", 3000)}, When: order.CompleteRefund{RefundID: "r1", Amount: eur(2999)}, Refused: order.ErrIDReused},
		{Name: "what failed is not done", Given: events{two(), captured, wanted("r1", 3000), failed}, When: order.CompleteRefund{RefundID: "r1", Amount: eur(3000)}, Refused: order.ErrTransition},
		{Name: "what nobody asked for is not done", Given: events{two()}, When: order.CompleteRefund{RefundID: "r1", Amount: eur(1)}, Refused: order.ErrUnknown.With("refund_id", "r1")},
		{Name: "it failed", Given: events{two(), captured, wanted("r1", 3000)}, When: order.FailRefund{RefundID: "r1", Code: "card_closed"}, Then: events{failed}},
		{Name: "for one reason", Given: events{two(), captured, wanted("r1", 3000), failed}, When: order.FailRefund{RefundID: "r1", Code: "other"}, Refused: order.ErrIDReused},
		{Name: "what is done has not failed", Given: events{two(), captured, wanted("r1", 3000), refunded}, When: order.FailRefund{RefundID: "r1", Code: "card_closed"}, Refused: order.ErrTransition},
		{Name: "nor what the payment has seen", Given: events{two(), captured, wanted("r1", 3000), seen}, When: order.FailRefund{RefundID: "r1", Code: "card_closed"}, Refused: order.ErrTransition},
		{Name: "nothing fails that nobody asked for", Given: events{two()}, When: order.FailRefund{RefundID: "r1", Code: "card_closed"}, Refused: order.ErrUnknown},
		{Name: "a failure has a code", Given: events{two()}, When: order.FailRefund{RefundID: "r1"}, Refused: order.ErrInvalid.Because(name("/code"))},
	})
}

func TestEditing(t *testing.T) {
	t.Parallel()
	edit := func(lines ...order.Line) order.Edit { return order.Edit{EditID: "e1", Lines: lines} }
	change := func(from int, l order.Line) order.Change {
		return order.Change{
			LineID: l.LineID, SKU: l.SKU, Title: l.Title, QuantityFrom: from, QuantityTo: l.Quantity, UnitPrice: l.UnitPrice,
			Discount: l.Discount, Tax: l.Tax, Total: l.Total, Location: l.Location, ReservationID: l.ReservationID,
		}
	}
	edited := func(grand, delta int64, changes ...order.Change) order.OrderEdited {
		totals := order.Totals{Subtotal: eur(grand - 400), Discount: eur(0), Shipping: eur(400), Tax: eur(0), Grand: eur(grand)}
		return order.OrderEdited{OrderID: "o", EditID: "e1", Changes: changes, Totals: totals, Delta: eur(delta)}
	}
	with := func(l order.Line, how func(*order.Line)) order.Line { how(&l); return l }
	fewer, gone, more := line("1", 1, 1000), line("2", 0, 500), line("3", 2, 250)
	down := edited(1900, -2000, change(3, fewer))
	more1 := updated(1, order.PaymentAuthorised, "", 500, 500, 0, 0)
	more1.PaymentID = "p2"
	captured := updated(1, order.PaymentCaptured, "k", 3900, 3900, 3900, 0)
	refund := order.OrderRefundRequested{OrderID: "o", RefundID: "r", Amount: eur(500), Reason: "late"}
	nearly := order.OrderRefundRequested{OrderID: "o", RefundID: "r", Amount: eur(3800), Reason: "late"}
	taxed := two()
	taxed.Shipping = order.Shipping{Method: "parcel", Price: eur(400), Tax: eur(76)}
	taxed.Totals.Tax, taxed.Totals.Grand = eur(76), eur(3976)
	taxedDown := down
	taxedDown.Totals.Tax, taxedDown.Totals.Grand = eur(76), eur(1976)
	hold := held("h", order.HoldManual)
	limit := func(requested, available string) *domain.RuleError {
		return order.ErrExceedsAuthorised.With("requested", requested).With("available", available)
	}
	decidertest.Run(t, order.Decider, []row{
		{Name: "a line gets fewer units", Given: events{two()}, When: edit(fewer), Then: events{down}},
		{Name: "the tax on shipping stays", Given: events{taxed}, When: edit(fewer), Then: events{taxedDown}},
		{Name: "a line goes and another comes", Given: events{two()}, When: edit(gone, more), Then: events{edited(3900, 0, change(1, gone), change(0, more))}},
		{Name: "a line gets cheaper", Given: events{two()}, When: edit(line("1", 3, 900)), Then: events{edited(3600, -300, change(3, line("1", 3, 900)))}},
		{Name: "a held order too", Given: events{two(), hold}, When: edit(fewer), Then: events{down}},
		{Name: "no more than is authorised", Given: events{two()}, When: edit(more), Refused: limit("44.00 EUR", "39.00 EUR")},
		{Name: "more was authorised", Given: events{two(), more1}, When: edit(more), Then: events{edited(4400, 500, change(0, more))}},
		{Name: "what was let go of does not count", Given: events{two(), updated(1, order.PaymentVoided, "", 3900, 3900, 0, 0)}, When: edit(line("1", 3, 1001)), Refused: limit("39.03 EUR", "0.00 EUR")},
		{Name: "nor what is given back", Given: events{two(), more1, captured, refund}, When: edit(more), Refused: limit("44.00 EUR", "39.00 EUR")},
		{Name: "it may get cheaper all the same", Given: events{two(), captured, nearly}, When: edit(fewer), Then: events{down}},
		{Name: "once a warehouse was asked it is cancelled first", Given: events{two(), requested("f", 1, 0)}, When: edit(fewer), Refused: order.ErrTransition},
		{Name: "what was asked for stays", Given: events{two(), requested("f", 2, 0), hold}, When: edit(fewer), Refused: order.ErrQuantity.With("line_id", "1").With("taken", 2)},
		{Name: "what was shipped stays", Given: events{two(), shipped("s", 2, 0), hold}, When: edit(fewer), Refused: order.ErrQuantity},
		{Name: "what is left of a shipped order is cancelled, not edited away", Given: events{two(), shipped("s", 3, 0), hold}, When: edit(gone), Refused: order.ErrQuantity.With("left", 0)},
		{Name: "more units are another line", Given: events{two()}, When: edit(line("2", 2, 500)), Refused: order.ErrInvalid.Because(mistake("/lines/0/quantity", "more units are a line of their own"))},
		{Name: "an order has lines", Given: events{two()}, When: edit(line("1", 0, 1000), gone), Refused: order.ErrNoLines},
		{Name: "an edit changes something", Given: events{two()}, When: edit(), Refused: order.ErrInvalid.Because(mistake("/lines", "nothing changes"))},
		{Name: "another edit under the same id is refused", Given: events{two(), down}, When: edit(gone), Refused: order.ErrIDReused},
		{Name: "a repeat later changes nothing", Given: events{two(), down, shipped("s", 1, 1)}, When: edit(fewer)},
		{Name: "a line is there once", Given: events{two()}, When: edit(fewer, fewer), Refused: order.ErrInvalid.Because(mistake("/lines/1/line_id", "the line is there twice"))},
		{Name: "a new line has units and a reservation", Given: events{two()}, When: edit(with(line("3", 0, 1), func(l *order.Line) { l.ReservationID = "" })), Refused: order.ErrInvalid.Because(name("/lines/0/reservation_id"), mistake("/lines/0/quantity", "a new line has units"))},
		{Name: "a line stays what it is", Given: events{two()}, When: edit(with(fewer, func(l *order.Line) { l.SKU = "TEA" })), Refused: order.ErrInvalid.Because(mistake("/lines/0", "the sku, title, location and reservation of a line do not change"))},
		{Name: "no price is negative", Given: events{two()}, When: edit(line("1", 1, -1)), Refused: order.ErrInvalid},
		{Name: "a line adds up", Given: events{two()}, When: edit(with(fewer, func(l *order.Line) { l.Total = eur(1) })), Refused: order.ErrTotals},
		{Name: "a line has the order's currency", Given: events{two()}, When: edit(with(fewer, func(l *order.Line) { l.Tax.Currency = "GBP" })), Refused: domain.ErrCurrencyMismatch},
		{Name: "there is not that much money", Given: events{two()}, When: edit(line("1", 1, math.MaxInt64)), Refused: domain.ErrAmountOverflow},
	})
}

func TestPlacingWithShippingAndDiscounts(t *testing.T) {
	t.Parallel()
	full := placed(func(o *order.OrderPlaced) {
		o.ShipToRef, o.BillToRef, o.Channel = "address.1", "address.2", "web"
		o.Shipping = order.Shipping{Method: "parcel", Price: eur(400), Tax: eur(76)}
		o.Discounts = []order.Discount{{Code: "SPRING", Amount: eur(30)}, {Code: "VIP", Amount: eur(20)}}
		o.Totals.Tax, o.Totals.Grand = eur(176), eur(3026)
	})
	with := func(how func(*order.OrderPlaced)) order.Place {
		o := full
		how(&o)
		return order.Place{Order: o}
	}
	empty := placed()
	empty.Discounts = []order.Discount{}
	decidertest.Run(t, order.Decider, []row{
		{Name: "it is placed", When: order.Place{Order: full}, Then: events{full}},
		{Name: "placing it again when it is on its way changes nothing", Given: events{full, shipped("s", 2, 0)}, When: order.Place{Order: full}},
		{Name: "no discounts are no discounts", Given: events{placed()}, When: order.Place{Order: empty}},
		{Name: "shipping costs what the totals say", When: with(func(o *order.OrderPlaced) { o.Shipping.Price = eur(401) }), Refused: order.ErrTotals},
		{Name: "its tax is part of the tax", When: with(func(o *order.OrderPlaced) { o.Shipping.Tax = eur(75) }), Refused: order.ErrTotals},
		{Name: "discounts add up", When: with(func(o *order.OrderPlaced) { o.Discounts = o.Discounts[:1] }), Refused: order.ErrTotals},
	})
	encoded, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var again order.OrderPlaced
	if err := json.Unmarshal(encoded, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, again); diff != "" {
		t.Errorf("it came back otherwise (-want +got):\n%s", diff)
	}
}
