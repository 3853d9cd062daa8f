package api_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
)

// TestAnOrderWhoseHistoryCannotBeRead: whoever asks for it, or wants to change
// it, is told which event is at fault and why; what was before can be looked
// at, and other orders are not affected.
func TestAnOrderWhoseHistoryCannotBeRead(t *testing.T) {
	t.Parallel()
	p := shop(t, 100)
	sound := p.ordered()
	for _, c := range []struct {
		name, reason string
		event        eventstore.NewEvent
		store        eventstore.Store
	}{
		{"another form", "damaged", eventstore.NewEvent{Event: order.OrderTagged{}, Content: []byte(`{"order_id": 17}`)}, p.store},
		{"no JSON", "damaged", eventstore.NewEvent{Event: order.OrderTagged{}, Content: []byte("\xfftags")}, p.store},
		{"a name that nobody knows", "unknown-type", eventstore.NewEvent{Event: stranger{}}, p.writer(domain.EventType{Zero: stranger{}})},
		{"a newer schema", "newer-schema", eventstore.NewEvent{Event: order.OrderTagged{}}, p.writer(newer(order.OrderTagged{}))},
		{"an event of a payment", "damaged", eventstore.NewEvent{Event: foreign()}, p.store},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := *p
			q.t = t
			broken := q.ordered()
			_, revision, err := eventstore.Load(t.Context(), p.store, order.Decider, broken.id)
			if err != nil {
				t.Fatal(err)
			}
			c.event.ID = uuid.New()
			if _, err := c.store.Append(t.Context(), "order-"+broken.id, revision, c.event); err != nil {
				t.Fatal(err)
			}
			path := "/v1/orders/" + broken.id
			told := q.get(path).problem(500, "history-unreadable").json()
			want := map[string]any{"stream": "order-" + broken.id, "revision": float64(revision + 1), "event_type": c.event.Event.EventName(), "reason": c.reason}
			for member, value := range want {
				if told[member] != value {
					t.Errorf("%s is %v, want %v: %v", member, told[member], value, told)
				}
			}
			for _, part := range []string{"/receipt.pdf", "/contact", "/payments", "/diff?from=0"} {
				q.get(path+part).problem(500, "history-unreadable")
			}
			for _, row := range changeRows() {
				broken.change(row.path, row.body, map[string]string{"If-Match": "*", "Idempotency-Key": uuid.NewString()}).problem(500, "history-unreadable")
			}
			if before := q.get(fmt.Sprint(path, "?revision=", revision)).expect(200); before.text("status") != "placed" {
				t.Errorf("before: %s", before.body)
			}
			events := q.get(path + "/events").expect(200).json()["items"].([]any)
			if last := events[len(events)-1].(map[string]any); last["id"] != c.event.ID.String() || last["type"] != c.event.Event.EventName() {
				t.Errorf("the last event: %v", last)
			}
			if said := q.log.String(); !strings.Contains(said, "an event cannot be read") || !strings.Contains(said, "stream=order-"+broken.id) {
				t.Errorf("whoever runs it is told:\n%s", said)
			}
		})
	}
	t.Run("another order", func(t *testing.T) {
		t.Parallel()
		q := *p
		q.t = t
		ordered{&q, sound.id}.step("tags", `{"add": ["gift"]}`)
	})
}

// stranger is an event that this program does not know.
type stranger struct{}

// EventName implements [domain.Event].
func (stranger) EventName() string { return "OrderPraised" }

// newer is an event in the schema of a later program.
func newer(e domain.Event) domain.EventType {
	return domain.EventType{Zero: e, Upcasters: []domain.Upcaster{nil}}
}

// foreign is an event of another aggregate.
func foreign() domain.Event { return payment.PaymentVoided{PaymentID: "p"} }

// writer appends events of other programs.
func (p *platform) writer(types ...domain.EventType) eventstore.Store {
	p.t.Helper()
	store := must(eventstore.NewClient(eventstore.Config{
		ConnectionString: p.node.ConnectionString(), Codec: must(eventstore.NewCodec(types...))(p.t), Logger: slog.New(slog.DiscardHandler),
	}))(p.t)
	p.t.Cleanup(func() { _ = store.Close() })
	return store
}
