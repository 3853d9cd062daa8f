package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
)

// idempotencyKey names a movement at Stripe, where keys are those of the whole
// account: shops call captures of many orders by the same names.
func idempotencyKey(key, id string) string { return key + "/" + id }

// metaCapture returns the name in an intent's metadata that says how much a
// capture took. Names have at most 40 characters and no square brackets.
func metaCapture(id string) string {
	if len(id) <= 38 && !strings.ContainsAny(id, "[]") {
		return "c-" + id
	}
	sum := sha256.Sum256([]byte(id))
	return "c-" + hex.EncodeToString(sum[:])[:38]
}

// Capture implements [payment.Collector]. Stripe keeps no ids of captures, so
// that each leaves its own in the intent's metadata, in the same step.
func (g *Gateway) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	intent, err := g.ofCapture(ctx, c)
	if err != nil {
		return payment.Movement{}, err
	}
	if done, ok := captured(intent, c.ID); ok {
		return same(done, c.Amount)
	}
	movement := payment.Movement{Kind: payment.Captures, ID: c.ID, Amount: c.Amount}
	amount, _, err := outgoing(c.Amount)
	if err != nil {
		return failed(movement, codeAmount, err.Error()), nil
	}
	params := &sdk.PaymentIntentCaptureParams{
		AmountToCapture: new(amount), Metadata: map[string]string{metaCapture(c.ID): strconv.FormatInt(amount, 10)},
	}
	if !c.Final { // Stripe takes a capture for the last one
		params.FinalCapture = new(false)
	}
	params.IdempotencyKey = new(idempotencyKey(c.Key, c.ID))
	intent, err = ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		return g.client.V1PaymentIntents.Capture(ctx, intent.ID, params)
	})
	if err != nil {
		return refused(movement, err)
	}
	movement.Status, movement.Ref = payment.Done, chargeOf(intent)
	return movement, nil
}

// FindCapture implements [payment.Collector]. Captures that Stripe refused left
// nothing behind.
func (g *Gateway) FindCapture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	intent, err := g.ofCapture(ctx, c)
	if err != nil {
		return payment.Movement{}, err
	}
	if done, ok := captured(intent, c.ID); ok {
		return done, nil
	}
	return payment.Movement{}, payment.ErrNotFound
}

func (g *Gateway) ofCapture(ctx context.Context, c payment.Capture) (*sdk.PaymentIntent, error) {
	if c.Ref != "" {
		return g.retrieve(ctx, c.Ref)
	}
	return g.intent(ctx, c.Key)
}

// captured reads a capture that an intent tells of.
func captured(intent *sdk.PaymentIntent, id string) (payment.Movement, bool) {
	amount, err := strconv.ParseInt(intent.Metadata[metaCapture(id)], 10, 64)
	if err != nil {
		return payment.Movement{}, false
	}
	return payment.Movement{
		Kind: payment.Captures, ID: id, Ref: chargeOf(intent), Status: payment.Done, Amount: incoming(amount, string(intent.Currency)),
	}, true
}

func chargeOf(intent *sdk.PaymentIntent) string {
	if intent.LatestCharge != nil {
		return intent.LatestCharge.ID
	}
	return intent.ID
}

// Refund implements [payment.Collector]. It looks for the refund first, because
// Stripe's idempotency keys last for a day and ours for ever.
func (g *Gateway) Refund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	ref, err := g.ofRefund(ctx, r)
	if err != nil {
		return payment.Movement{}, err
	}
	if known, err := g.refundOf(ctx, ref, r.ID); err != nil {
		return payment.Movement{}, err
	} else if known != nil {
		return same(moved(known), r.Amount)
	}
	movement := payment.Movement{Kind: payment.Refunds, ID: r.ID, Amount: r.Amount}
	amount, _, err := outgoing(r.Amount)
	if err != nil {
		return failed(movement, codeAmount, err.Error()), nil
	}
	params := &sdk.RefundCreateParams{
		PaymentIntent: new(ref), Amount: new(amount), Metadata: map[string]string{metaPayment: r.Key, metaRefund: r.ID},
	}
	params.IdempotencyKey = new(idempotencyKey(r.Key, r.ID))
	refund, err := ask(ctx, func(ctx context.Context) (*sdk.Refund, error) { return g.client.V1Refunds.Create(ctx, params) })
	if err != nil {
		return refused(movement, err)
	}
	movement = moved(refund)
	movement.ID, movement.Amount = r.ID, r.Amount
	return movement, nil
}

// FindRefund implements [payment.Collector].
func (g *Gateway) FindRefund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	ref, err := g.ofRefund(ctx, r)
	if err != nil {
		return payment.Movement{}, err
	}
	known, err := g.refundOf(ctx, ref, r.ID)
	if err == nil && known == nil {
		err = payment.ErrNotFound
	}
	return moved(known), err
}

func (g *Gateway) ofRefund(ctx context.Context, r payment.Refund) (string, error) {
	if r.Ref != "" {
		return r.Ref, nil
	}
	intent, err := g.intent(ctx, r.Key)
	if err != nil {
		return "", err
	}
	return intent.ID, nil
}

// refundOf returns nothing where an intent has no such refund.
func (g *Gateway) refundOf(ctx context.Context, ref, id string) (*sdk.Refund, error) {
	params := &sdk.RefundListParams{PaymentIntent: new(ref)}
	params.Limit = sdk.Int64(page)
	refund, err := ask(ctx, func(ctx context.Context) (*sdk.Refund, error) {
		for refund, err := range g.client.V1Refunds.List(ctx, params).All(ctx) {
			if err != nil {
				return nil, err
			}
			if refund.Metadata[metaRefund] == id {
				return refund, nil
			}
		}
		return nil, nil //nolint:nilnil // nothing is an answer here
	})
	if err != nil {
		return nil, found(err)
	}
	return refund, nil
}

// moved is a refund in our words.
func moved(refund *sdk.Refund) payment.Movement {
	if refund == nil {
		return payment.Movement{}
	}
	m := payment.Movement{
		Kind: payment.Refunds, ID: refund.Metadata[metaRefund], Ref: refund.ID, Status: payment.Pending,
		Amount: incoming(refund.Amount, string(refund.Currency)),
	}
	switch refund.Status {
	case sdk.RefundStatusSucceeded:
		m.Status = payment.Done
	case sdk.RefundStatusFailed, sdk.RefundStatusCanceled:
		m = failed(m, string(refund.Status), "the refund is "+string(refund.Status))
		if refund.FailureReason != "" {
			m.Code = string(refund.FailureReason)
		}
	case sdk.RefundStatusPending, sdk.RefundStatusRequiresAction:
	}
	return m
}

// same refuses an id that was used for another amount.
func same(m payment.Movement, amount domain.Money) (payment.Movement, error) {
	if m.Amount != amount {
		return payment.Movement{}, fmt.Errorf("%s %s was of %v, not of %v", m.Kind, m.ID, m.Amount, amount)
	}
	return m, nil
}

func failed(m payment.Movement, code, message string) payment.Movement {
	m.Status, m.Code, m.Message = payment.Failed, code, message
	return m
}

// refused makes a movement that failed of Stripe's refusal.
func refused(m payment.Movement, err error) (payment.Movement, error) {
	e, refused := said(err)
	switch {
	case !refused:
		return payment.Movement{}, err
	case gone(e):
		return payment.Movement{}, fmt.Errorf("%w: %s", payment.ErrNotFound, words(e))
	}
	return failed(m, code(e), e.Msg), nil
}
