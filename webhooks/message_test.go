package webhooks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// numbers returns "sequence<previous" of what an aggregate's messages said.
func (r *receiver) numbers(aggregate string) []string {
	var numbers []string
	for _, m := range r.all() {
		if m.Aggregate.ID != aggregate {
			continue
		}
		previous := "null"
		if m.Previous != nil {
			previous = fmt.Sprint(*m.Previous)
		}
		numbers = append(numbers, fmt.Sprintf("%d<%s", m.Sequence, previous))
	}
	return numbers
}

func TestGapsCanBeToldFromWhatIsFiltered(t *testing.T) {
	t.Parallel()
	all, some := newReceiver(t, nil), newReceiver(t, nil)
	p := newPlatform(t)
	before := p.append("o1", eventstore.NoStream, placed{}, noted{0})
	p.endpoint(all.URL, "*")
	p.endpoint(some.URL, "order.noted")
	p.append("o1", eventstore.Revision(len(before)-1), hidden{}, noted{1}, placed{}, hidden{}, noted{2})
	p.start()
	eventually(t, "all deliveries", func() bool { return all.count() == 3 && some.count() == 2 })
	if diff := cmp.Diff([]string{"3<2", "4<3", "5<4"}, all.numbers("o1")); diff != "" {
		t.Errorf("who wants all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3<2", "5<3"}, some.numbers("o1")); diff != "" {
		t.Errorf("who wants notes (-want +got):\n%s", diff)
	}
}

func TestATestMessageGoesToItsEndpointOnly(t *testing.T) {
	t.Parallel()
	mine, other := newReceiver(t, nil), newReceiver(t, nil)
	p := newPlatform(t)
	created := p.endpoint(mine.URL, "order.placed")
	p.endpoint(other.URL, "*")
	mine.verifyWith(created.Secret.Text())
	d := p.start()
	for range 2 {
		id, err := d.Endpoints.Test(t.Context(), created.ID, meta())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the test message", func() bool {
			requests := mine.all()
			return len(requests) > 0 && requests[len(requests)-1].ID == id
		})
	}
	p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "what comes after", func() bool { return other.count() == 1 && mine.count() == 3 })
	if diff := cmp.Diff([]string{"1<null", "2<1"}, mine.numbers(created.ID)); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if m := mine.all()[0]; m.Type != "endpoint.test" || m.Aggregate.Type != "endpoint" {
		t.Errorf("message %s", m.Body)
	}
}

func TestCursorsAreThoseOfTheLog(t *testing.T) {
	t.Parallel()
	a, b := newReceiver(t, nil), newReceiver(t, nil)
	p := newPlatform(t)
	p.endpoint(a.URL, "*")
	p.endpoint(b.URL, "*")
	p.start()
	p.append("o1", eventstore.NoStream, placed{}, noted{1})
	eventually(t, "all deliveries", func() bool { return a.count() == 2 && b.count() == 2 })
	cursors, err := cursor.New(p.config.CursorKey)
	if err != nil {
		t.Fatal(err)
	}
	var last eventstore.Position
	for i, m := range a.all() {
		at, err := cursors.Decode(webhooks.CursorScope, m.Cursor)
		if err != nil || at <= last || m.Cursor != b.all()[i].Cursor {
			t.Errorf("cursor %s at %d after %d, %s at the other endpoint: %v", m.Cursor, at, last, b.all()[i].Cursor, err)
		}
		last = at
	}
}

func TestAnAttemptCarriesItsOwnSpanAndNothingElse(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	p := newPlatform(t)
	abouts := make(chan webhooks.Delivery, 10)
	p.around = func(ctx context.Context, about webhooks.Delivery, attempt func(context.Context) webhooks.Result) webhooks.Result {
		state, err := trace.ParseTraceState("secret=1")
		member, memberErr := baggage.NewMember("customer", "1")
		bag, bagErr := baggage.New(member)
		if err != nil || memberErr != nil || bagErr != nil {
			t.Error(err, memberErr, bagErr)
		}
		ctx = trace.ContextWithSpanContext(baggage.ContextWithBaggage(ctx, bag), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state,
		}))
		result := attempt(ctx)
		if result.Class != delivery.ClassOK || result.Status != 200 {
			t.Errorf("result %+v", result)
		}
		abouts <- about
		return result
	}
	created := p.endpoint(r.URL, "*")
	p.start()
	ids := p.append("o1", eventstore.NoStream, placed{})
	eventually(t, "a delivery", func() bool { return r.count() == 1 })
	h := r.all()[0].Header
	if h.Get("Traceparent") != "00-01000000000000000000000000000000-0200000000000000-01" || h.Get("Tracestate") != "" || h.Get("Baggage") != "" {
		t.Errorf("headers %v", h)
	}
	about := <-abouts
	if about.MessageID != ids[0] || about.EndpointID != created.ID || about.Attempt != 1 || about.Sequence != 1 || about.EventType != "order.placed" ||
		about.Lane != "order-o1" || about.Metadata.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || about.Recorded.IsZero() {
		t.Errorf("about %+v", about)
	}
}
