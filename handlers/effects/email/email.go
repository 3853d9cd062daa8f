// Package email writes to customers what happened to their orders. It promises
// that each event is written about at most once by each template, recognisable
// by a Message-ID that follows from both; that nobody is written to whose data
// was erased, or whose order came about elsewhere; and that a mail the server
// refuses for good is a permanent error, while everything else is tried again.
package email

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/shop"
)

// Name is the handler's.
const Name = "email"

// Template is what is written about.
type Template string

// What customers are written about.
const (
	Placed         Template = "order-placed"
	Shipped        Template = "order-shipped"
	Cancelled      Template = "order-cancelled"
	Refunded       Template = "order-refunded"
	PaymentProblem Template = "payment-problem"
)

// Templates lists them.
func Templates() []Template {
	return []Template{Placed, Shipped, Cancelled, Refunded, PaymentProblem}
}

// Config is what mails look like.
type Config struct {
	Shop shop.Config
	// From is the sender's address; the name is the shop's.
	From string
}

// Mailer hands over mails; [smtp.Server] is one.
type Mailer interface {
	Send(ctx context.Context, m smtp.Mail) error
}

// Once brings about an effect once for a key. [inbox.Inbox] is one.
type Once interface {
	Do(ctx context.Context, key string, effect func(context.Context) error) error
}

// Service writes mails. It may be used by many goroutines.
type Service struct {
	Store  eventstore.Store
	People shop.People
	Mailer Mailer
	Inbox  Once
	Config Config
}

// Types lists the stored names of the events that may be written about.
func Types() []string {
	return []string{
		(order.OrderPlaced{}).EventName(), (order.OrderShipped{}).EventName(), (order.OrderCancelled{}).EventName(), (order.OrderRefunded{}).EventName(),
		(checkout.CheckoutFailed{}).EventName(),
	}
}

// Handle writes about an event: an [effects.Handler].
func (s *Service) Handle(ctx context.Context, r eventstore.Recorded) error {
	if !slices.Contains(Types(), r.Type) {
		return nil
	}
	event, err := effects.Decode(r)
	if err != nil {
		return err
	}
	letter, err := s.letter(ctx, r, event)
	if err != nil || letter == nil {
		return err
	}
	key := Name + ":" + r.ID.String() + ":" + string(letter.Template)
	err = s.Inbox.Do(ctx, key, func(ctx context.Context) error { return s.send(ctx, r, *letter) })
	if err = Judge(err); err != nil {
		return fmt.Errorf("mail %s about %s %d of %s: %w", letter.Template, r.Type, r.Revision, r.Stream, err)
	}
	return nil
}

// Judge says of an error of a mail server whether another attempt may mend it.
func Judge(err error) error {
	switch {
	case errors.Is(err, smtp.ErrRefused):
		return effects.Permanent(err)
	case errors.Is(err, smtp.ErrAway):
		return effects.Away(err)
	case errors.Is(err, smtp.ErrLater):
		return effects.Doubtful(err)
	}
	return err
}

// letter says what is to be written about; nil is nothing.
func (s *Service) letter(ctx context.Context, r eventstore.Recorded, event domain.Event) (*Letter, error) {
	if e, failed := event.(checkout.CheckoutFailed); failed {
		return s.failed(ctx, r, e)
	}
	id, is := strings.CutPrefix(r.Stream, order.Decider.Category+"-")
	if !is {
		return nil, nil
	}
	o, err := effects.Fold(ctx, s.Store, order.Decider, id, r.Revision)
	if err != nil || o.External.Source != "" {
		return nil, err
	}
	l := &Letter{Order: o}
	switch e := event.(type) {
	case order.OrderPlaced:
		l.Template = Placed
	case order.OrderShipped:
		l.Template, l.Shipment = Shipped, e
	case order.OrderCancelled:
		l.Template, l.Amount = Cancelled, e.Refunded
	case order.OrderRefunded:
		l.Template, l.Amount = Refunded, e.Amount
		for _, refund := range o.Refunds {
			if refund.Requested.RefundID == e.RefundID && refund.Requested.Reason == order.ReasonCancelled {
				return nil, nil // the mail about the cancellation says so
			}
		}
	default:
		return nil, nil
	}
	return l, nil
}

// failed is written about if the shopper went away without knowing: whose
// payment is refused at once is told so by the shop.
func (s *Service) failed(ctx context.Context, r eventstore.Recorded, e checkout.CheckoutFailed) (*Letter, error) {
	var started checkout.CheckoutStarted
	left := false
	for r, err := range s.Store.ReadStream(ctx, r.Stream, 0) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.Stream, err)
		}
		event, err := effects.Decode(r)
		if err != nil {
			return nil, err
		}
		switch e := event.(type) {
		case checkout.CheckoutStarted:
			started = e
		case checkout.CheckoutPaymentUnknown, checkout.CheckoutPaymentActionRequired:
			left = true
		}
	}
	if !left || started.Request.External.Source != "" {
		return nil, nil
	}
	o := order.State{
		OrderID: started.OrderID, Number: started.Number, CustomerID: started.CustomerID, ContactRef: started.Request.ContactRef,
		ShipToRef: started.Request.ShipToRef, ShipToCountry: started.Request.ShipToCountry, Currency: started.Request.Currency, PlacedAt: started.StartedAt,
		Totals: order.Totals(started.Totals),
	}
	for _, l := range started.Lines {
		o.Lines = append(o.Lines, order.Line(l))
	}
	return &Letter{Template: PaymentProblem, Order: o, Reason: e.Reason}, nil
}

// send writes to whoever ordered, if there still is somebody.
func (s *Service) send(ctx context.Context, r eventstore.Recorded, l Letter) error {
	buyer, err := s.Config.Shop.Buyer(ctx, s.People, l.Order)
	if err != nil || buyer.Email == "" {
		return err
	}
	l.Buyer = buyer
	m, err := s.Config.Write(l)
	if err != nil {
		return effects.Permanent(err)
	}
	m.ID, m.Date = MessageID(r, l.Template, s.Config.From), r.Created
	return s.Mailer.Send(ctx, m)
}

// MessageID is that of the mail about an event.
func MessageID(r eventstore.Recorded, template Template, from string) string {
	_, host, _ := strings.Cut(from, "@")
	return eventstore.DeriveID("mail", r.ID.String(), string(template)) + "@" + host
}
