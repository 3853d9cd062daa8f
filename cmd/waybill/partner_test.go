package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	publicmessage "github.com/waybill-dev/waybill/webhooks/message"
)

// partner is a receiver that keeps account of what came.
type partner struct {
	server   *httptest.Server
	mu       sync.Mutex
	verifier *standardwebhooks.Webhook
	messages map[string]message // by webhook-id
	last     map[string]int64   // sequence by aggregate
	repeats  int
	faults   []string
}

// message is the part of a callback that a partner relies on.
type message struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Aggregate struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"aggregate"`
	Sequence int64  `json:"sequence"`
	Previous *int64 `json:"previous"`
}

func startPartner(t *testing.T) *partner {
	t.Helper()
	p := &partner{messages: map[string]message{}, last: map[string]int64{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.receive))
	t.Cleanup(p.server.Close)
	return p
}

func (p *partner) subscribe(ctx context.Context, api *client.Client) {
	endpoint, err := api.CreateEndpoint(ctx, client.CreateEndpoint{URL: p.server.URL, EventTypes: []string{"*"}})
	if err == nil {
		p.mu.Lock()
		p.verifier, err = standardwebhooks.NewWebhook(endpoint.Secret)
		p.mu.Unlock()
	}
	if err != nil {
		p.fault("subscribe: " + err.Error())
	}
}

func (p *partner) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed in the middle: it will come again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var m message
	switch {
	case p.verifier.Verify(body, r.Header) != nil:
		p.faults = append(p.faults, "signature does not verify")
	case json.Unmarshal(body, &m) != nil:
		p.faults = append(p.faults, "body is not JSON")
	case m.ID != r.Header.Get("Webhook-Id"):
		p.faults = append(p.faults, "webhook-id "+r.Header.Get("Webhook-Id")+" is not the body's "+m.ID)
	default:
		p.account(m)
		return
	}
	w.WriteHeader(http.StatusBadRequest)
}

// account follows the receiver's rule: what continues the last sequence is
// next, what is not above it is a repeat, anything else is a gap.
func (p *partner) account(m message) {
	if first, seen := p.messages[m.ID]; seen {
		p.repeats++
		if first.Aggregate.ID != m.Aggregate.ID || first.Sequence != m.Sequence {
			p.faults = append(p.faults, "webhook-id "+m.ID+" came with another content")
		}
		return
	}
	p.messages[m.ID] = m
	previous := int64(0)
	if m.Previous != nil {
		previous = *m.Previous
	}
	about := m.Aggregate.Type + " " + m.Aggregate.ID
	if last := p.last[about]; last != previous {
		p.faults = append(p.faults, fmt.Sprintf("gap in the sequence of %s: %d came after %d, and should after %d", about, m.Sequence, last, previous))
	}
	p.last[about] = m.Sequence
}

func (p *partner) fault(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

func (p *partner) received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.messages)
}

func (p *partner) duplicates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repeats
}

// placed returns under how many ids each order's order.placed came.
func (p *partner) placed() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	delivered := map[string]int{}
	for _, m := range p.messages {
		if m.Type == "order.placed" {
			delivered[m.Aggregate.ID]++
		}
	}
	return delivered
}

// check expects each acknowledged order exactly once among the callbacks,
// repeats with equal ids aside.
func (p *partner) check(t *testing.T, acknowledged *acks) {
	t.Helper()
	eventually(t.Context(), t, time.Minute, func() error {
		if got, want := len(p.placed()), len(acknowledged.orders); got < want {
			return fmt.Errorf("%d orders delivered, %d placed", got, want)
		}
		return nil
	})
	delivered := p.placed()
	for invoice, placed := range acknowledged.orders {
		if delivered[placed.ID] != 1 {
			t.Errorf("invoice %s: order %s was delivered under %d ids, want 1", invoice, placed.ID, delivered[placed.ID])
		}
	}
	if len(delivered) != len(acknowledged.orders) {
		t.Errorf("%d orders delivered, %d acknowledged", len(delivered), len(acknowledged.orders))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		t.Errorf("callbacks: %s", fault)
	}
}

// complete expects every public event of every order among the callbacks, by
// its id.
func (p *partner) complete(ctx context.Context, t *testing.T, store eventstore.Store, acknowledged *acks) (events int) {
	t.Helper()
	catalogue := publicmessage.NewCatalogue(publicmessage.Kinds())
	for invoice, placed := range acknowledged.orders {
		for r, err := range store.ReadStream(ctx, order.Decider.Stream(placed.ID), 0) {
			if err != nil {
				t.Fatal(err)
			}
			kind, public := catalogue.Kind(r.Type)
			if !public {
				continue
			}
			events++
			eventually(ctx, t, time.Minute, func() error {
				p.mu.Lock()
				defer p.mu.Unlock()
				if got := p.messages[r.ID.String()]; got.Type != kind.Public || got.Aggregate.ID != placed.ID {
					return fmt.Errorf("invoice %s: %s of order %s did not come: %+v", invoice, kind.Public, placed.ID, got)
				}
				return nil
			})
		}
	}
	return events
}
