package stock_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/stock"
)

var (
	noon  = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	later = noon.Add(15 * time.Minute)
)

type (
	events = []stock.Event
	row    = decidertest.Case[stock.Command, stock.Event]
)

func reserved(id string, quantity int) stock.StockReserved {
	return stock.StockReserved{SKU: "MUG-1", Location: "main", ReservationID: id, CheckoutID: "c", Quantity: quantity, ExpiresAt: later}
}

func released(id string, quantity int, reason stock.Reason, committed bool) stock.StockReservationReleased {
	return stock.StockReservationReleased{SKU: "MUG-1", Location: "main", ReservationID: id, Quantity: quantity, Reason: reason, Committed: committed}
}

func reserve(id string, quantity int, at time.Time) stock.Reserve {
	return stock.Reserve{Location: "main", SKU: "MUG-1", ReservationID: id, CheckoutID: "c", Quantity: quantity, ExpiresAt: later, At: at}
}

func committed(id string, quantity int) stock.StockCommitted {
	return stock.StockCommitted{SKU: "MUG-1", Location: "main", ReservationID: id, OrderID: "o", Quantity: quantity}
}

var (
	registered = stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Deny}
	received   = stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 10, Ref: "delivery-1"}
)

func TestReceiving(t *testing.T) {
	t.Parallel()
	receive := stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 10, Ref: "delivery-1"}
	other := receive
	other.Quantity = 11
	decidertest.Run(t, stock.Decider, []row{
		{Name: "the first delivery registers the item", When: receive, Then: events{registered, received}},
		{Name: "another delivery adds up", Given: events{registered}, When: receive, Then: events{received}},
		{Name: "the same delivery again changes nothing", Given: events{registered, received}, When: receive},
		{Name: "a delivery with another quantity under the same ref is refused", Given: events{registered, received}, When: other, Refused: stock.ErrIDReused.With("ref", "delivery-1")},
		{Name: "nothing cannot arrive", When: stock.Receive{Location: "main", SKU: "A"}, Refused: stock.ErrInvalid},
		{Name: "more than fits cannot arrive", When: stock.Receive{Location: "main", SKU: "A", Quantity: stock.MaxReceived + 1}, Refused: stock.ErrInvalid},
		{
			Name: "names must be names", When: stock.Receive{Location: "a.b", SKU: "a b", Quantity: 1},
			Refused: stock.ErrInvalid.Because(
				domain.Mistake{Pointer: "/location", Code: "invalid-location", Detail: `a location has 1 to 64 letters, digits, "-" and "_"`},
				domain.Mistake{Pointer: "/sku", Code: "invalid-sku", Detail: `a SKU has 1 to 64 letters, digits and signs of "-_.+:"`},
			),
		},
		{
			Name: "an item is registered with its policy", When: stock.Register{Location: "main", SKU: "MUG-1", Policy: stock.Backorder, BackorderLimit: 5},
			Then: events{stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5}},
		},
		{Name: "a limit goes with backorders only", When: stock.Register{Location: "main", SKU: "A", Policy: stock.Deny, BackorderLimit: 5}, Refused: stock.ErrInvalid},
		{Name: "an item cannot be registered under a bad name", When: stock.Register{SKU: "A", Policy: stock.Deny}, Refused: stock.ErrInvalid},
		{
			Name: "a policy registers an item", When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Deny},
			Then: events{stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Deny}},
		},
		{
			Name: "a policy is changed", Given: events{registered}, When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Backorder, BackorderLimit: 5},
			Then: events{stock.StockPolicyChanged{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5}},
		},
		{Name: "the same policy changes nothing", Given: events{registered}, When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Deny}},
		{Name: "a bad policy is refused", Given: events{registered}, When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: "never"}, Refused: stock.ErrInvalid},
		{
			Name: "a policy says how much may be promised", Given: events{
				registered, stock.StockPolicyChanged{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5}, received, reserved("q", 10),
			},
			When: reserve("r", 6, noon), Refused: stock.ErrOutOfStock.With("sku", "MUG-1").With("location", "main").With("requested", 6).With("available", 5),
		},
		{Name: "an item is registered once", Given: events{registered}, When: stock.Register{Location: "main", SKU: "MUG-1", Policy: stock.Backorder}, Refused: stock.ErrIDReused},
	})
}

func TestReserving(t *testing.T) {
	t.Parallel()
	given := events{registered, received}
	other := reserve("r", 4, noon)
	other.CheckoutID = "another"
	decidertest.Run(t, stock.Decider, []row{
		{Name: "units are set aside", Given: given, When: reserve("r", 10, noon), Then: events{reserved("r", 10)}},
		{
			Name: "more than there is is refused with what there is", Given: append(given, reserved("q", 4)), When: reserve("r", 7, noon),
			Refused: stock.ErrOutOfStock.With("sku", "MUG-1").With("location", "main").With("requested", 7).With("available", 6),
		},
		{
			Name: "an item nobody registered has nothing", When: reserve("r", 1, noon),
			Refused: stock.ErrOutOfStock.With("sku", "MUG-1").With("location", "main").With("requested", 1).With("available", 0),
		},
		{Name: "nothing cannot be reserved", Given: given, When: reserve("r", 0, noon), Refused: stock.ErrInvalid},
		{Name: "the same reservation again changes nothing", Given: append(given, reserved("r", 4)), When: reserve("r", 4, noon)},
		{Name: "the same reservation of a committed order changes nothing", Given: append(given, reserved("r", 4), committed("r", 4)), When: reserve("r", 4, noon)},
		{Name: "another quantity under the same id is refused", Given: append(given, reserved("r", 4)), When: reserve("r", 5, noon), Refused: stock.ErrConflict},
		{Name: "another checkout under the same id is refused", Given: append(given, reserved("r", 4)), When: other, Refused: stock.ErrConflict},
		{
			Name: "what was released to undo a checkout is not reserved by it again", Given: append(given, reserved("r", 4), released("r", 4, stock.Compensation, false)),
			When: reserve("r", 4, noon), Refused: stock.ErrConflict,
		},
		{
			Name: "what expired may be reserved again", Given: append(given, reserved("r", 4), released("r", 4, stock.Expired, false)),
			When: reserve("r", 4, noon), Then: events{reserved("r", 4)},
		},
		{
			Name: "expired reservations make room", Given: append(given, reserved("q", 8)), When: reserve("r", 5, later),
			Then: events{released("q", 8, stock.Expired, false), reserved("r", 5)},
		},
		{Name: "reservations that have not expired stay", Given: append(given, reserved("q", 8)), When: reserve("r", 5, later.Add(-1)), Refused: stock.ErrOutOfStock},
		{
			Name: "backorders are promised up to the limit",
			Given: events{
				stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5},
				stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 2, Ref: "x"},
			},
			When: reserve("r", 7, noon),
			Then: events{stock.StockReserved{SKU: "MUG-1", Location: "main", ReservationID: "r", CheckoutID: "c", Quantity: 7, ExpiresAt: later, BackorderedQuantity: 5}},
		},
	})
}

func TestReservations(t *testing.T) {
	t.Parallel()
	given := events{registered, received, reserved("r", 4)}
	gone := slices.Clip(append(given, released("r", 4, stock.Expired, false)))
	extend := stock.Extend{ReservationID: "r", ExpiresAt: later.Add(time.Minute), At: noon}
	commit := stock.Commit{ReservationID: "r", OrderID: "o", At: noon}
	again := reserved("r", 4)
	again.ExpiresAt = noon
	longer := reserved("r", 4)
	longer.ExpiresAt = extend.ExpiresAt
	rival := reserved("q", 10)
	undone := append(given, released("r", 4, stock.Compensation, false))
	decidertest.Run(t, stock.Decider, []row{
		{
			Name: "a reservation is extended", Given: given, When: extend,
			Then: events{stock.StockReservationExtended{SKU: "MUG-1", Location: "main", ReservationID: "r", ExpiresAt: extend.ExpiresAt}},
		},
		{Name: "a reservation is not shortened", Given: given, When: stock.Extend{ReservationID: "r", ExpiresAt: noon, At: noon}},
		{Name: "a committed reservation needs no extension", Given: append(given, committed("r", 4)), When: extend},
		{Name: "an expired reservation is made again by its extension", Given: gone, When: extend, Then: events{longer}},
		{Name: "an expired reservation whose units are gone is not extended", Given: append(gone, rival), When: extend, Refused: stock.ErrExpired},
		{Name: "an unknown reservation is not extended", When: extend, Refused: stock.ErrExpired},
		{Name: "a released reservation is not extended", Given: undone, When: extend, Refused: stock.ErrConflict},
		{Name: "a reservation is released", Given: given, When: stock.Release{ReservationID: "r", Reason: stock.Declined}, Then: events{released("r", 4, stock.Declined, false)}},
		{Name: "a commitment is released when its order was not placed", Given: append(given, committed("r", 4)), When: stock.Release{ReservationID: "r", Reason: stock.Compensation}, Then: events{released("r", 4, stock.Compensation, true)}},
		{
			Name: "what expired is closed for good by its release", Given: gone, When: stock.Release{ReservationID: "r", Reason: stock.Compensation},
			Then: events{released("r", 0, stock.Compensation, false)},
		},
		{Name: "what expired does not expire again", Given: gone, When: stock.Release{ReservationID: "r", Reason: stock.Expired}},
		{Name: "what expired and was released is not committed", Given: append(gone, released("r", 0, stock.Compensation, false)), When: commit, Refused: stock.ErrConflict},
		{Name: "what expired and was released is not extended", Given: append(gone, released("r", 0, stock.Compensation, false)), When: extend, Refused: stock.ErrConflict},
		{Name: "what is not there is released already", When: stock.Release{ReservationID: "r", Reason: stock.Declined}},
		{Name: "a reservation is committed", Given: given, When: commit, Then: events{committed("r", 4)}},
		{Name: "a reservation that expired but was not released is committed", Given: given, When: stock.Commit{ReservationID: "r", OrderID: "o", At: later.Add(time.Hour)}, Then: events{committed("r", 4)}},
		{Name: "an expired reservation is committed while its units are free", Given: gone, When: commit, Then: events{again, committed("r", 4)}},
		{Name: "an expired reservation whose units are gone is not committed", Given: append(gone, rival), When: commit, Refused: stock.ErrExpired},
		{Name: "an unknown reservation is not committed", When: commit, Refused: stock.ErrExpired},
		{Name: "a released reservation is not committed", Given: undone, When: commit, Refused: stock.ErrConflict},
		{Name: "a reservation belongs to one order", Given: append(given, committed("r", 4)), When: stock.Commit{ReservationID: "r", OrderID: "p"}, Refused: stock.ErrConflict},
	})
}

func exceeded(pointer string) *domain.RuleError {
	return stock.ErrInvalid.Because(domain.Mistake{Pointer: pointer, Code: "quantity-exceeded", Detail: "that is more units than there are"})
}

func TestAdjusting(t *testing.T) {
	t.Parallel()
	given := events{registered, received}
	adjust := func(delta int) stock.Adjust {
		return stock.Adjust{Delta: delta, Reason: "damaged", Ref: "count-1"}
	}
	adjusted := func(delta int) stock.StockAdjusted {
		return stock.StockAdjusted{SKU: "MUG-1", Location: "main", Delta: delta, Reason: "damaged", Ref: "count-1"}
	}
	short := func(quantity int, of ...stock.Shortfall) stock.StockShortfallDetected {
		return stock.StockShortfallDetected{SKU: "MUG-1", Location: "main", Quantity: quantity, Reservations: of}
	}
	sold := slices.Clip(append(given, reserved("a", 4), committed("a", 4), reserved("b", 3), reserved("c", 3), committed("c", 3)))
	decidertest.Run(t, stock.Decider, []row{
		{Name: "units are found", Given: given, When: adjust(2), Then: events{adjusted(2)}},
		{Name: "units are lost", Given: given, When: adjust(-10), Then: events{adjusted(-10)}},
		{
			Name: "more than there is cannot be lost", Given: given, When: adjust(-11),
			Refused: exceeded("/delta").With("requested", 11).With("available", 10),
		},
		{Name: "nothing is no adjustment", Given: given, When: adjust(0), Refused: stock.ErrInvalid},
		{Name: "an adjustment has a limit", Given: given, When: adjust(-stock.MaxReceived - 1), Refused: stock.ErrInvalid},
		{Name: "a reason is a word", Given: given, When: stock.Adjust{Delta: 1, Reason: "fell down", Ref: "x"}, Refused: stock.ErrInvalid},
		{Name: "an item nobody registered is not adjusted", When: adjust(1), Refused: stock.ErrInvalid.Because(
			domain.Mistake{Pointer: "/sku", Code: "unknown-item", Detail: "nothing of this SKU was ever at this location"})},
		{Name: "the same adjustment again changes nothing", Given: append(given, adjusted(-3)), When: adjust(-3)},
		{Name: "another adjustment under the same ref is refused", Given: append(given, adjusted(-3)), When: adjust(3), Refused: stock.ErrIDReused.With("ref", "count-1")},
		{
			Name: "the newest reservation suffers first", Given: sold, When: adjust(-2),
			Then: events{adjusted(-2), short(2, stock.Shortfall{ReservationID: "c", CheckoutID: "c", OrderID: "o", Quantity: 3})},
		},
		{
			Name: "as many suffer as it takes", Given: sold, When: adjust(-5),
			Then: events{adjusted(-5), short(5,
				stock.Shortfall{ReservationID: "c", CheckoutID: "c", OrderID: "o", Quantity: 3},
				stock.Shortfall{ReservationID: "b", CheckoutID: "c", Quantity: 3})},
		},
		{
			Name: "what was shipped does not suffer", Given: append(sold, shipped("c", "s", 2)), When: adjust(-8),
			Then: events{adjusted(-8), short(8,
				stock.Shortfall{ReservationID: "c", CheckoutID: "c", OrderID: "o", Quantity: 1},
				stock.Shortfall{ReservationID: "b", CheckoutID: "c", Quantity: 3},
				stock.Shortfall{ReservationID: "a", CheckoutID: "c", OrderID: "o", Quantity: 4})},
		},
		{
			Name: "a second loss tells the whole shortfall", Given: append(sold, stock.StockAdjusted{SKU: "MUG-1", Location: "main", Delta: -2, Reason: "lost", Ref: "count-0"}), When: adjust(-1),
			Then: events{adjusted(-1), short(3, stock.Shortfall{ReservationID: "c", CheckoutID: "c", OrderID: "o", Quantity: 3})},
		},
		{
			Name: "a find that does not suffice is no new shortfall", Given: append(sold, stock.StockAdjusted{SKU: "MUG-1", Location: "main", Delta: -2, Reason: "lost", Ref: "count-0"}), When: adjust(1),
			Then: events{adjusted(1)},
		},
		{
			Name: "a lower limit on what is promised is a shortfall",
			Given: events{
				stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5},
				received,
				reserved("a", 10), reserved("b", 3), committed("b", 3),
			},
			When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Backorder, BackorderLimit: 1},
			Then: events{
				stock.StockPolicyChanged{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 1},
				short(2, stock.Shortfall{ReservationID: "b", CheckoutID: "c", OrderID: "o", Quantity: 3}),
			},
		},
		{
			Name: "a lower limit that still suffices is no shortfall",
			Given: events{
				stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5}, received, reserved("a", 12),
			},
			When: stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Backorder, BackorderLimit: 2},
			Then: events{stock.StockPolicyChanged{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 2}},
		},
		{
			Name:  "a higher limit that does not suffice is no new shortfall",
			Given: append(sold, stock.StockAdjusted{SKU: "MUG-1", Location: "main", Delta: -2, Reason: "lost", Ref: "count-0"}),
			When:  stock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: stock.Backorder, BackorderLimit: 1},
			Then:  events{stock.StockPolicyChanged{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 1}},
		},
		{
			Name: "backorders are no shortfall",
			Given: events{
				stock.StockItemRegistered{SKU: "MUG-1", Location: "main", Policy: stock.Backorder, BackorderLimit: 5}, received, reserved("a", 10),
			},
			When: adjust(-5), Then: events{adjusted(-5)},
		},
	})
}

func shipped(id, shipment string, quantity int) stock.StockShipped {
	return stock.StockShipped{SKU: "MUG-1", Location: "main", ReservationID: id, ShipmentID: shipment, Quantity: quantity}
}

func TestShipping(t *testing.T) {
	t.Parallel()
	given := events{registered, received, reserved("r", 4), committed("r", 4)}
	ship := func(shipment string, quantity int) stock.Ship {
		return stock.Ship{ReservationID: "r", ShipmentID: shipment, Quantity: quantity}
	}
	keep := func(n int) stock.Release {
		return stock.Release{ReservationID: "r", Reason: stock.Cancelled, Keep: n}
	}
	some := func(quantity, kept int) stock.StockReservationReleased {
		e := released("r", quantity, stock.Cancelled, true)
		e.Kept = kept
		return e
	}
	all := append(given, shipped("r", "s", 4))
	decidertest.Run(t, stock.Decider, []row{
		{Name: "units leave", Given: given, When: ship("s", 4), Then: events{shipped("r", "s", 4)}},
		{Name: "the rest leaves later", Given: append(given, shipped("r", "s", 1)), When: ship("t", 3), Then: events{shipped("r", "t", 3)}},
		{Name: "no more leave than are left", Given: append(given, shipped("r", "s", 1)), When: ship("t", 4), Refused: exceeded("/quantity").With("requested", 4).With("available", 3).With("reservation_id", "r")},
		{Name: "nothing leaves when all is gone", Given: all, When: ship("t", 1), Refused: exceeded("/quantity")},
		{Name: "the same shipment again changes nothing", Given: append(given, shipped("r", "s", 1)), When: ship("s", 1)},
		{Name: "the same last shipment again changes nothing", Given: all, When: ship("s", 4)},
		{Name: "another quantity under the same shipment is refused", Given: append(given, shipped("r", "s", 1)), When: ship("s", 2), Refused: stock.ErrIDReused},
		{Name: "nothing is no shipment", Given: given, When: ship("s", 0), Refused: stock.ErrInvalid},
		{Name: "what is only reserved does not leave", Given: given[:3], When: ship("s", 1), Refused: stock.ErrConflict},
		{Name: "what nobody reserved does not leave", Given: given[:2], When: ship("s", 1), Refused: stock.ErrConflict},
		{Name: "the rest of a cancelled order is released", Given: append(given, shipped("r", "s", 1)), When: stock.Release{ReservationID: "r", Reason: stock.Cancelled}, Then: events{released("r", 3, stock.Cancelled, true)}},
		{Name: "some units of an order are released", Given: given, When: keep(3), Then: events{some(1, 3)}},
		{Name: "which leaves the rest to leave", Given: append(given, some(1, 3)), When: ship("s", 3), Then: events{shipped("r", "s", 3)}},
		{Name: "and no more", Given: append(given, some(1, 3)), When: ship("s", 4), Refused: exceeded("/quantity").With("requested", 4).With("available", 3).With("reservation_id", "r")},
		{Name: "what has left is kept", Given: append(given, shipped("r", "s", 3)), When: keep(1), Then: events{some(1, 3)}},
		{Name: "and then nothing is left", Given: append(given, shipped("r", "s", 3), some(1, 3)), When: ship("t", 1), Refused: exceeded("/quantity").With("requested", 1).With("available", 0).With("reservation_id", "r")},
		{Name: "what is free already is not released again", Given: append(given, some(1, 3)), When: keep(3)},
		{Name: "nor what was given back whole", Given: append(given, released("r", 4, stock.Cancelled, true)), When: keep(3)},
		{Name: "the rest is released after some was", Given: append(given, some(1, 3)), When: stock.Release{ReservationID: "r", Reason: stock.Cancelled}, Then: events{released("r", 3, stock.Cancelled, true)}},
		{Name: "what has left is not released", Given: all, When: stock.Release{ReservationID: "r", Reason: stock.Cancelled}},
		{Name: "a repeated commitment after the shipment changes nothing", Given: all, When: stock.Commit{ReservationID: "r", OrderID: "o", At: noon}},
		{Name: "a repeated reservation after the shipment changes nothing", Given: all, When: reserve("r", 4, noon)},
		{Name: "what has left needs no extension", Given: all, When: stock.Extend{ReservationID: "r", ExpiresAt: later.Add(1), At: noon}},
		{Name: "units that left make no room", Given: all, When: reserve("q", 7, noon), Refused: stock.ErrOutOfStock.With("sku", "MUG-1").With("location", "main").With("requested", 7).With("available", 6)},
	})
}

func TestReturning(t *testing.T) {
	t.Parallel()
	back := stock.Return{Location: "main", SKU: "MUG-1", ReturnID: "x", Quantity: 2}
	returned := stock.StockReturned{SKU: "MUG-1", Location: "main", ReturnID: "x", Quantity: 2}
	other := back
	other.Quantity = 1
	decidertest.Run(t, stock.Decider, []row{
		{Name: "units come back", Given: events{registered}, When: back, Then: events{returned}},
		{Name: "what comes to a new place registers the item", When: back, Then: events{registered, returned}},
		{Name: "the same return again changes nothing", Given: events{registered, returned}, When: back},
		{Name: "another quantity under the same return is refused", Given: events{registered, returned}, When: other, Refused: stock.ErrIDReused.With("return_id", "x")},
		{Name: "a delivery may have the name of a return", Given: events{registered, returned}, When: stock.Receive{Location: "main", SKU: "MUG-1", Quantity: 9, Ref: "x"}, Then: events{stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 9, Ref: "x"}}},
		{Name: "nothing cannot come back", When: stock.Return{Location: "main", SKU: "MUG-1", ReturnID: "x"}, Refused: stock.ErrInvalid},
		{Name: "names must be names", When: stock.Return{SKU: "MUG-1", ReturnID: "x", Quantity: 1}, Refused: stock.ErrInvalid},
		{Name: "what came back may be sold", Given: events{registered, returned}, When: reserve("r", 2, noon), Then: events{reserved("r", 2)}},
	})
}

func TestSweeping(t *testing.T) {
	t.Parallel()
	early := reserved("early", 2)
	early.ExpiresAt = noon
	given := events{registered, received, reserved("late", 3), early}
	crowd := events{registered, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 300, Ref: "x"}}
	var oldest events
	for i := range 300 {
		r := reserved(fmt.Sprint(i), 1)
		r.ExpiresAt = noon.Add(time.Duration(i))
		crowd = append(crowd, r)
		if i < 250 {
			oldest = append(oldest, released(fmt.Sprint(i), 1, stock.Expired, false))
		}
	}
	decidertest.Run(t, stock.Decider, []row{
		{Name: "what has expired is released", Given: given, When: stock.Sweep{At: noon}, Then: events{released("early", 2, stock.Expired, false)}},
		{Name: "the oldest first", Given: given, When: stock.Sweep{At: later}, Then: events{released("early", 2, stock.Expired, false), released("late", 3, stock.Expired, false)}},
		{Name: "nothing before its time", Given: given, When: stock.Sweep{At: noon.Add(-1)}},
		{Name: "what is committed stays", Given: append(given, committed("early", 2)), When: stock.Sweep{At: noon}},
	})
	s := stock.Decider.Fold(stock.State{}, crowd...)
	for name, c := range map[string]stock.Command{
		"more room than one command makes":            reserve("r", 300, later),
		"what has expired, before anybody is refused": reserve("r", 301, later),
	} {
		if got, err := stock.Decider.Decide(s, c); !errors.Is(err, stock.ErrCrowded) || len(got) > 0 {
			t.Errorf("%s is not made first: %v, %v", name, got, err)
		}
	}
	got, err := stock.Decider.Decide(s, stock.Sweep{At: later})
	if diff := cmp.Diff(oldest, got); err != nil || diff != "" {
		t.Errorf("%v, events (-want +got):\n%s", err, diff)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, stock.EventTypes())
}

func TestID(t *testing.T) {
	t.Parallel()
	if got, want := stock.Decider.Stream(stock.ID("main", "MUG-1")), "stock-main.MUG-1"; got != want {
		t.Errorf("the stream is %s, want %s", got, want)
	}
}

func BenchmarkReserveAndCommit(b *testing.B) {
	s := stock.Decider.Fold(stock.State{}, registered, stock.StockReceived{SKU: "MUG-1", Location: "main", Quantity: 1_000_000_000})
	for i := range b.N {
		id := fmt.Sprint(i)
		for _, c := range []stock.Command{reserve(id, 1, noon), stock.Commit{ReservationID: id, OrderID: id, At: noon}} {
			events, err := stock.Decider.Decide(s, c)
			if err != nil {
				b.Fatal(err)
			}
			s = stock.Decider.Fold(s, events...)
		}
	}
}
