package stripe

import (
	"context"
	"fmt"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Names in Stripe's metadata.
const (
	metaPayment = "payment_id"
	metaRefund  = "refund_id"
)

// holds is how long Stripe holds money where it does not say.
const holds = 7 * 24 * time.Hour

// Authorise implements [payment.Gateway].
func (g *Gateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	id, err := method(request.Method)
	if err != nil {
		return payment.Authorisation{}, err
	}
	params, err := creation(id, request)
	if err != nil {
		return payment.Authorisation{Status: payment.Declined, Amount: request.Amount, Code: codeAmount, Message: err.Error()}, nil
	}
	intent, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		return g.client.V1PaymentIntents.Create(ctx, params)
	})
	if e, refused := said(err); refused {
		return g.declined(request, e)
	}
	if err != nil {
		return payment.Authorisation{}, err
	}
	g.refs.Add(request.Key, intent.ID)
	return state(intent)
}

// creation asks for an intent that is confirmed at once and captured by hand.
func creation(method string, request payment.Authorise) (*sdk.PaymentIntentCreateParams, error) {
	amount, currency, err := outgoing(request.Amount)
	if err != nil {
		return nil, err
	}
	params := &sdk.PaymentIntentCreateParams{
		Amount: new(amount), Currency: new(currency), PaymentMethod: new(method),
		CaptureMethod: new(string(sdk.PaymentIntentCaptureMethodManual)), Confirm: new(true),
		AutomaticPaymentMethods: &sdk.PaymentIntentCreateAutomaticPaymentMethodsParams{Enabled: new(true)},
		PaymentMethodOptions: &sdk.PaymentIntentCreatePaymentMethodOptionsParams{
			Card: &sdk.PaymentIntentCreatePaymentMethodOptionsCardParams{RequestMulticapture: new("if_available")},
		},
		Metadata: map[string]string{metaPayment: request.Key},
		Expand:   []*string{new("latest_charge")},
	}
	if request.ReturnURL == "" {
		// Nobody could send the shopper anywhere.
		params.ErrorOnRequiresAction = new(true)
		params.AutomaticPaymentMethods.AllowRedirects = new("never")
	} else {
		params.ReturnURL = new(request.ReturnURL)
	}
	params.IdempotencyKey = new(request.Key)
	return params, nil
}

// declined is Stripe saying no to an authorisation.
func (g *Gateway) declined(request payment.Authorise, e *sdk.Error) (payment.Authorisation, error) {
	if gone(e) && e.Param == "payment_method" {
		return payment.Authorisation{}, fmt.Errorf("%w: %s", payment.ErrUnsupportedMethod, words(e))
	}
	answer := payment.Authorisation{Status: payment.Declined, Amount: request.Amount, Code: code(e), Message: e.Msg}
	if e.PaymentIntent != nil {
		answer.Ref = e.PaymentIntent.ID
		g.refs.Add(request.Key, answer.Ref)
	}
	return answer, nil
}

// state is an intent in our words. One that the bank is still thinking about is
// [payment.ErrUnknownOutcome].
func state(intent *sdk.PaymentIntent) (payment.Authorisation, error) {
	answer := payment.Authorisation{
		Ref: intent.ID, Amount: incoming(intent.Amount, string(intent.Currency)),
		Captured: incoming(intent.AmountReceived, string(intent.Currency)), Refunded: incoming(0, string(intent.Currency)),
		Once: true,
	}
	if charge := intent.LatestCharge; charge != nil {
		answer.Refunded = incoming(charge.AmountRefunded, string(intent.Currency))
		answer.Once = !capturesOften(charge)
	}
	switch intent.Status {
	case sdk.PaymentIntentStatusRequiresCapture:
		answer.Status, answer.ExpiresAt = payment.Authorised, expiry(intent)
	case sdk.PaymentIntentStatusSucceeded:
		answer.Status = payment.Authorised
	case sdk.PaymentIntentStatusCanceled:
		answer.Status = payment.Voided
		switch intent.CancellationReason {
		case sdk.PaymentIntentCancellationReasonAutomatic, sdk.PaymentIntentCancellationReasonExpired:
			answer.Status = payment.Expired
		default: // somebody asked for it
		}
	case sdk.PaymentIntentStatusRequiresAction:
		answer.Status = payment.ActionRequired
		if next := intent.NextAction; next != nil && next.RedirectToURL != nil {
			answer.ActionURL = next.RedirectToURL.URL
		}
	case sdk.PaymentIntentStatusRequiresPaymentMethod:
		answer.Status, answer.Code = payment.Declined, string(intent.Status)
		if e := intent.LastPaymentError; e != nil {
			answer.Code, answer.Message = code(e), e.Msg
		}
	default:
		return payment.Authorisation{}, fmt.Errorf("%w: the intent is %s", payment.ErrUnknownOutcome, intent.Status)
	}
	return answer, nil
}

// capturesOften reports whether money of a charge may be captured in parts.
func capturesOften(charge *sdk.Charge) bool {
	details := charge.PaymentMethodDetails
	return details != nil && details.Card != nil && details.Card.Multicapture != nil &&
		details.Card.Multicapture.Status == sdk.ChargePaymentMethodDetailsCardMulticaptureStatusAvailable
}

// expiry is when Stripe lets go of what is held.
func expiry(intent *sdk.PaymentIntent) time.Time {
	if charge := intent.LatestCharge; charge != nil && charge.PaymentMethodDetails != nil {
		if card := charge.PaymentMethodDetails.Card; card != nil && card.CaptureBefore > 0 {
			return time.Unix(card.CaptureBefore, 0).UTC()
		}
	}
	return time.Unix(intent.Created, 0).Add(holds).UTC()
}
