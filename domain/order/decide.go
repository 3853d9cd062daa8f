package order

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

func decide(s State, c Command) ([]Event, error) {
	if _, placing := c.(Place); s.Status == "" && !placing {
		return nil, ErrTransition.With("state", "none").With("allowed", []string{"place"})
	}
	switch c := c.(type) {
	case Place:
		return place(s, c)
	case Hold:
		return s.hold(c)
	case ReleaseHold:
		return s.release(c)
	case AddNote:
		return s.note(c)
	case Tag:
		return s.tag(c)
	case ChangeAddress:
		return s.changeAddress(c)
	case Edit:
		return s.edit(c)
	case UpdatePayment:
		return s.updatePayment(c)
	case RequestFulfilment:
		return s.requestFulfilment(c)
	case Ship:
		return s.ship(c)
	case MarkDelivered:
		return s.markDelivered(c)
	case FailShipment:
		return s.failShipment(c)
	case RequestReturn:
		return s.requestReturn(c)
	case ReceiveReturn:
		return s.receiveReturn(c)
	case RejectReturn:
		return s.rejectReturn(c)
	case RequestRefund:
		return s.requestRefund(c)
	case CompleteRefund:
		return s.completeRefund(c)
	case FailRefund:
		return s.failRefund(c)
	case RequestCancel:
		return s.requestCancel(c)
	case Cancel:
		return s.cancel(c)
	case RefuseCancel:
		return s.refuseCancel(c)
	case Complete:
		return s.complete(c)
	case Reopen:
		return s.reopen(c)
	}
	panic(fmt.Sprintf("order: unknown command %T", c))
}

// record does with an event what the table says of the present state, once the
// checks have passed.
func (s State) record(e Event, checks ...func() error) ([]Event, error) {
	happening := s.apply(e).happening(e)
	cell := transition(s.Status, happening)
	switch {
	case cell == Ignore:
		return nil, nil
	case cell == Refuse, cell == Partly && s.shipped() == 0:
		return nil, s.refuse(commandOf[happening])
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, err
		}
	}
	switch cell {
	case Force:
		return []Event{e, OrderCancelRefused{s.OrderID, "shipped"}}, nil
	case ReopenFirst:
		return []Event{OrderReopened{s.OrderID, "return"}, e}, nil
	default:
		return []Event{e}, nil
	}
}

// happening says what an event means for the life of an order that it has
// been folded onto. Events that are allowed in every state mean nothing.
func (s State) happening(e Event) Happening {
	switch e.(type) {
	case OrderHeld:
		return Held
	case OrderHoldReleased:
		return HoldReleased
	case OrderEdited:
		return Edited
	case OrderFulfilmentRequested:
		return FulfilmentRequested
	case OrderShipped:
		return either(s.left() <= 0, ShippedAll, ShippedSome)
	case OrderDelivered:
		return either(s.arrived(), DeliveredAll, DeliveredSome)
	case OrderCancelRequested:
		return CancelRequested
	case OrderCancelled:
		return CancelDone
	case OrderCancelRefused:
		return CancelRefused
	case OrderReturnRequested:
		return ReturnAsked
	case OrderReturnReceived:
		return either(s.back(), ReturnedAll, ReturnedSome)
	case OrderCompleted:
		return Completed
	case OrderReopened:
		return Reopened
	case OrderAddressChanged:
		return AddressChanged
	case OrderPlaced, OrderNoteAdded, OrderTagged, OrderPaymentUpdated, OrderShipmentFailed, OrderReturnRejected,
		OrderRefundRequested, OrderRefunded, OrderRefundFailed:
	}
	return ""
}

func either(all bool, one, other Happening) Happening {
	if all {
		return one
	}
	return other
}

// refuse says that the state forbids a command, and what it allows.
func (s State) refuse(command string) error {
	rule := ErrTransition
	if s.Status == StatusOnHold && (command == "ship" || command == "request-fulfilment") {
		rule = ErrOnHold
	}
	return rule.With("state", string(s.Status)).With("command", command).With("allowed", allowed(s.Status))
}

// find returns the first of several things that is the one.
func find[T any](all []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	var none T
	return none, false
}

// once lets a repeat pass and refuses something else under the same id.
func once(first, second any, name string, id any) error {
	if reflect.DeepEqual(first, second) {
		return nil
	}
	return ErrIDReused.With(name, id)
}

// instant is a time as it comes back from the log.
func instant(t time.Time) time.Time { return t.UTC().Round(0) }

// some is a list as it comes back from the log.
func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
