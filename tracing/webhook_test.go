package tracing_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func attemptOf(sc trace.SpanContext) webhooks.Delivery {
	return webhooks.Delivery{
		EndpointID: "ep_1", URL: "https://partner.example:8443/hook?token=secret", MessageID: "e1",
		EventType: "order.placed", Run: ledger.Live, Lane: "order-o1", Attempt: 2, Sequence: 1,
		Recorded: noon.Add(-3 * time.Second), Metadata: eventstore.Metadata{TraceParent: w3c(sc), CorrelationID: "c1"},
	}
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func TestAnAttemptIsASpanInTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	_, appended := root(t)
	var sent trace.SpanContext
	want := webhooks.Result{Status: 204, Class: delivery.ClassOK}
	got := tracing.Webhook(at(noon), false)(t.Context(), attemptOf(appended.SpanContext()), func(ctx context.Context) webhooks.Result {
		sent = trace.SpanContextFromContext(ctx)
		return want
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}

	span := only(t, appended.SpanContext().TraceID(), "webhook.deliver")
	if span.SpanKind != trace.SpanKindClient || span.Parent.SpanID() != appended.SpanContext().SpanID() {
		t.Errorf("kind %v, parent %v; want a client's span below the append", span.SpanKind, span.Parent.SpanID())
	}
	if sent.SpanID() != span.SpanContext.SpanID() {
		t.Errorf("the partner sees span %v, want the attempt's", sent.SpanID())
	}
	wantTags(t, span, map[string]any{
		"order.id": "o1", "correlation_id": "c1", "http.request.method": "POST", "http.response.status_code": int64(204),
		"server.address": "partner.example", "server.port": int64(8443), "webhook.endpoint.id": "ep_1",
		"webhook.message.id": "e1", "webhook.event.type": "order.placed", "webhook.attempt": int64(2),
		"http.request.resend_count": int64(1),
		"webhook.run":               "live", "webhook.lane": "order-o1", "webhook.sequence": int64(1), "webhook.lag_ms": int64(3000),
	})
}

func TestAnAttemptNamesThePortThatIsMeant(t *testing.T) {
	t.Parallel()
	for address, port := range map[string]int64{"https://partner.example/hook": 443, "http://partner.example": 80, "http://partner.example:8081": 8081} {
		_, appended := root(t)
		about := attemptOf(appended.SpanContext())
		about.URL, about.Attempt = address, 1
		tracing.Webhook(at(noon), false)(t.Context(), about, func(context.Context) webhooks.Result { return webhooks.Result{Class: delivery.ClassOK} })
		span := only(t, appended.SpanContext().TraceID(), "webhook.deliver")
		wantTags(t, span, map[string]any{"server.port": port})
		for _, tag := range span.Attributes {
			if tag.Key == "http.request.resend_count" {
				t.Errorf("%s: a first attempt counts as sent again", address)
			}
		}
	}
}

func TestAFailedAttemptSaysWhyWithoutTheURL(t *testing.T) {
	t.Parallel()
	_, appended := root(t)
	about := attemptOf(appended.SpanContext())
	tracing.Webhook(at(noon), false)(t.Context(), about, func(context.Context) webhooks.Result {
		return webhooks.Result{Class: delivery.ClassConnect, Err: &url.Error{Op: "Post", URL: about.URL, Err: errors.New("connection refused")}}
	})
	span := only(t, appended.SpanContext().TraceID(), "webhook.deliver")
	if span.Status.Code != codes.Error || span.Status.Description != "connection refused" {
		t.Errorf("status is %+v, want the error connection refused", span.Status)
	}
	wantTags(t, span, map[string]any{"error.type": string(delivery.ClassConnect)})
}

func TestAReplayedAttemptIsATraceOfItsOwnLinkedToTheFirst(t *testing.T) {
	t.Parallel()
	_, appended := root(t)
	about := attemptOf(appended.SpanContext())
	about.Run = "replay_1"
	var sent trace.SpanContext
	tracing.Webhook(at(noon), false)(t.Context(), about, func(ctx context.Context) webhooks.Result {
		sent = trace.SpanContextFromContext(ctx)
		return webhooks.Result{Status: 200, Class: delivery.ClassOK}
	})
	span := only(t, sent.TraceID(), "webhook.deliver")
	if span.Parent.IsValid() || len(span.Links) != 1 || span.Links[0].SpanContext.SpanID() != appended.SpanContext().SpanID() {
		t.Errorf("parent %v, links %v; want a root linked to the append", span.Parent, span.Links)
	}
}

func TestAReplayedAttemptMayContinueTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	_, appended := root(t)
	about := attemptOf(appended.SpanContext())
	about.Run = "replay_1"
	tracing.Webhook(at(noon), true)(t.Context(), about, func(context.Context) webhooks.Result {
		return webhooks.Result{Status: 200, Class: delivery.ClassOK}
	})
	span := only(t, appended.SpanContext().TraceID(), "webhook.deliver")
	if span.Parent.SpanID() != appended.SpanContext().SpanID() {
		t.Errorf("parent %v, want the append", span.Parent)
	}
}

func TestAnAttemptIsLinkedToTheOneBefore(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]string{"live": ledger.Live, "replay": "replay_1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, appended := root(t)
			_, before := root(t)
			about := attemptOf(appended.SpanContext())
			about.Run, about.Previous = run, webhooks.Previous{Class: delivery.ClassTimeout, Span: before.SpanContext()}
			var sent trace.SpanContext
			tracing.Webhook(at(noon), false)(t.Context(), about, func(ctx context.Context) webhooks.Result {
				sent = trace.SpanContextFromContext(ctx)
				return webhooks.Result{Status: 200, Class: delivery.ClassOK}
			})
			span := only(t, sent.TraceID(), "webhook.deliver")
			if len(span.Links) == 0 || span.Links[0].SpanContext.SpanID() != before.SpanContext().SpanID() {
				t.Errorf("links %v, want the attempt before", span.Links)
			}
		})
	}
}
