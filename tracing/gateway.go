package tracing

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Gateway returns a gateway that records a span for each call: the payment's
// id, and how it came out. The payment's method is not told.
func Gateway(next payment.Provider) payment.Provider { return gateway{next} }

type gateway struct{ next payment.Provider }

// Authorise implements [payment.Gateway].
func (g gateway) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	return authorisation(ctx, "payment.authorise", request.Key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Authorise(ctx, request)
	})
}

// Find implements [payment.Gateway].
func (g gateway) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	return authorisation(ctx, "payment.find", key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Find(ctx, key)
	})
}

// Void implements [payment.Gateway].
func (g gateway) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	return authorisation(ctx, "payment.void", key, func(ctx context.Context) (payment.Authorisation, error) {
		return g.next.Void(ctx, key)
	})
}

// Capture implements [payment.Collector].
func (g gateway) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return movement(ctx, "payment.capture", c.Key, c.ID, func(ctx context.Context) (payment.Movement, error) {
		return g.next.Capture(ctx, c)
	})
}

// FindCapture implements [payment.Collector].
func (g gateway) FindCapture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return movement(ctx, "payment.find", c.Key, c.ID, func(ctx context.Context) (payment.Movement, error) {
		return g.next.FindCapture(ctx, c)
	})
}

// Refund implements [payment.Collector].
func (g gateway) Refund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	return movement(ctx, "payment.refund", r.Key, r.ID, func(ctx context.Context) (payment.Movement, error) {
		return g.next.Refund(ctx, r)
	})
}

// FindRefund implements [payment.Collector].
func (g gateway) FindRefund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	return movement(ctx, "payment.find", r.Key, r.ID, func(ctx context.Context) (payment.Movement, error) {
		return g.next.FindRefund(ctx, r)
	})
}

// Callback implements [payment.Listener]. Nothing is asked, so there is no span.
func (g gateway) Callback(ctx context.Context, header http.Header, body []byte) (payment.Callback, error) {
	return g.next.Callback(ctx, header, body)
}

func authorisation(
	ctx context.Context, name, key string, do func(context.Context) (payment.Authorisation, error),
) (payment.Authorisation, error) {
	return call(ctx, name, []attribute.KeyValue{attribute.String("payment.id", key)}, do,
		func(a payment.Authorisation) string { return string(a.Status) })
}

func movement(
	ctx context.Context, name, key, id string, do func(context.Context) (payment.Movement, error),
) (payment.Movement, error) {
	return call(ctx, name, []attribute.KeyValue{attribute.String("payment.id", key), attribute.String("movement.id", id)}, do,
		func(m payment.Movement) string { return string(m.Status) })
}

func call[A any](
	ctx context.Context, name string, about []attribute.KeyValue, do func(context.Context) (A, error), status func(A) string,
) (A, error) {
	ctx, span := tracer().Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about...))
	defer span.End()
	answer, err := do(ctx)
	span.SetAttributes(attribute.String("outcome", outcome(status(answer), err)))
	// That nothing is found is an answer.
	if err != nil && !errors.Is(err, payment.ErrNotFound) {
		fail(span, err)
	}
	return answer, err
}

func outcome(status string, err error) string {
	switch {
	case err == nil:
		return status
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
