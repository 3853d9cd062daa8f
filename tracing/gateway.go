package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Gateway returns a gateway that records a span for each call: the payment's
// id, and how it came out. The payment's method is not told.
func Gateway(next payment.Gateway) payment.Gateway { return gateway{next} }

type gateway struct{ next payment.Gateway }

// Authorise implements [payment.Gateway].
func (g gateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	return call(ctx, "payment.authorise", request.Key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Authorise(ctx, request)
	})
}

// Find implements [payment.Gateway].
func (g gateway) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	return call(ctx, "payment.find", key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Find(ctx, key)
	})
}

// Void implements [payment.Gateway].
func (g gateway) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	return call(ctx, "payment.void", key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Void(ctx, key)
	})
}

func call(
	ctx context.Context, name, key string, do func(context.Context) (payment.Authorisation, error),
) (payment.Authorisation, error) {
	ctx, span := tracer().Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("payment.id", key)))
	defer span.End()
	answer, err := do(ctx)
	span.SetAttributes(attribute.String("outcome", outcome(answer, err)))
	// That nothing is found is an answer.
	if err != nil && !errors.Is(err, payment.ErrNotFound) {
		fail(span, err)
	}
	return answer, err
}

func outcome(answer payment.Authorisation, err error) string {
	switch {
	case err == nil:
		return string(answer.Status)
	case errors.Is(err, payment.ErrUnknownOutcome):
		return "unknown"
	case errors.Is(err, payment.ErrNotSent):
		return "not_sent"
	case errors.Is(err, payment.ErrNotFound):
		return "not_found"
	case errors.Is(err, payment.ErrUnsupportedMethod):
		return "unsupported_method"
	}
	return "failed"
}
