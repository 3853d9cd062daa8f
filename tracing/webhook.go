package tracing

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Webhook returns what [webhooks.Dispatcher] calls around each attempt. It
// records a span "webhook.deliver" in the trace of the command that caused the
// event, also when the attempt is made hours later, linked to the attempt before
// it. An attempt of a replay is a trace of its own, linked to that one, unless
// replays are to continue it.
func Webhook(now func() time.Time, continueReplays bool) func(context.Context, webhooks.Delivery, func(context.Context) webhooks.Result) webhooks.Result {
	if !enabled() {
		return func(ctx context.Context, _ webhooks.Delivery, attempt func(context.Context) webhooks.Result) webhooks.Result {
			return attempt(ctx)
		}
	}
	return func(ctx context.Context, about webhooks.Delivery, attempt func(context.Context) webhooks.Result) webhooks.Result {
		ctx, place := placeOf(ctx, about, continueReplays)
		ctx, span := tracer().Start(ctx, "webhook.deliver", append(place, trace.WithSpanKind(trace.SpanKindClient))...)
		defer span.End()
		if !span.IsRecording() {
			return attempt(ctx)
		}
		span.SetAttributes(deliveryAttributes(about, now())...)
		result := attempt(httptrace.WithClientTrace(ctx, steps(span)))
		tell(span, result)
		return result
	}
}

// placeOf says where the span of an attempt belongs.
func placeOf(ctx context.Context, about webhooks.Delivery, continueReplays bool) (context.Context, []trace.SpanStartOption) {
	stored := parse(ctx, about.Metadata.TraceParent)
	var links []trace.Link
	if about.Previous.Span.IsValid() {
		links = append(links, trace.Link{SpanContext: about.Previous.Span})
	}
	if about.Run == ledger.Live || continueReplays {
		return trace.ContextWithRemoteSpanContext(ctx, stored), []trace.SpanStartOption{trace.WithLinks(links...)}
	}
	if stored.IsValid() {
		links = append(links, trace.Link{SpanContext: stored})
	}
	return ctx, []trace.SpanStartOption{trace.WithNewRoot(), trace.WithLinks(links...)}
}

func deliveryAttributes(about webhooks.Delivery, now time.Time) []attribute.KeyValue {
	tags := append(identity(about.Lane, about.Metadata.CorrelationID),
		attribute.String("http.request.method", "POST"),
		attribute.String("webhook.endpoint.id", about.EndpointID),
		attribute.String("webhook.message.id", about.MessageID),
		attribute.String("webhook.event.type", about.EventType),
		attribute.Int("webhook.attempt", about.Attempt),
		attribute.String("webhook.run", about.Run),
		attribute.String("webhook.lane", about.Lane),
		attribute.Int("webhook.sequence", about.Sequence),
		attribute.Int64("webhook.lag_ms", now.Sub(about.Recorded).Milliseconds()))
	if about.Attempt > 1 {
		tags = append(tags, attribute.Int("http.request.resend_count", about.Attempt-1))
	}
	// Only the host: a path or a query may hold a partner's secret.
	if u, err := url.Parse(about.URL); err == nil {
		tags = append(tags, attribute.String("server.address", u.Hostname()))
		tags = append(tags, attribute.Int("server.port", portOf(u)))
	}
	return tags
}

// portOf is the port that is meant where none is named.
func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// steps notes when the connection came to what.
func steps(span trace.Span) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone:              func(httptrace.DNSDoneInfo) { span.AddEvent("dns") },
		ConnectDone:          func(_, _ string, _ error) { span.AddEvent("connect") },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { span.AddEvent("tls") },
		GotFirstResponseByte: func() { span.AddEvent("first_byte") },
	}
}

func tell(span trace.Span, result webhooks.Result) {
	if result.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", result.Status))
	}
	if result.Class == delivery.ClassOK {
		return
	}
	span.SetAttributes(attribute.String("error.type", string(result.Class)))
	span.SetStatus(codes.Error, reason(result))
}

// reason says why an attempt failed, without the URL.
func reason(result webhooks.Result) string {
	if within, ok := errors.AsType[*url.Error](result.Err); ok {
		return within.Err.Error()
	}
	if result.Err != nil {
		return result.Err.Error()
	}
	return string(result.Class)
}
