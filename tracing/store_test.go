package tracing_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
)

type happened string

func (e happened) EventName() string { return string(e) }

// sink keeps the metadata of what is appended, or refuses.
type sink struct {
	streams  map[string][]eventstore.Recorded
	refuse   error
	appended []eventstore.Metadata
}

func (s *sink) Append(_ context.Context, _ string, _ eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	for _, e := range events {
		s.appended = append(s.appended, e.Metadata)
	}
	return eventstore.Appended{Revision: 7, Position: 700}, s.refuse
}

func (s *sink) ReadStream(_ context.Context, stream string, _ eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for _, r := range s.streams[stream] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func event(name string, meta eventstore.Metadata) eventstore.NewEvent {
	return eventstore.NewEvent{ID: uuid.MustParse("0b9e0000-0000-5000-8000-000000000001"), Event: happened(name), Metadata: meta}
}

func w3c(sc trace.SpanContext) string {
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String()
}

func metadata(sc trace.SpanContext) eventstore.Metadata {
	return eventstore.Metadata{TraceParent: w3c(sc), TraceID: sc.TraceID().String(), SpanID: sc.SpanID().String()}
}

func TestAnAppendIsASpanAndItsEventsNameIt(t *testing.T) {
	t.Parallel()
	ctx, request := root(t)
	into := &sink{}
	given := []eventstore.NewEvent{
		event("OrderPlaced", eventstore.Metadata{CorrelationID: "c1"}),
		event("OrderHeld", eventstore.Metadata{CorrelationID: "c1"}),
	}
	if _, err := tracing.Store(into).Append(ctx, "order-o1", eventstore.NoStream, given...); err != nil {
		t.Fatal(err)
	}

	got := only(t, request.SpanContext().TraceID(), "streams.append")
	if got.Parent.SpanID() != request.SpanContext().SpanID() {
		t.Errorf("the parent is %v, want the request", got.Parent.SpanID())
	}
	wantTags(t, got, map[string]any{
		"order.id": "o1", "correlation_id": "c1", "db.kdb.stream": "order-o1",
		"event.type": "OrderPlaced,OrderHeld", "event.count": int64(2),
		"expected_revision": int64(-1), "revision": int64(7),
	})
	want := metadata(got.SpanContext)
	want.CorrelationID = "c1"
	if diff := cmp.Diff([]eventstore.Metadata{want, want}, into.appended); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if given[0].Metadata.TraceParent != "" {
		t.Error("the caller's events were changed")
	}
}

func TestAnAppendForSeveralCallersIsLinkedToEach(t *testing.T) {
	t.Parallel()
	_, first := root(t)
	_, second := root(t)
	into := &sink{}
	if _, err := tracing.Store(into).Append(t.Context(), "stock-main.MUG-1", 3,
		event("StockReserved", eventstore.Metadata{TraceParent: w3c(first.SpanContext())}),
		event("StockReserved", eventstore.Metadata{TraceParent: w3c(second.SpanContext())}),
	); err != nil {
		t.Fatal(err)
	}

	got := only(t, first.SpanContext().TraceID(), "streams.append")
	if got.Parent.SpanID() != first.SpanContext().SpanID() {
		t.Errorf("the parent is %v, want the first caller", got.Parent.SpanID())
	}
	if len(got.Links) != 1 || got.Links[0].SpanContext.SpanID() != second.SpanContext().SpanID() {
		t.Errorf("links are %v, want one to the second caller", got.Links)
	}
	if diff := cmp.Diff([]eventstore.Metadata{metadata(first.SpanContext()), metadata(second.SpanContext())}, into.appended); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestARefusedAppendIsAFailedSpan(t *testing.T) {
	t.Parallel()
	ctx, request := root(t)
	_, err := tracing.Store(&sink{refuse: eventstore.ErrConflict}).Append(ctx, "order-o1", 4, event("OrderHeld", eventstore.Metadata{}))
	if !errors.Is(err, eventstore.ErrConflict) {
		t.Fatalf("error is %v, want the store's", err)
	}
	if got := only(t, request.SpanContext().TraceID(), "streams.append"); got.Status.Code != codes.Error {
		t.Errorf("status is %v, want an error", got.Status)
	}
}

func TestWhatRecoveryFinishesBelongsToTheRequestThatBeganIt(t *testing.T) {
	t.Parallel()
	_, request := root(t)
	into := &sink{streams: map[string][]eventstore.Recorded{
		"checkout-c1": {{RawMetadata: []byte(`{"traceparent":"` + w3c(request.SpanContext()) + `"}`)}},
	}}
	if _, err := tracing.Store(into).Append(t.Context(), "order-o1", eventstore.NoStream,
		event("OrderPlaced", eventstore.Metadata{CorrelationID: "c1"})); err != nil {
		t.Fatal(err)
	}
	got := only(t, request.SpanContext().TraceID(), "streams.append")
	if got.Parent.SpanID() != request.SpanContext().SpanID() {
		t.Errorf("the parent is %v, want the request", got.Parent.SpanID())
	}
}
