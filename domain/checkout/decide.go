package checkout

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
)

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Start:
		return start(s, c)
	case RequestPayment:
		return requestPayment(s, c)
	case RefuseStock:
		return refuseStock(s, c)
	case ReserveStock:
		return step(s, Reserved, c, CheckoutStockReserved{s.CheckoutID, s.Reservations(), c.ExpiresAt, c.At}, Started)
	case AuthorisePayment:
		return authorisePayment(s, c)
	case DeclinePayment:
		return step(s, Declined, c, CheckoutPaymentDeclined{s.CheckoutID, s.PaymentID, c.Code, c.Message, c.RetryUntil, c.At},
			Paying, Unknown, ActionRequired)
	case RequireAction:
		return step(s, ActionRequired, c, CheckoutPaymentActionRequired{s.CheckoutID, s.PaymentID, c.URL, c.ExpiresAt, c.At}, Paying, Unknown)
	case LoseSight:
		return step(s, Unknown, c, CheckoutPaymentUnknown{s.CheckoutID, s.PaymentID, c.At}, Paying)
	case Complete:
		return step(s, Completed, c, CheckoutCompleted{s.CheckoutID, s.OrderID, c.At}, Authorised)
	case Compensate:
		return step(s, Compensating, c, CheckoutCompensating{s.CheckoutID, c.Reason.Code, c.Reason.Message, c.At},
			Started, Reserved, Paying, Declined, Unknown, ActionRequired)
	case Fail:
		return fail(s, c)
	case VoidLate:
		return voidLate(s, c)
	case Abandon:
		return step(s, Abandoned, c, CheckoutAbandoned{s.CheckoutID, c.Reason, c.At}, Started)
	}
	panic(fmt.Sprintf("checkout: unknown command %T", c))
}

// step returns the event that leads to a step from some others. A checkout
// that is there already stays there.
func step(s State, to Step, c Command, e Event, from ...Step) ([]Event, error) {
	switch {
	case s.Step == to:
		return nil, nil
	case slices.Contains(from, s.Step):
		return []Event{e}, nil
	}
	return nil, ErrTransition.With("state", string(s.Step)).With("command", fmt.Sprintf("%T", c)[len("checkout."):])
}

func start(s State, c Start) ([]Event, error) {
	if s.Step != "" {
		if s.Fingerprint == c.Fingerprint {
			return nil, nil
		}
		return nil, domain.ErrKeyReused
	}
	started := CheckoutStarted{
		CheckoutID: c.CheckoutID, OrderID: c.OrderID, Number: c.Number, CustomerID: c.Request.CustomerID,
		Fingerprint: c.Fingerprint, Request: c.Request, Lines: c.Lines, Totals: c.Totals, StartedAt: c.At,
	}
	if r := c.Refused; r != nil {
		return []Event{started, CheckoutFailed{
			CheckoutID: c.CheckoutID, Reason: r.Code, Message: r.Message, Mistakes: r.Mistakes, At: c.At,
		}}, nil
	}
	started.Request.Lines = nil
	return []Event{started}, nil
}

func requestPayment(s State, c RequestPayment) ([]Event, error) {
	if s.Attempt > 0 && s.PaymentID == c.PaymentID {
		return nil, nil
	}
	if s.Step == Declined && s.Attempt >= MaxPayments {
		return nil, ErrTooManyPayments.With("attempts", s.Attempt)
	}
	return step(s, "", c, CheckoutPaymentRequested{
		s.CheckoutID, c.PaymentID, s.Attempt + 1, c.Method, c.ReturnURL, c.RequestID, c.At, c.Fingerprint,
	}, Reserved, Declined)
}

// authorisePayment needs no payment where there is nothing to pay.
func authorisePayment(s State, c AuthorisePayment) ([]Event, error) {
	from := []Step{Paying, Unknown, ActionRequired}
	if s.Free() {
		from = append(from, Reserved)
	}
	return step(s, Authorised, c, CheckoutPaymentAuthorised{s.CheckoutID, s.PaymentID, c.At}, from...)
}

func fail(s State, c Fail) ([]Event, error) {
	failed := CheckoutFailed{
		CheckoutID: s.CheckoutID, Reason: s.Reason, Message: s.Message, Mistakes: s.Mistakes,
		Released: c.Released, Voided: c.Voided, At: c.At,
	}
	if c.Unseen {
		failed.Watch = s.PaymentID
	}
	return step(s, Failed, c, failed, Compensating)
}

// voidLate is possible once the checkout has failed: before that, what holds
// money is undone with everything else.
func voidLate(s State, c VoidLate) ([]Event, error) {
	switch {
	case s.LateVoided:
		return nil, nil
	case s.Step == Failed:
		return []Event{CheckoutLatePaymentVoided{s.CheckoutID, c.PaymentID, c.GatewayRef, c.Amount, c.At}}, nil
	}
	return step(s, "", c, nil)
}

func refuseStock(s State, c RefuseStock) ([]Event, error) {
	if s.Step != Started {
		return step(s, Compensating, c, nil)
	}
	var events []Event
	for _, short := range c.Shortages {
		events = append(events, CheckoutStockRefused{
			s.CheckoutID, short.SKU, short.Location, short.Requested, short.Available, c.At,
		})
	}
	return append(events, CheckoutCompensating{s.CheckoutID, ErrOutOfStock.Code, ErrOutOfStock.Message, c.At}), nil
}

func reservations(lines []Line) []Reservation {
	var all []Reservation
	index := map[string]int{}
	for _, line := range lines {
		i, there := index[line.ReservationID]
		if !there {
			i = len(all)
			index[line.ReservationID] = i
			all = append(all, Reservation{line.ReservationID, line.Location, line.SKU, 0})
		}
		all[i].Quantity += line.Quantity
	}
	slices.SortFunc(all, func(a, b Reservation) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.SKU, b.SKU))
	})
	return all
}
