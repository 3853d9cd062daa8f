package order

import (
	"maps"
	"slices"
)

func evolve(s State, e Event) State {
	if e, placed := e.(OrderPlaced); placed {
		return begin(e)
	}
	after := s.apply(e)
	return after.move(s.Status, after.happening(e))
}

func begin(e OrderPlaced) State {
	s := State{
		Status: StatusPlaced, OrderID: e.OrderID, Number: e.Number, CheckoutID: e.CheckoutID, CustomerID: e.CustomerID,
		ContactRef: e.ContactRef, ShipToRef: e.ShipToRef, BillToRef: e.BillToRef, ShipToCountry: e.ShipToCountry, Channel: e.Channel,
		Currency: e.Currency, Lines: e.Lines, Totals: e.Totals, Shipping: e.Shipping, Discounts: e.Discounts,
		PaymentID: e.PaymentID, Authorised: e.Authorised, External: e.External, PlacedAt: e.PlacedAt, Placed: e,
	}
	if e.PaymentID != "" {
		s.Payments = []Payment{{
			PaymentID: e.PaymentID, Last: OrderPaymentUpdated{PaymentRevision: -1}, ChargedBack: s.amount(0),
			Totals: PaymentTotals{Authorised: s.amount(e.Authorised.Amount), Captured: s.amount(0), Refunded: s.amount(0)},
		}}
	}
	return s
}

// move goes where the table says.
func (s State) move(from Status, happening Happening) State {
	switch cell := transition(from, happening); cell {
	case Refuse, Stay, Ignore, Partly:
	case Back:
		s.Status = s.HeldFrom
		if happening == CancelRefused {
			s.Status = s.CancellingFrom
		}
	case Force:
		s = s.overtaken(Status(transition(StatusProcessing, happening)))
	case ReopenFirst:
		s.Status = Status(transition(from, Reopened))
		return s.move(s.Status, happening)
	default:
		s.Status = Status(cell)
	}
	switch {
	case s.Status == from:
	case happening == Held:
		s.HeldFrom = from
	case happening == CancelRequested:
		s.CancellingFrom = from
	}
	return s
}

// overtaken remembers where a shipment took an order that is being cancelled:
// there the refusal leads. A hold stays, unless there is nothing left to hold.
func (s State) overtaken(to Status) State {
	switch {
	case s.CancellingFrom == StatusOnHold && to == StatusPartiallyShipped:
		s.HeldFrom = to
	case s.CancellingFrom == StatusOnHold:
		s = s.unheld()
		s.CancellingFrom = to
	default:
		s.CancellingFrom = to
	}
	return s
}

func (s State) unheld() State {
	s.PastHolds = slices.Concat(s.PastHolds, s.Holds)
	s.Holds = nil
	return s
}

// apply copies what an event says.
func (s State) apply(e Event) State {
	switch e := e.(type) {
	case OrderPlaced:
	case OrderHeld:
		s.Holds, s.Released = add(s.Holds, e), OrderHoldReleased{}
	case OrderHoldReleased:
		s = s.unheld()
		s.Released = e
	case OrderNoteAdded:
		s.Notes = add(s.Notes, e)
	case OrderTagged:
		s.Tags = slices.DeleteFunc(slices.Concat(s.Tags, e.Add), func(t string) bool { return slices.Contains(e.Remove, t) })
		slices.Sort(s.Tags)
	case OrderAddressChanged:
		s.ShipToRef = e.ShipToRef
		if e.ShipToCountry != "" {
			s.ShipToCountry = e.ShipToCountry
		}
	case OrderEdited:
		s = s.edited(e)
		s.Edits, s.Totals = add(s.Edits, e), e.Totals
	case OrderPaymentUpdated:
		return s.updated(e)
	case OrderFulfilmentRequested:
		s.Requests = add(s.Requests, e)
		return s.counted(e.Lines, func(p *Progress, n int) { p.Requested += n })
	case OrderShipped:
		s.Shipments = add(s.Shipments, Shipment{Shipped: e})
		return s.counted(e.Lines, func(p *Progress, n int) { p.Requested, p.Shipped = max(p.Requested-n, 0), p.Shipped+n })
	case OrderDelivered:
		return s.delivered(e)
	case OrderShipmentFailed:
		s.Shipments = change(s.Shipments, parcel(e.ShipmentID), func(p *Shipment) { p.Failed = e.Reason })
	case OrderReturnRequested:
		s.Returns = add(s.Returns, Return{Requested: e, Status: ReturnOpen})
		return s.counted(e.units(), func(p *Progress, n int) { p.Returning += n })
	case OrderReturnReceived:
		s = s.endReturn(e.ReturnID, func(r *Return) { r.Status, r.Received = ReturnReceived, e.Lines })
		return s.counted(e.units(), func(p *Progress, n int) { p.Returned += n })
	case OrderReturnRejected:
		return s.endReturn(e.ReturnID, func(r *Return) { r.Status, r.Reason = ReturnRejected, e.Reason })
	case OrderRefundRequested:
		s.Refunds = add(s.Refunds, Refund{Requested: e, Status: RefundPending})
	case OrderRefunded:
		return s.endRefund(e.RefundID, RefundDone, "")
	case OrderRefundFailed:
		return s.endRefund(e.RefundID, RefundFailed, e.Code)
	case OrderCancelRequested:
		s.CancelRequests, s.CancelRefused = add(s.CancelRequests, e), OrderCancelRefused{}
	case OrderCancelled:
		s = s.unheld()
		s.Cancelled = e
		return s.counted(e.Lines, func(p *Progress, n int) { p.Cancelled, p.Requested = p.Cancelled+n, 0 })
	case OrderCancelRefused:
		s.CancelRefused = e
	case OrderCompleted:
		s.Finished, s.Reopened = e.At, OrderReopened{}
	case OrderReopened:
		s.Reopened = e
	}
	return s
}

func (s State) delivered(e OrderDelivered) State {
	p, _ := s.shipment(e.ShipmentID)
	s.Shipments = change(s.Shipments, parcel(e.ShipmentID), func(p *Shipment) { p.Delivered, p.DeliveredAt = true, e.At })
	s.DeliveredAt = e.At
	return s.counted(p.Shipped.Lines, func(p *Progress, n int) { p.Delivered += n })
}

func parcel(id string) func(Shipment) bool {
	return func(p Shipment) bool { return p.Shipped.ShipmentID == id }
}

func (s State) endReturn(id string, how func(*Return)) State {
	r, _ := s.returning(id)
	s.Returns = change(s.Returns, func(r Return) bool { return r.Requested.ReturnID == id }, how)
	return s.counted(r.Requested.units(), func(p *Progress, n int) { p.Returning -= n })
}

func (s State) endRefund(id string, status RefundStatus, code string) State {
	s.Refunds = change(s.Refunds, func(r Refund) bool { return r.Requested.RefundID == id }, func(r *Refund) {
		r.Status, r.Code = status, code
	})
	return s
}

// edited replaces the lines that an edit names.
func (s State) edited(e OrderEdited) State {
	s.Lines = slices.Clone(s.Lines)
	for _, c := range e.Changes {
		switch i := s.line(c.LineID); {
		case i < 0:
			s.Lines = append(s.Lines, c.line())
		case c.QuantityTo == 0:
			s.Lines = slices.Delete(s.Lines, i, i+1)
		default:
			s.Lines[i] = c.line()
		}
	}
	return s
}

// updated copies what happened to a payment.
func (s State) updated(e OrderPaymentUpdated) State {
	if _, known := s.payment(e.PaymentID); !known {
		s.Payments = add(s.Payments, Payment{PaymentID: e.PaymentID, ChargedBack: s.amount(0)})
	}
	s.Payments = change(s.Payments, func(p Payment) bool { return p.PaymentID == e.PaymentID }, func(p *Payment) {
		p.Totals, p.Last = e.Totals, e
		switch e.Kind {
		case PaymentCaptured, PaymentRefunded:
			p.Moved = add(p.Moved, Moved{e.Kind, e.Ref, e.Amount})
			p.Final = p.Final || e.Final
		case PaymentVoided:
			p.Voided = true
		case PaymentExpired:
			p.Expired = true
		case PaymentChargedBack:
			p.ChargedBack, _ = p.ChargedBack.Add(e.Amount) // decide has tried
		case PaymentAuthorised, PaymentFailed:
		}
	})
	return s
}

// counted changes how far units are, in a copy.
func (s State) counted(units []Units, change func(*Progress, int)) State {
	s.PerLine = maps.Clone(s.PerLine)
	if s.PerLine == nil {
		s.PerLine = map[string]Progress{}
	}
	for _, u := range units {
		p := s.PerLine[u.LineID]
		change(&p, u.Quantity)
		s.PerLine[u.LineID] = p
	}
	return s
}

// units are what is asked back.
func (e OrderReturnRequested) units() []Units {
	units := make([]Units, len(e.Lines))
	for i, l := range e.Lines {
		units[i] = Units{l.LineID, l.Quantity}
	}
	return units
}

// units are what came back.
func (e OrderReturnReceived) units() []Units {
	units := make([]Units, len(e.Lines))
	for i, l := range e.Lines {
		units[i] = Units{l.LineID, l.Quantity}
	}
	return units
}

// add appends to a copy.
func add[T any](all []T, one T) []T { return append(slices.Clip(all), one) }

// change changes one of several in a copy.
func change[T any](all []T, is func(T) bool, how func(*T)) []T {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return all
	}
	all = slices.Clone(all)
	how(&all[i])
	return all
}
