package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/tracing"
)

// answering gives the same answer to every call.
type answering struct {
	payment.Listener
	answer payment.Authorisation
	moved  payment.Movement
	err    error
}

func (a answering) Capture(context.Context, payment.Capture) (payment.Movement, error) {
	return a.moved, a.err
}

func (a answering) FindCapture(context.Context, payment.Capture) (payment.Movement, error) {
	return a.moved, a.err
}

func (a answering) Refund(context.Context, payment.Refund) (payment.Movement, error) {
	return a.moved, a.err
}

func (a answering) FindRefund(context.Context, payment.Refund) (payment.Movement, error) {
	return a.moved, a.err
}

func (a answering) Authorise(context.Context, payment.Authorise) (payment.Authorisation, error) {
	return a.answer, a.err
}

func (a answering) Find(context.Context, string) (payment.Authorisation, error) {
	return a.answer, a.err
}

func (a answering) Void(context.Context, string) (payment.Authorisation, error) {
	return a.answer, a.err
}

func TestAPaymentIsASpanWithItsOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		gateway answering
		outcome string
		status  codes.Code
	}{
		{"authorised", answering{answer: payment.Authorisation{Status: payment.Authorised}}, "authorised", codes.Unset},
		{"declined is an answer", answering{answer: payment.Authorisation{Status: payment.Declined}}, "declined", codes.Unset},
		{"no answer", answering{err: fmt.Errorf("authorise: %w", payment.ErrUnknownOutcome)}, "unknown", codes.Error},
		{"not asked", answering{err: payment.ErrNotSent}, "not_sent", codes.Error},
		{"nothing found is an answer", answering{err: payment.ErrNotFound}, "not_found", codes.Unset},
		{"a method nobody takes", answering{err: payment.ErrUnsupportedMethod}, "unsupported_method", codes.Error},
		{"anything else", answering{err: errors.New("no such file")}, "failed", codes.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, request := root(t)
			gateway := tracing.Gateway(test.gateway)
			_, err := gateway.Authorise(ctx, payment.Authorise{Key: "pay-1", Method: "sandbox:approved"})
			if !errors.Is(err, test.gateway.err) {
				t.Errorf("error is %v, want the gateway's", err)
			}
			_, _ = gateway.Find(ctx, "pay-1")
			_, _ = gateway.Void(ctx, "pay-1")
			for _, name := range []string{"payment.authorise", "payment.find", "payment.void"} {
				got := only(t, request.SpanContext().TraceID(), name)
				if got.SpanKind != trace.SpanKindClient || got.Status.Code != test.status {
					t.Errorf("%s: kind %v, status %v; want a client's span with status %v", name, got.SpanKind, got.Status, test.status)
				}
				wantTags(t, got, map[string]any{"payment.id": "pay-1", "outcome": test.outcome})
			}
		})
	}
}

func TestAMovementIsASpanWithItsOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		gateway answering
		outcome string
		status  codes.Code
	}{
		{"done", answering{moved: payment.Movement{Status: payment.Done}}, "done", codes.Unset},
		{"refused is an answer", answering{moved: payment.Movement{Status: payment.Failed}}, "failed", codes.Unset},
		{"no answer", answering{err: payment.ErrUnknownOutcome}, "unknown", codes.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, do := range map[string]func(context.Context, payment.Provider) error{
				"payment.capture": func(ctx context.Context, g payment.Provider) error {
					_, err := g.Capture(ctx, payment.Capture{Key: "pay-1", ID: "m-1"})
					return err
				},
				"payment.refund": func(ctx context.Context, g payment.Provider) error {
					_, err := g.Refund(ctx, payment.Refund{Key: "pay-1", ID: "m-1"})
					return err
				},
				"payment.find": func(ctx context.Context, g payment.Provider) error {
					_, err := g.FindCapture(ctx, payment.Capture{Key: "pay-1", ID: "m-1"})
					return err
				},
			} {
				ctx, request := root(t)
				if err := do(ctx, tracing.Gateway(test.gateway)); !errors.Is(err, test.gateway.err) {
					t.Errorf("error is %v, want the gateway's", err)
				}
				got := only(t, request.SpanContext().TraceID(), name)
				if got.SpanKind != trace.SpanKindClient || got.Status.Code != test.status {
					t.Errorf("%s: kind %v, status %v; want a client's span with status %v", name, got.SpanKind, got.Status, test.status)
				}
				wantTags(t, got, map[string]any{"payment.id": "pay-1", "movement.id": "m-1", "outcome": test.outcome})
			}
		})
	}
}

// told is a gateway that tells something.
type told struct{ payment.Provider }

func (told) Callback(context.Context, http.Header, []byte) (payment.Callback, error) {
	return payment.Callback{ID: "cb-1"}, nil
}

func TestATracedGatewayStillListens(t *testing.T) {
	t.Parallel()
	got, err := tracing.Gateway(told{}).Callback(t.Context(), nil, nil)
	if err != nil || got.ID != "cb-1" {
		t.Errorf("got %+v, %v", got, err)
	}
}
