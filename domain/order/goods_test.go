package order_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/order"
)

func TestShipping(t *testing.T) {
	t.Parallel()
	ask := func(id string, first, second int) order.RequestFulfilment {
		return order.RequestFulfilment{RequestID: id, Location: "main", Lines: units(first, second)}
	}
	ship := func(id string, first, second int) order.Ship {
		return order.Ship{ShipmentID: id, Lines: units(first, second), At: noon}
	}
	elsewhere := ask("f1", 1, 0)
	elsewhere.Location = "attic"
	later := ship("s1", 1, 0)
	later.At = noon.Add(time.Hour)
	tracked := ship("s1", 1, 0)
	tracked.Tracking = "T1"
	secret := ship("s1", 1, 0)
	secret.Carrier, secret.Tracking = "a\nb", strings.Repeat("a", 201)
	failed := order.OrderShipmentFailed{OrderID: "o", ShipmentID: "s1", Reason: "nobody-home"}
	fail := order.FailShipment{ShipmentID: "s1", Reason: "nobody-home"}
	decidertest.Run(t, order.Decider, []row{
		{Name: "a warehouse is asked", Given: events{two()}, When: ask("f1", 2, 1), Then: events{requested("f1", 2, 1)}},
		{Name: "for the rest", Given: events{two(), requested("f1", 2, 1)}, When: ask("f2", 1, 0), Then: events{requested("f2", 1, 0)}},
		{
			Name: "not for the same twice", Given: events{two(), requested("f1", 2, 1)}, When: ask("f2", 2, 0),
			Refused: order.ErrQuantity.With("line_id", "1").With("requested", 2).With("available", 1),
		},
		{Name: "what was shipped is not asked for", Given: events{two(), shipped("s1", 2, 0)}, When: ask("f1", 2, 0), Refused: order.ErrQuantity},
		{Name: "what was asked for and shipped counts once", Given: events{two(), requested("f1", 2, 0), shipped("s1", 2, 0)}, When: ask("f2", 1, 1), Then: events{requested("f2", 1, 1)}},
		{Name: "another request under the same id is refused", Given: events{two(), requested("f1", 1, 0)}, When: ask("f1", 2, 0), Refused: order.ErrIDReused},
		{Name: "a warehouse has what it has", Given: events{two()}, When: elsewhere, Refused: order.ErrInvalid.Because(mistake("/lines/0/line_id", "the line comes from another location"))},
		{Name: "a request has lines", Given: events{two()}, When: ask("f1", 0, 0), Refused: order.ErrInvalid.Because(mistake("/lines", "1 to 2000 lines"))},
		{
			Name: "each once, known, with units", Given: events{two()},
			When:    order.Ship{ShipmentID: "s1", Lines: []order.Units{{LineID: "1", Quantity: 1}, {LineID: "1", Quantity: 1}, {LineID: "9", Quantity: 0}}},
			Refused: order.ErrInvalid.Because(mistake("/lines/1/line_id", "the line is there twice"), mistake("/lines/2/line_id", "the order has no such line"), mistake("/lines/2/quantity", "1 to 9999")),
		},
		{Name: "a part is shipped", Given: events{two()}, When: ship("s1", 1, 1), Then: events{shipped("s1", 1, 1)}},
		{Name: "the rest is shipped", Given: events{two(), shipped("s1", 1, 1)}, When: ship("s2", 2, 0), Then: events{shipped("s2", 2, 0)}},
		{Name: "a repeat may tell another time", Given: events{two(), shipped("s1", 1, 0)}, When: later},
		{Name: "a repeat after everything is shipped", Given: events{two(), shipped("s1", 1, 0), shipped("s2", 2, 1)}, When: ship("s1", 1, 0)},
		{Name: "other content is refused", Given: events{two(), shipped("s1", 1, 0)}, When: tracked, Refused: order.ErrIDReused},
		{Name: "no more than ordered", Given: events{two(), shipped("s1", 1, 0)}, When: ship("s2", 3, 0), Refused: order.ErrQuantity.With("line_id", "1").With("requested", 3).With("available", 2)},
		{Name: "a carrier and a tracking number are short", Given: events{two()}, When: secret, Refused: order.ErrInvalid.Because(mistake("/carrier", `at most 64 bytes of printable characters without "@", with at most 4 digits`), name("/tracking"))},
		{Name: "a parcel arrives", Given: events{two(), shipped("s1", 1, 0)}, When: order.MarkDelivered{ShipmentID: "s1", At: noon}, Then: events{delivered("s1")}},
		{Name: "a parcel arrives once", Given: events{two(), shipped("s1", 3, 1), delivered("s1")}, When: order.MarkDelivered{ShipmentID: "s1", At: noon.Add(time.Hour)}},
		{Name: "a parcel that did not leave does not arrive", Given: events{two()}, When: order.MarkDelivered{ShipmentID: "s1", At: noon}, Refused: order.ErrUnknown.With("shipment_id", "s1")},
		{Name: "a parcel does not arrive", Given: events{two(), shipped("s1", 1, 0)}, When: fail, Then: events{failed}},
		{Name: "and again not", Given: events{two(), shipped("s1", 1, 0), failed}, When: order.FailShipment{ShipmentID: "s1", Reason: "lost"}, Then: events{order.OrderShipmentFailed{OrderID: "o", ShipmentID: "s1", Reason: "lost"}}},
		{Name: "and arrives after all", Given: events{two(), shipped("s1", 3, 1), failed}, When: order.MarkDelivered{ShipmentID: "s1", At: noon}, Then: events{delivered("s1")}},
		{Name: "what arrived has not failed", Given: events{two(), shipped("s1", 3, 1), delivered("s1")}, When: fail, Refused: order.ErrTransition},
		{Name: "what did not leave cannot fail", Given: events{two()}, When: fail, Refused: order.ErrUnknown},
		{Name: "a failure has a code", Given: events{two(), shipped("s1", 1, 0)}, When: order.FailShipment{ShipmentID: "s1"}, Refused: order.ErrInvalid.Because(word("/reason"))},
	})
}

func TestReturning(t *testing.T) {
	t.Parallel()
	ask := func(id string, first, second int) order.RequestReturn {
		return order.RequestReturn{ReturnID: id, Kind: order.ForRefund, Lines: asked(id, first, second).Lines}
	}
	receive := func(id string, first, second int) order.ReceiveReturn {
		return order.ReceiveReturn{ReturnID: id, Lines: received(id, first, second).Lines}
	}
	done := events{two(), shipped("s1", 3, 1), delivered("s1")}
	with := func(more ...order.Event) events { return slices.Concat(done, more) }
	exchange := ask("r1", 1, 0)
	exchange.Kind = order.ForExchange
	exchanged := asked("r1", 1, 0)
	exchanged.Kind = order.ForExchange
	imported, long := ask("r1", 1, 0), asked("r1", 1, 0)
	imported.External = order.External{Source: "old-shop", Ref: "C536379", Time: noon.In(time.FixedZone("", 3600))}
	long.External = order.External{Source: "old-shop", Ref: "C536379", Time: noon}
	later, nowhere := imported, imported
	later.External.Time = noon.Add(time.Second)
	nowhere.External = order.External{Ref: "a ref"}
	nameless := ask("r1", 1, 0)
	nameless.Kind, nameless.Lines[0].Reason = "gift", ""
	mixed := order.ReceiveReturn{ReturnID: "r1", Lines: []order.ReceivedUnits{{LineID: "1", Quantity: 1, Restock: true}, {LineID: "1", Quantity: 1}}}
	twice := order.ReceiveReturn{ReturnID: "r1", Lines: []order.ReceivedUnits{{LineID: "1", Quantity: 1}, {LineID: "1", Quantity: 0}}}
	rejected := order.OrderReturnRejected{OrderID: "o", ReturnID: "r1", Reason: "used"}
	reject := order.RejectReturn{ReturnID: "r1", Reason: "used"}
	completed := order.OrderCompleted{OrderID: "o", At: noon}
	decidertest.Run(t, order.Decider, []row{
		{Name: "goods are to come back", Given: done, When: ask("r1", 1, 0), Then: events{asked("r1", 1, 0)}},
		{Name: "before they are delivered", Given: done[:2], When: ask("r1", 1, 0), Then: events{asked("r1", 1, 0)}},
		{Name: "for an exchange", Given: done, When: exchange, Then: events{exchanged}},
		{Name: "what came back elsewhere, long ago", Given: done, When: imported, Then: events{long}},
		{Name: "which is another return at another time", Given: with(long), When: later, Refused: order.ErrIDReused},
		{Name: "what came back elsewhere says where and when", Given: done, When: nowhere, Refused: order.ErrInvalid.Because(
			mistake("/external/source", `1 to 200 printable ASCII characters without spaces and "@"`),
			mistake("/external/ref", `1 to 200 printable ASCII characters without spaces and "@"`), mistake("/external/time", "when it came about"))},
		{Name: "another return under the same id is refused", Given: with(asked("r1", 1, 0)), When: ask("r1", 2, 0), Refused: order.ErrIDReused},
		{Name: "not twice the same", Given: with(asked("r1", 2, 0)), When: ask("r2", 2, 0), Refused: order.ErrQuantity.With("line_id", "1").With("requested", 2).With("available", 1)},
		{Name: "not what came back", Given: with(asked("r1", 2, 0), received("r1", 2, 0)), When: ask("r2", 2, 0), Refused: order.ErrQuantity},
		{Name: "again, what did not come back", Given: with(asked("r1", 2, 0), received("r1", 1, 0)), When: ask("r2", 2, 0), Then: events{asked("r2", 2, 0)}},
		{Name: "again, what was rejected", Given: with(asked("r1", 3, 0), rejected), When: ask("r2", 3, 0), Then: events{asked("r2", 3, 0)}},
		{Name: "not what was not shipped", Given: events{two(), shipped("s1", 1, 0)}, When: ask("r1", 2, 0), Refused: order.ErrQuantity},
		{Name: "a return has a kind and each line a reason", Given: done, When: nameless, Refused: order.ErrInvalid.Because(mistake("/kind", "refund or exchange"), word("/lines/0/reason"))},
		{Name: "a return reopens a completed order", Given: with(completed), When: ask("r1", 1, 0), Then: events{order.OrderReopened{OrderID: "o", Reason: "return"}, asked("r1", 1, 0)}},
		{Name: "but not for more than there is", Given: with(completed), When: ask("r1", 9, 0), Refused: order.ErrQuantity},
		{Name: "goods came back", Given: with(asked("r1", 2, 0)), When: receive("r1", 2, 0), Then: events{received("r1", 2, 0)}},
		{Name: "some of them, some to sell again", Given: with(asked("r1", 3, 0)), When: mixed, Then: events{order.OrderReturnReceived{OrderID: "o", ReturnID: "r1", Lines: mixed.Lines}}},
		{Name: "a line is there once for each", Given: with(asked("r1", 3, 0)), When: twice, Refused: order.ErrInvalid.Because(mistake("/lines/1/line_id", "the line is there twice"), mistake("/lines/1/quantity", "1 to 9999"))},
		{Name: "no more than was asked back", Given: with(asked("r1", 1, 0)), When: mixed, Refused: order.ErrQuantity.With("line_id", "1").With("requested", 2).With("available", 1)},
		{Name: "nothing else than was asked back", Given: with(asked("r1", 1, 0)), When: receive("r1", 0, 1), Refused: order.ErrQuantity},
		{Name: "something", Given: with(asked("r1", 1, 0)), When: receive("r1", 0, 0), Refused: order.ErrInvalid},
		{Name: "not other goods the second time", Given: with(asked("r1", 2, 0), received("r1", 2, 0)), When: receive("r1", 1, 0), Refused: order.ErrIDReused},
		{Name: "nobody asked for it", Given: done, When: receive("r1", 1, 0), Refused: order.ErrUnknown.With("return_id", "r1")},
		{Name: "it was rejected", Given: with(asked("r1", 1, 0), rejected), When: receive("r1", 1, 0), Refused: order.ErrTransition},
		{Name: "a return is rejected", Given: with(asked("r1", 1, 0)), When: reject, Then: events{rejected}},
		{Name: "for one reason", Given: with(asked("r1", 1, 0), rejected), When: order.RejectReturn{ReturnID: "r1", Reason: "late"}, Refused: order.ErrIDReused},
		{Name: "what came back is not rejected", Given: with(asked("r1", 1, 0), received("r1", 1, 0)), When: reject, Refused: order.ErrTransition},
		{Name: "a rejection is of something", Given: done, When: reject, Refused: order.ErrUnknown},
		{Name: "a rejection has a reason", Given: with(asked("r1", 1, 0)), When: order.RejectReturn{ReturnID: "r1"}, Refused: order.ErrInvalid.Because(word("/reason"))},
	})
}

func TestFulfilmentFollowsFromQuantities(t *testing.T) {
	t.Parallel()
	rest := order.OrderCancelled{OrderID: "o", Lines: units(2, 1)}
	for name, c := range map[string]struct {
		given events
		want  order.FulfilmentStatus
	}{
		"nothing shipped":              {events{two(), requested("f1", 3, 1)}, order.Unfulfilled},
		"some shipped":                 {events{two(), shipped("s1", 1, 0)}, order.PartlyFulfilled},
		"some delivered":               {events{two(), shipped("s1", 1, 0), delivered("s1")}, order.PartlyFulfilled},
		"all shipped":                  {events{two(), shipped("s1", 1, 0), delivered("s1"), shipped("s2", 2, 1)}, order.Fulfilled},
		"all delivered":                {events{two(), shipped("s1", 1, 0), delivered("s1"), shipped("s2", 2, 1), delivered("s2")}, order.Delivered},
		"some back":                    {events{two(), shipped("s1", 3, 1), asked("r", 3, 0), received("r", 3, 0)}, order.PartiallyReturned},
		"all back":                     {events{two(), shipped("s1", 3, 1), asked("r", 3, 1), received("r", 3, 1)}, order.Returned},
		"all back, and some left":      {events{two(), shipped("s1", 1, 0), asked("r", 1, 0), received("r", 1, 0)}, order.PartiallyReturned},
		"the rest cancelled":           {events{two(), shipped("s1", 1, 0), cancelRequested("c"), rest}, order.Fulfilled},
		"the rest cancelled, all back": {events{two(), shipped("s1", 1, 0), cancelRequested("c"), rest, asked("r", 1, 0), received("r", 1, 0)}, order.Returned},
	} {
		if got := order.Decider.Fold(order.State{}, c.given...).FulfilmentStatus(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
