// Package unwanted keeps that a gateway holds money, or may come to, for a
// payment that ended without. It promises that the money is let go of although
// the gateway cannot be reached just then and whoever heard of it dies: what is
// kept stands on the to-do list of callbacks, as if the gateway had told it by
// itself. It must not know why the payment ended.
package unwanted

import (
	"context"
	"errors"
	"fmt"
	"time"

	callback "github.com/waybill-dev/waybill/domain/gatewaycallback"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// Is reports whether nobody wants what a gateway holds for a payment: it ended
// without money.
func Is(p payment.State, held gateway.Authorisation) bool {
	return p.Settled() && p.Status != payment.StatusAuthorised &&
		(held.Status == gateway.Authorised || held.Status == gateway.ActionRequired)
}

// Unseen is the kind of what [Watch] keeps: nobody has seen yet that the gateway
// holds nothing.
const Unseen = "unseen"

// Keep puts it on the to-do list that money is to be let go of, before that is
// tried. It is there once for each payment: a key that was voided holds nothing
// afterwards.
func Keep(ctx context.Context, store eventstore.Store, p payment.State, held gateway.Authorisation, now time.Time) error {
	return put(ctx, store, callback.GatewayCallbackReceived{
		CallbackID: "answer:" + p.PaymentID, Kind: string(gateway.TellsAuthorisation), PaymentID: p.PaymentID, Gateway: p.Gateway, GatewayRef: held.Ref,
		Authorisation: callback.Authorisation{Status: string(held.Status), Amount: held.Amount, ExpiresAt: held.ExpiresAt}, ReceivedAt: now,
	})
}

// Watch has a payment looked at once it has ended without money, until the
// gateway knows that it holds nothing: a request that was under way for long may
// still arrive there, or a shopper confirm it. It is to be called before the end
// is recorded.
func Watch(ctx context.Context, store eventstore.Store, p payment.State, now time.Time) error {
	return put(ctx, store, callback.GatewayCallbackReceived{
		CallbackID: "unseen:" + p.PaymentID, Kind: Unseen, PaymentID: p.PaymentID, Gateway: p.Gateway, ReceivedAt: now,
	})
}

func put(ctx context.Context, store eventstore.Store, kept callback.GatewayCallbackReceived) error {
	kept.ID = eventstore.DeriveID("gateway callback", kept.Gateway, kept.CallbackID)
	meta := eventstore.Metadata{
		CorrelationID: kept.PaymentID, CausationID: kept.ID, CommandID: eventstore.DeriveID("unwanted money", kept.ID),
		Actor: eventstore.Actor{Type: "process", ID: "payments"},
	}
	stream := callback.Decider.Stream(kept.ID)
	_, err := store.Append(ctx, stream, eventstore.NoStream, eventstore.NewEvents[callback.Event](stream, meta, kept)...)
	if err != nil && !errors.Is(err, eventstore.ErrConflict) { // it is there
		return fmt.Errorf("keep what payment %s may hold: %w", kept.PaymentID, err)
	}
	return nil
}
