package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// slices of a log, as a store: only reading is asked of it.
type streams struct {
	eventstore.Store
	events map[string][]eventstore.Recorded
	reads  int
}

func (s *streams) ReadStream(_ context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	s.reads++
	return func(yield func(eventstore.Recorded, error) bool) {
		for _, r := range s.events[stream][from:] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// randomLog writes orders, customers and endpoints of random courses, mixed.
func randomLog(t *testing.T, random *rand.Rand) (*streams, []eventstore.Recorded) {
	t.Helper()
	codec, err := eventstore.NewCodec(slices.Concat(order.EventTypes(), customer.EventTypes(), endpoint.EventTypes())...)
	if err != nil {
		t.Fatal(err)
	}
	s, log := &streams{events: map[string][]eventstore.Recorded{}}, []eventstore.Recorded(nil)
	for position := range 150 {
		stream, event := randomEvent(random, s)
		data, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		r := codec.Bind(eventstore.Recorded{
			ID: uuid.New(), Stream: stream, Type: event.EventName(), Revision: eventstore.Revision(len(s.events[stream])),
			Position: eventstore.Position(position + 1), Created: time.Unix(int64(position), 0), Data: data,
		})
		s.events[stream] = append(s.events[stream], r)
		log = append(log, r)
	}
	return s, log
}

func randomEvent(random *rand.Rand, s *streams) (string, domain.Event) {
	eur := func(n int) domain.Money { return domain.Money{Amount: int64(n), Currency: "EUR"} }
	switch id := random.IntN(12); {
	case id == 0:
		return "customer-c", []domain.Event{customer.CustomerRegistered{}, customer.CustomerErased{CustomerID: "c"}}[random.IntN(2)]
	case id < 3:
		stream := fmt.Sprint("endpoint-e", id)
		if len(s.events[stream]) == 0 {
			return stream, endpoint.Created{TenantID: []string{"", "t1"}[random.IntN(2)]}
		}
		return stream, []domain.Event{endpoint.Tested{}, endpoint.Disabled{Reason: endpoint.ReasonGone}, endpoint.Enabled{}}[random.IntN(3)]
	default:
		stream := fmt.Sprint("order-o", id)
		if len(s.events[stream]) == 0 {
			return stream, order.OrderPlaced{
				Channel: []string{"", "web", "shop"}[random.IntN(3)], ShipToCountry: []string{"DE", "AT"}[random.IntN(2)],
				Lines:  []order.Line{{LineID: "1", SKU: "A", Quantity: 1}, {LineID: "2", SKU: "B", Quantity: 2}},
				Totals: order.Totals{Grand: eur(random.IntN(2000))},
			}
		}
		return stream, []domain.Event{
			order.OrderNoteAdded{},
			order.OrderTagged{},
			order.OrderShipped{},
			order.OrderAddressChanged{ShipToRef: "r", ShipToCountry: "FR"},
			order.OrderPaymentUpdated{Kind: order.PaymentCaptured},
			order.OrderPaymentUpdated{Kind: order.PaymentRefunded},
			order.OrderEdited{Totals: order.Totals{Grand: eur(random.IntN(2000))}, Changes: []order.Change{
				{LineID: "1", SKU: "A", QuantityFrom: 1, QuantityTo: random.IntN(2)}, {LineID: "3", SKU: "C", QuantityTo: 1 + random.IntN(2)},
			}},
		}[random.IntN(7)]
	}
}

// audiences are endpoints of all sorts, with what they want written a second
// time, as plainly as possible.
func audiences(t *testing.T) map[string]struct {
	to    *audience
	naive func(kind message.Kind, id string, a *message.Attributes, detail string) bool
} {
	t.Helper()
	compile := func(text string) *filter.Filter {
		f, err := filter.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	type row = struct {
		to    *audience
		naive func(kind message.Kind, id string, a *message.Attributes, detail string) bool
	}
	ours := func(kind message.Kind, id string, a *message.Attributes) bool {
		return !kind.Operational || (id != "e1" && a.Tenant == "")
	}
	return map[string]row{
		"everything": {&audience{endpointID: "e1", types: []string{"*"}}, func(k message.Kind, id string, a *message.Attributes, _ string) bool {
			return ours(k, id, a)
		}},
		"some types": {&audience{endpointID: "e1", types: []string{"order.shipped", "order.edited"}}, func(k message.Kind, _ string, _ *message.Attributes, _ string) bool {
			return k.Public == "order.shipped" || k.Public == "order.edited"
		}},
		"a filter": {
			&audience{endpointID: "e1", types: []string{"*"}, filter: compile(`total > 1000 && country != "FR" && "A" in skus`)},
			func(k message.Kind, id string, a *message.Attributes, _ string) bool {
				return ours(k, id, a) && a.Total > 1000 && a.Country != "FR" && slices.Contains(a.SKUs, "A")
			},
		},
		"a filter of kinds": {
			&audience{endpointID: "e1", types: []string{"order.payment_updated", "order.placed"}, filter: compile(`type == "order.placed" || detail == "captured"`)},
			func(k message.Kind, _ string, _ *message.Attributes, detail string) bool {
				return k.Public == "order.placed" || k.Public == "order.payment_updated" && detail == "captured"
			},
		},
		"a partner": {
			&audience{endpointID: "e1", tenantID: "t1", channels: []string{"web"}, types: []string{"*"}},
			func(k message.Kind, id string, a *message.Attributes, _ string) bool {
				return k.Public == "customer.erased" || k.Aggregate == "order" && a.Channel == "web" || k.Operational && id != "e1" && a.Tenant == "t1"
			},
		},
	}
}

// TestGapsAreExactlyTheGaps compares the numbers with a naive model, and then
// lets a receiver loose on them: whatever is dropped, by the rule alone it
// finds a gap exactly where something is missing.
func TestGapsAreExactlyTheGaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		for name, who := range audiences(t) {
			random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a course of events, not a secret
			s, log := randomLog(t, random)
			catalogue := message.NewCatalogue(message.Kinds())
			h, err := newHistory(s, catalogue, 1+random.IntN(12)) // forgets now and then
			if err != nil {
				t.Fatal(err)
			}
			gaps := receiverOf(random)
			for _, r := range log {
				if random.IntN(4) > 0 { // the hub may be elsewhere
					h.observe(r)
				}
				kind, public := catalogue.Kind(r.Type)
				if !public {
					continue
				}
				wanted, err := h.wanted(t.Context(), r, who.to)
				if err != nil {
					t.Fatal(err)
				}
				sequence, previous, want := naivePlace(catalogue, s.events[r.Stream], r, who.to.endpointID, who.naive)
				if wanted != want {
					t.Fatalf("seed %d, %s: %s at %d of %s: wanted %v, the model says %v", seed, name, r.Type, r.Revision, r.Stream, wanted, want)
				}
				if !wanted {
					continue
				}
				gotSequence, gotPrevious, err := h.place(t.Context(), r, who.to)
				if err != nil || gotSequence != sequence || gotPrevious != previous {
					t.Fatalf("seed %d, %s: %s %s at %d of %s: %d<%d, the model says %d<%d: %v",
						seed, name, kind.Public, r.ID, r.Revision, r.Stream, gotSequence, gotPrevious, sequence, previous, err)
				}
				gaps.receive(t, r.Stream, gotSequence, gotPrevious)
			}
		}
	}
}

func naivePlace(
	catalogue *message.Catalogue, stream []eventstore.Recorded, r eventstore.Recorded, me string,
	wants func(message.Kind, string, *message.Attributes, string) bool,
) (sequence, previous int, wanted bool) {
	attributes := &message.Attributes{}
	for _, e := range stream {
		event, err := e.Decode()
		if err != nil {
			panic(err)
		}
		attributes = message.Fold(attributes, event)
		kind, public := catalogue.Kind(e.Type)
		if !public {
			continue
		}
		sequence++
		id := message.AggregateID(e.Stream)
		wanted = wants(kind, id, attributes, message.Detail(event))
		if kind.Private {
			wanted = id == me
		}
		if e.Revision == r.Revision {
			return sequence, previous, wanted
		}
		if wanted {
			previous = sequence
		}
	}
	panic("not in its stream")
}

// lossy is a receiver that some messages do not reach.
type lossy struct {
	random *rand.Rand
	last   map[string]int  // by stream, as the receiver knows
	missed map[string]bool // something was lost since the last message
}

func receiverOf(random *rand.Rand) *lossy {
	return &lossy{random: random, last: map[string]int{}, missed: map[string]bool{}}
}

func (l *lossy) receive(t *testing.T, stream string, sequence, previous int) {
	t.Helper()
	if l.random.IntN(5) == 0 {
		l.missed[stream] = true
		return
	}
	if sequence <= l.last[stream] {
		t.Fatalf("%s: %d came after %d and would be taken for a repeat", stream, sequence, l.last[stream])
	}
	if gap := previous != l.last[stream]; gap != l.missed[stream] {
		t.Fatalf("%s: %d<%d after %d is taken for a gap: %v, something is missing: %v", stream, sequence, previous, l.last[stream], gap, l.missed[stream])
	}
	l.last[stream], l.missed[stream] = sequence, false
}

// What passes by is not read again, with a filter or without.
func TestOrdersThatPassByAreNotReadAgain(t *testing.T) {
	t.Parallel()
	s, log := randomLog(t, rand.New(rand.NewPCG(1, 2))) //nolint:gosec // as above
	for name, who := range audiences(t) {
		h, err := newHistory(s, message.NewCatalogue(message.Kinds()), 100)
		if err != nil {
			t.Fatal(err)
		}
		h.folding.Store(true)
		s.reads = 0
		for _, r := range log {
			h.observe(r)
			if h.catalogue.Published(r.Type) == nil {
				continue
			}
			if _, _, err := h.place(t.Context(), r, who.to); err != nil {
				t.Fatal(err)
			}
		}
		if s.reads > 0 {
			t.Errorf("%s: streams were read %d times", name, s.reads)
		}
	}
}
