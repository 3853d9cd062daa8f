package checkout

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/eventstore"
)

// tellFailure tells partners that a checkout which they wait for came to nothing.
// It comes before the checkout's own end, which nobody would repeat: everything
// is undone by then, and nothing but the end can follow.
func (s *Service) tellFailure(ctx context.Context, r *run) error {
	c := r.checkout.state
	if !c.Awaited {
		return nil
	}
	failure := checkoutfailure.CheckoutFailureAnnounced{
		CheckoutID: r.id, CustomerID: c.CustomerID, ShipToCountry: c.Request.ShipToCountry, Channel: c.Request.Channel, Total: c.Totals.Grand,
		Reason: c.Reason, External: checkoutfailure.External(c.Request.External), StartedAt: c.StartedAt, FailedAt: s.Now(),
	}
	for _, line := range c.Lines {
		failure.Lines = append(failure.Lines, checkoutfailure.Line{SKU: line.SKU, Quantity: line.Quantity})
	}
	told := fresh(checkoutfailure.Decider, r.id)
	_, err := told.do(ctx, s.Store, r.meta("failure told"), checkoutfailure.Announce{Failure: failure})
	if err != nil && !errors.Is(err, eventstore.ErrConflict) { // somebody told it before
		return err
	}
	return s.fault("failure told")
}
