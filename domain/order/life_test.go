package order_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/order"
)

type (
	row    = decidertest.Case[order.Command, order.Event]
	events = []order.Event
)

func held(id string, reason order.HoldReason) order.OrderHeld {
	return order.OrderHeld{OrderID: "o", HoldID: id, Reason: reason}
}

func TestHolding(t *testing.T) {
	t.Parallel()
	hold := order.Hold{HoldID: "h1", Reason: order.HoldFraud, NoteRef: "note.1", Until: noon.In(time.FixedZone("", 3600))}
	fraud := order.OrderHeld{OrderID: "o", HoldID: "h1", Reason: order.HoldFraud, NoteRef: "note.1", Until: noon}
	released := order.OrderHoldReleased{OrderID: "o", By: "a"}
	allowed := []string{"hold", "release", "edit", "cancel", "change-address", "mark-delivered"}
	decidertest.Run(t, order.Decider, []row{
		{Name: "an order is held", Given: events{two()}, When: hold, Then: events{fraud}},
		{Name: "it is held for another reason as well", Given: events{two(), fraud}, When: order.Hold{HoldID: "h2", Reason: order.HoldAddress}, Then: events{held("h2", order.HoldAddress)}},
		{Name: "a hold that was released is not made again by a repeat", Given: events{two(), fraud, released}, When: hold},
		{Name: "another hold under the same id is refused", Given: events{two(), fraud}, When: order.Hold{HoldID: "h1", Reason: order.HoldManual}, Refused: order.ErrIDReused},
		{Name: "also when the first was released", Given: events{two(), fraud, released}, When: order.Hold{HoldID: "h1", Reason: order.HoldManual}, Refused: order.ErrIDReused},
		{Name: "a hold has a reason of four", Given: events{two()}, When: order.Hold{HoldID: "h1", Reason: "mood"}, Refused: order.ErrInvalid.Because(mistake("/reason", "fraud, manual, address or stock_shortfall"))},
		{Name: "what people write is not a reference", Given: events{two()}, When: order.Hold{HoldID: "h1", Reason: order.HoldManual, NoteRef: "call Ann"}, Refused: order.ErrInvalid.Because(name("/note_ref"))},
		{Name: "a hold has an id", Given: events{two()}, When: order.Hold{Reason: order.HoldManual}, Refused: order.ErrInvalid.Because(name("/hold_id"))},
		{Name: "one release ends all holds", Given: events{two(), fraud, held("h2", order.HoldManual)}, When: order.ReleaseHold{By: "a"}, Then: events{released}},
		{Name: "somebody releases", Given: events{two(), fraud}, When: order.ReleaseHold{}, Refused: order.ErrInvalid.Because(name("/by"))},
		{Name: "nothing is released that is not held", Given: events{two()}, When: order.ReleaseHold{By: "a"}, Refused: order.ErrTransition},
		{Name: "somebody else releases too late", Given: events{two(), fraud, released}, When: order.ReleaseHold{By: "b"}, Refused: order.ErrTransition},
		{
			Name: "an earlier release does not pass for one of a later hold", Given: events{two(), fraud, released, held("h2", order.HoldManual)},
			When: order.ReleaseHold{By: "a"}, Then: events{released},
		},
		{
			Name: "nor while it is being cancelled", Given: events{two(), fraud, released, held("h2", order.HoldManual), cancelRequested("c1")},
			When: order.ReleaseHold{By: "a"}, Refused: order.ErrTransition,
		},
		{
			Name: "a held order is not shipped", Given: events{two(), fraud}, When: order.Ship{ShipmentID: "s1", Lines: units(1, 0), At: noon},
			Refused: order.ErrOnHold.With("state", "on_hold").With("command", "ship").With("allowed", allowed),
		},
		{Name: "and asked of no warehouse", Given: events{two(), fraud}, When: order.RequestFulfilment{RequestID: "f1", Location: "main", Lines: units(1, 0)}, Refused: order.ErrOnHold},
	})
}

func TestAReleasedOrderGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for want, before := range map[order.Status]events{
		order.StatusPlaced: {two()}, order.StatusProcessing: {two(), requested("f1", 1, 1)}, order.StatusPartiallyShipped: {two(), shipped("s1", 1, 0)},
	} {
		s := order.Decider.Fold(order.State{}, before...)
		s = order.Decider.Fold(s, held("h1", order.HoldFraud), held("h2", order.HoldManual), order.OrderHoldReleased{OrderID: "o", By: "a"})
		if s.Status != want || len(s.Holds) != 0 || len(s.PastHolds) != 2 {
			t.Errorf("released, it is %s with holds %v; want %s", s.Status, s.Holds, want)
		}
	}
}

func TestOnlySomeOrdersMayBeCaptured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given events
		want  error
	}{
		"placed":     {given: events{two()}},
		"shipped":    {given: events{two(), shipped("s1", 3, 1)}},
		"held":       {given: events{two(), held("h1", order.HoldFraud)}, want: order.ErrOnHold},
		"cancelling": {given: events{two(), cancelRequested("c1")}, want: order.ErrTransition},
		"nothing":    {want: order.ErrTransition},
	} {
		err := order.Decider.Fold(order.State{}, c.given...).MayCapture()
		if fmt.Sprint(err) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if rule := (*domain.RuleError)(nil); errors.As(err, &rule) && rule.Details["allowed"] == nil {
			t.Errorf("%s: it is not told what is allowed", name)
		}
	}
}

func TestWritingThingsDown(t *testing.T) {
	t.Parallel()
	note := order.AddNote{NoteID: "n1", TextRef: "note.1", Visibility: order.Internal}
	noted := order.OrderNoteAdded{OrderID: "o", NoteID: "n1", TextRef: "note.1", Visibility: order.Internal}
	tagged := func(add, remove []string) order.OrderTagged {
		return order.OrderTagged{OrderID: "o", Add: add, Remove: remove}
	}
	many := make([]string, order.MaxTags)
	for i := range many {
		many[i] = fmt.Sprintf("t%03d", i)
	}
	decidertest.Run(t, order.Decider, []row{
		{Name: "a note is added", Given: events{two()}, When: note, Then: events{noted}},
		{Name: "another note under the same id is refused", Given: events{two(), noted}, When: order.AddNote{NoteID: "n1", TextRef: "note.2", Visibility: order.Internal}, Refused: order.ErrIDReused},
		{Name: "the text of a note is in the vault", Given: events{two()}, When: order.AddNote{NoteID: "n1", TextRef: "Ann is ill", Visibility: order.Internal}, Refused: order.ErrInvalid.Because(name("/text_ref"))},
		{Name: "somebody may read a note", Given: events{two()}, When: order.AddNote{NoteID: "n1", TextRef: "note.1"}, Refused: order.ErrInvalid.Because(mistake("/visibility", "internal or customer"))},
		{Name: "an order that is not there has no notes", When: note, Refused: order.ErrTransition},
		{Name: "tags are added, sorted and each once", Given: events{two()}, When: order.Tag{Add: []string{"vip", "gift", "vip"}}, Then: events{tagged([]string{"gift", "vip"}, nil)}},
		{
			Name: "what is there is not added and what is not there not removed", Given: events{two(), tagged([]string{"a", "b"}, nil)},
			When: order.Tag{Add: []string{"a", "c"}, Remove: []string{"b", "x"}}, Then: events{tagged([]string{"c"}, []string{"b"})},
		},
		{Name: "a tag is no sentence", Given: events{two()}, When: order.Tag{Add: []string{"Ann Smith"}}, Refused: order.ErrInvalid.Because(mistake("/add/0", domain.LabelMistake))},
		{Name: "a tag is added or removed", Given: events{two()}, When: order.Tag{Add: []string{"a"}, Remove: []string{"a"}}, Refused: order.ErrInvalid.Because(mistake("/add/0", "both added and removed"))},
		{Name: "there is a limit of tags", Given: events{two(), tagged(many, nil)}, When: order.Tag{Add: []string{"z"}}, Refused: order.ErrInvalid.Because(mistake("/add", "an order has at most 100 tags"))},
		{Name: "one for another is within the limit", Given: events{two(), tagged(many, nil)}, When: order.Tag{Add: []string{"z"}, Remove: many[:1]}, Then: events{tagged([]string{"z"}, many[:1])}},
	})
}

func TestChangingTheAddress(t *testing.T) {
	t.Parallel()
	change, changed := order.ChangeAddress{ShipToRef: "address.2"}, order.OrderAddressChanged{OrderID: "o", ShipToRef: "address.2"}
	decidertest.Run(t, order.Decider, []row{
		{Name: "an order goes elsewhere", Given: events{two()}, When: change, Then: events{changed}},
		{Name: "so does the rest of it", Given: events{two(), shipped("s1", 1, 0)}, When: change, Then: events{changed}},
		{Name: "and a held one", Given: events{two(), held("h", order.HoldAddress)}, When: change, Then: events{changed}},
		{Name: "not while a warehouse has a job", Given: events{two(), requested("f1", 1, 0)}, When: change, Refused: order.ErrHandedOver.With("request_ids", []string{"f1"})},
		{Name: "but when that is shipped", Given: events{two(), requested("f1", 1, 0), shipped("s1", 1, 0)}, When: change, Then: events{changed}},
		{Name: "what is shipped does not", Given: events{two(), shipped("s1", 3, 1)}, When: change, Refused: order.ErrTransition},
		{
			Name: "a new address may be in another country", Given: events{two()}, When: order.ChangeAddress{ShipToRef: "address.2", ShipToCountry: "AT"},
			Then: events{order.OrderAddressChanged{OrderID: "o", ShipToRef: "address.2", ShipToCountry: "AT"}},
		},
		{
			Name: "a country has two letters", Given: events{two()}, When: order.ChangeAddress{ShipToRef: "address.2", ShipToCountry: "Austria"},
			Refused: order.ErrInvalid.Because(domain.Mistake{Pointer: "/ship_to_country", Code: "invalid", Detail: "a country is a code of ISO 3166, two capital letters"}),
		},
		{Name: "an address is a reference", Given: events{two()}, When: order.ChangeAddress{ShipToRef: "1 High Street"}, Refused: order.ErrInvalid.Because(name("/ship_to_ref"))},
	})
}

func TestCompleting(t *testing.T) {
	t.Parallel()
	complete, completed := order.Complete{At: noon}, order.OrderCompleted{OrderID: "o", At: noon}
	done := events{two(), shipped("s1", 3, 1), delivered("s1")}
	with := func(more ...order.Event) events { return slices.Concat(done, more) }
	captured := updated(1, order.PaymentCaptured, "k", 3900, 3900, 3900, 0)
	refund := order.OrderRefundRequested{OrderID: "o", RefundID: "rf", Amount: eur(5), Reason: "late"}
	reopened := order.OrderReopened{OrderID: "o", Reason: "complaint"}
	decidertest.Run(t, order.Decider, []row{
		{Name: "a delivered order is completed", Given: done, When: complete, Then: events{completed}},
		{Name: "a returned one too", Given: with(asked("r", 3, 1), received("r", 3, 1)), When: complete, Then: events{completed}},
		{Name: "completing it later changes nothing", Given: with(completed), When: order.Complete{At: noon.Add(time.Hour)}},
		{Name: "not while a return is open", Given: with(asked("r", 1, 0)), When: complete, Refused: order.ErrStillOpen},
		{Name: "not while a refund is open", Given: with(captured, refund), When: complete, Refused: order.ErrStillOpen},
		{Name: "a failed refund is not open", Given: with(captured, refund, order.OrderRefundFailed{OrderID: "o", RefundID: "rf", Code: "c"}), When: complete, Then: events{completed}},
		{Name: "nor a rejected return", Given: with(asked("r", 1, 0), order.OrderReturnRejected{OrderID: "o", ReturnID: "r", Reason: "used"}), When: complete, Then: events{completed}},
		{Name: "not before it is delivered", Given: done[:2], When: complete, Refused: order.ErrTransition},
		{Name: "it is reopened", Given: with(completed), When: order.Reopen{Reason: "complaint"}, Then: events{reopened}},
		{Name: "and completed again, and reopened", Given: with(completed, reopened, completed), When: order.Reopen{Reason: "complaint"}, Then: events{reopened}},
		{Name: "what is not completed is not reopened", Given: done, When: order.Reopen{Reason: "complaint"}, Refused: order.ErrTransition},
		{Name: "there is a reason", Given: with(completed), When: order.Reopen{}, Refused: order.ErrInvalid.Because(word("/reason"))},
	})
}

func cancelRequested(id string) order.OrderCancelRequested {
	return order.OrderCancelRequested{OrderID: "o", RequestID: id, Reason: "customer", By: "a"}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	request := order.RequestCancel{RequestID: "c1", Reason: "customer", By: "a"}
	cancelled := order.OrderCancelled{OrderID: "o", Reason: "customer", Refunded: eur(0), Voided: eur(3900), Released: []string{"res-1"}, Lines: units(3, 1)}
	rest := order.OrderCancelled{OrderID: "o", Reason: "customer", Refunded: eur(0), Voided: eur(0), Lines: units(2, 1)}
	refused := order.OrderCancelRefused{OrderID: "o", Reason: "picked"}
	late := order.OrderCancelRefused{OrderID: "o", Reason: "shipped"}
	partly := events{two(), shipped("s1", 1, 0), cancelRequested("c1"), rest}
	decidertest.Run(t, order.Decider, []row{
		{Name: "somebody wants to cancel", Given: events{two()}, When: request, Then: events{cancelRequested("c1")}},
		{Name: "asking once is enough", Given: events{two(), cancelRequested("c0")}, When: request},
		{Name: "a cancelled order is cancelled", Given: events{two(), cancelRequested("c0"), cancelled}, When: request},
		{Name: "a request that was refused is not made again by a repeat", Given: events{two(), cancelRequested("c1"), refused}, When: request},
		{Name: "another request is", Given: events{two(), cancelRequested("c0"), refused}, When: request, Then: events{cancelRequested("c1")}},
		{Name: "the same id for another request is refused", Given: events{two(), cancelRequested("c1")}, When: order.RequestCancel{RequestID: "c1", Reason: "fraud", By: "a"}, Refused: order.ErrIDReused},
		{Name: "a request has a reason, an id and somebody", Given: events{two()}, When: order.RequestCancel{}, Refused: order.ErrInvalid.Because(name("/request_id"), word("/reason"), name("/by"))},
		{Name: "what is shipped comes back by a return", Given: events{two(), shipped("s1", 3, 1)}, When: request, Refused: order.ErrTransition.With("state", "shipped").With("command", "cancel").With("allowed", []string{"mark-delivered", "receive-return", "request-return"})},
		{Name: "a completed order has nothing left to cancel", Given: events{two(), shipped("s1", 3, 1), delivered("s1"), order.OrderCompleted{OrderID: "o", At: noon}}, When: request, Refused: order.ErrTransition},
		{Name: "it is cancelled, and says what was undone", Given: events{two(), cancelRequested("c1")}, When: order.Cancel{Voided: eur(3900), Released: []string{"res-1"}}, Then: events{cancelled}},
		{Name: "of a part that was not shipped", Given: partly[:3], When: order.Cancel{}, Then: events{rest}},
		{Name: "nobody asked for that", Given: events{two()}, When: order.Cancel{}, Refused: order.ErrTransition},
		{Name: "it was done otherwise", Given: events{two(), cancelRequested("c1"), cancelled}, When: order.Cancel{Voided: eur(1)}, Refused: order.ErrTransition},
		{Name: "what was undone has the order's currency", Given: events{two(), cancelRequested("c1")}, When: order.Cancel{Voided: domain.Money{Amount: 1, Currency: "GBP"}}, Refused: domain.ErrCurrencyMismatch},
		{Name: "what was undone is not negative", Given: events{two(), cancelRequested("c1")}, When: order.Cancel{Refunded: eur(-1)}, Refused: order.ErrInvalid.Because(mistake("/refunded", "not negative"))},
		{Name: "it is too late", Given: events{two(), cancelRequested("c1")}, When: order.RefuseCancel{Reason: "picked"}, Then: events{refused}},
		{Name: "nobody asked, so nobody refuses", Given: events{two()}, When: order.RefuseCancel{Reason: "picked"}, Refused: order.ErrTransition},
		{Name: "another request is refused anew", Given: events{two(), cancelRequested("c0"), refused, cancelRequested("c1")}, When: order.RefuseCancel{Reason: "picked"}, Then: events{refused}},
		{Name: "a refusal has a reason", Given: events{two(), cancelRequested("c1")}, When: order.RefuseCancel{}, Refused: order.ErrInvalid.Because(name("/reason"))},
		{Name: "a parcel that leaves makes it too late", Given: events{two(), cancelRequested("c1")}, When: order.Ship{ShipmentID: "s1", Lines: units(1, 0), At: noon}, Then: events{shipped("s1", 1, 0), late}},
		{Name: "nothing is asked of a warehouse meanwhile", Given: events{two(), cancelRequested("c1")}, When: order.RequestFulfilment{RequestID: "f1", Location: "main", Lines: units(1, 0)}, Refused: order.ErrTransition},
		{Name: "what is cancelled is not shipped", Given: partly, When: order.Ship{ShipmentID: "s2", Lines: units(1, 0), At: noon}, Refused: order.ErrTransition},
		{Name: "what was shipped before is delivered", Given: partly, When: order.MarkDelivered{ShipmentID: "s1", At: noon}, Then: events{delivered("s1")}},
		{Name: "and may come back", Given: partly, When: order.RequestReturn{ReturnID: "r1", Kind: order.ForRefund, Lines: asked("r1", 1, 0).Lines}, Then: events{asked("r1", 1, 0)}},
		{Name: "and is received", Given: slices.Concat(partly, events{asked("r1", 1, 0)}), When: order.ReceiveReturn{ReturnID: "r1", Lines: received("r1", 1, 0).Lines}, Then: events{received("r1", 1, 0)}},
		{Name: "no more than was shipped", Given: partly, When: order.RequestReturn{ReturnID: "r1", Kind: order.ForRefund, Lines: asked("r1", 2, 0).Lines}, Refused: order.ErrQuantity},
		{Name: "nothing comes back where nothing was shipped", Given: events{two(), cancelRequested("c1"), cancelled}, When: order.RequestReturn{ReturnID: "r1", Kind: order.ForRefund, Lines: asked("r1", 1, 0).Lines}, Refused: order.ErrTransition},
	})
}

func TestARefusedCancellationLeadsBack(t *testing.T) {
	t.Parallel()
	late, picked := order.OrderCancelRefused{OrderID: "o", Reason: "shipped"}, order.OrderCancelRefused{OrderID: "o", Reason: "picked"}
	hold, release := held("h1", order.HoldFraud), order.OrderHoldReleased{OrderID: "o", By: "a"}
	for name, c := range map[string]struct {
		given events
		want  order.Status
	}{
		"to where it was processed":                {events{two(), requested("f1", 1, 0), cancelRequested("c"), picked}, order.StatusProcessing},
		"to the hold":                              {events{two(), hold, cancelRequested("c"), picked}, order.StatusOnHold},
		"to before the hold, once released":        {events{two(), requested("f1", 1, 0), hold, cancelRequested("c"), picked, release}, order.StatusProcessing},
		"on, where a parcel left":                  {events{two(), cancelRequested("c"), shipped("s", 1, 0), late}, order.StatusPartiallyShipped},
		"on, where the last parcel left":           {events{two(), shipped("r", 1, 0), cancelRequested("c"), shipped("s", 2, 1), late}, order.StatusShipped},
		"to the hold, where a parcel left":         {events{two(), hold, cancelRequested("c"), shipped("s", 1, 0), late}, order.StatusOnHold},
		"on, once the hold is released":            {events{two(), hold, cancelRequested("c"), shipped("s", 1, 0), late, release}, order.StatusPartiallyShipped},
		"on, where the hold has nothing to hold":   {events{two(), hold, cancelRequested("c"), shipped("s", 3, 1), late}, order.StatusShipped},
		"on, where a part was left before and now": {events{two(), shipped("r", 1, 0), cancelRequested("c"), shipped("s", 1, 0), late}, order.StatusPartiallyShipped},
	} {
		if s := order.Decider.Fold(order.State{}, c.given...); s.Status != c.want {
			t.Errorf("%s: it is %s, want %s", name, s.Status, c.want)
		}
	}
}

func mistake(pointer, detail string) domain.Mistake {
	return domain.Mistake{Pointer: pointer, Code: "invalid", Detail: detail}
}

func name(pointer string) domain.Mistake {
	return mistake(pointer, `1 to 200 printable ASCII characters without spaces and "@"`)
}

func word(pointer string) domain.Mistake { return mistake(pointer, domain.WordMistake) }

func TestPeopleAreNotNames(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "Ann Smith", "ä", "a\n", "ann@example.com", strings.Repeat("a", 201)} {
		_, err := order.Decider.Decide(order.Decider.Fold(order.State{}, order.Event(two())), order.AddNote{NoteID: "n", TextRef: bad, Visibility: order.Internal})
		if err == nil {
			t.Errorf("%q passes for a reference", bad)
		}
	}
}
