package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	sdk "github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Callback implements [payment.Listener]. A refund that somebody made at Stripe
// itself is a movement without an id. What an intent's callback says of expiry
// and of further captures is not to be relied on: Stripe leaves it out.
func (g *Gateway) Callback(ctx context.Context, header http.Header, body []byte) (payment.Callback, error) {
	if g.cfg.WebhookSecret == "" {
		return payment.Callback{}, fmt.Errorf("%w: no secret is set", payment.ErrBadSignature)
	}
	event, err := webhook.ConstructEventWithOptions(body, header.Get("Stripe-Signature"), g.cfg.WebhookSecret,
		// What we read is the same in every version.
		webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
	switch {
	case errors.Is(err, webhook.ErrNotSigned), errors.Is(err, webhook.ErrInvalidHeader),
		errors.Is(err, webhook.ErrNoValidSignature), errors.Is(err, webhook.ErrTooOld):
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadSignature, err)
	case err != nil:
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadCallback, err)
	case event.ID == "" || event.Data == nil:
		return payment.Callback{}, fmt.Errorf("%w: it has no id or no data", payment.ErrBadCallback)
	}
	return g.read(ctx, event)
}

func (g *Gateway) read(ctx context.Context, event sdk.Event) (payment.Callback, error) {
	told := payment.Callback{ID: event.ID, Kind: payment.TellsOther}
	switch event.Type {
	case sdk.EventTypePaymentIntentAmountCapturableUpdated, sdk.EventTypePaymentIntentSucceeded, sdk.EventTypePaymentIntentCanceled,
		sdk.EventTypePaymentIntentPaymentFailed, sdk.EventTypePaymentIntentRequiresAction:
		return ofIntent(told, event.Data.Raw)
	case sdk.EventTypeRefundCreated, sdk.EventTypeRefundUpdated, sdk.EventTypeRefundFailed, sdk.EventTypeChargeRefundUpdated:
		return g.ofRefundEvent(ctx, told, event.Data.Raw)
	case sdk.EventTypeChargeDisputeFundsWithdrawn:
		return g.ofDispute(ctx, told, event.Data.Raw)
	default:
		return told, nil
	}
}

func ofIntent(told payment.Callback, raw json.RawMessage) (payment.Callback, error) {
	var intent sdk.PaymentIntent
	if err := json.Unmarshal(raw, &intent); err != nil {
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadCallback, err)
	}
	told.Key, told.Ref = intent.Metadata[metaPayment], intent.ID
	answer, err := state(&intent)
	if err != nil || told.Key == "" {
		return told, nil //nolint:nilerr // an intent that is under way, or none of ours: nothing to act on
	}
	told.Kind, told.Authorisation = payment.TellsAuthorisation, answer
	return told, nil
}

func (g *Gateway) ofRefundEvent(ctx context.Context, told payment.Callback, raw json.RawMessage) (payment.Callback, error) {
	var refund sdk.Refund
	if err := json.Unmarshal(raw, &refund); err != nil {
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadCallback, err)
	}
	told.Key, told.Movement = refund.Metadata[metaPayment], moved(&refund)
	return g.owned(ctx, told, payment.TellsMovement, refund.PaymentIntent)
}

func (g *Gateway) ofDispute(ctx context.Context, told payment.Callback, raw json.RawMessage) (payment.Callback, error) {
	var dispute sdk.Dispute
	if err := json.Unmarshal(raw, &dispute); err != nil {
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadCallback, err)
	}
	told.Chargeback = payment.Chargeback{CaseRef: dispute.ID, Amount: incoming(dispute.Amount, string(dispute.Currency))}
	return g.owned(ctx, told, payment.TellsChargeback, dispute.PaymentIntent)
}

// owned finds out whose payment a callback is about, where it does not say.
func (g *Gateway) owned(
	ctx context.Context, told payment.Callback, kind payment.CallbackKind, intent *sdk.PaymentIntent,
) (payment.Callback, error) {
	if intent != nil {
		told.Ref = intent.ID
	}
	if told.Key == "" && told.Ref != "" {
		found, err := g.retrieve(ctx, told.Ref)
		if err != nil && !errors.Is(err, payment.ErrNotFound) {
			return payment.Callback{}, fmt.Errorf("find whose %s is: %w", told.Ref, err)
		}
		if err == nil {
			told.Key = found.Metadata[metaPayment]
		}
	}
	if told.Key != "" {
		told.Kind = kind
	}
	return told, nil
}
