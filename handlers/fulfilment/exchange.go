package fulfilment

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	handler "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/process"
)

// ExchangeSource is the external source of orders that replace goods. The
// reference is the return's id.
const ExchangeSource = "exchange"

// Checkout places orders, see [handler.Service].
type Checkout interface {
	Place(ctx context.Context, request handler.Place) (handler.Outcome, error)
	Get(ctx context.Context, id string) (handler.Outcome, error)
}

// Exchanges places the orders of exchanged goods through the checkout, so that
// they have stock, a number and a place in every list as any other.
type Exchanges struct{ Checkout Checkout }

// Replace implements [Replacements]. A checkout that failed, because there is
// no stock, is followed by another one the next time.
func (e Exchanges) Replace(ctx context.Context, r Replacement) (string, error) {
	for attempt := 1; ; attempt++ {
		request := e.request(r, attempt)
		outcome, err := e.Checkout.Get(ctx, handler.ID(request.Credential, request.Key))
		if err != nil {
			return "", err
		}
		before := outcome.Checkout.Step
		if before == checkout.Failed || before == checkout.Abandoned {
			continue
		}
		if before != checkout.Completed {
			if outcome, err = e.Checkout.Place(ctx, request); err != nil {
				return "", err
			}
		}
		switch {
		case outcome.Checkout.Step == checkout.Completed:
			return outcome.Checkout.OrderID, nil
		case outcome.Checkout.Step.Open() || outcome.RetryAfter > 0:
			return "", &process.NotYetError{After: max(outcome.RetryAfter, time.Second), For: "the checkout of a replacement"}
		case outcome.Refused != nil:
			return "", fmt.Errorf("the checkout refused: %w", outcome.Refused)
		}
		return "", fmt.Errorf("the checkout of a replacement is %s", outcome.Checkout.Step)
	}
}

func (e Exchanges) request(r Replacement, attempt int) handler.Place {
	key := r.OrderID + "/" + r.ReturnID + "/" + strconv.Itoa(attempt)
	p := handler.Place{
		Credential: ExchangeSource, Key: key, Fingerprint: key, Actor: r.Actor,
		Cart: checkout.Request{
			CustomerID: r.CustomerID, ContactRef: r.ContactRef, ShipToRef: r.ShipToRef, BillToRef: r.BillToRef, Currency: r.Currency, ShipToCountry: r.ShipToCountry, Method: r.Method,
			External: checkout.External{Source: ExchangeSource, Ref: r.ReturnID, Time: r.ReceivedAt},
		},
	}
	for _, l := range r.Lines {
		p.Cart.Lines = append(p.Cart.Lines, checkout.RequestLine{SKU: l.SKU, Quantity: l.Quantity, UnitPrice: &domain.Money{Currency: r.Currency}})
	}
	return p
}
