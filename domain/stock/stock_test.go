package stock_test

import (
	"fmt"
	"testing"
	"time"

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
	gone := append(given, released("r", 4, stock.Expired, false))
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
