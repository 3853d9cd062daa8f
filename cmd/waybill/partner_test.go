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
)

// partner is a receiver that keeps account of what came.
type partner struct {
	server   *httptest.Server
	mu       sync.Mutex
	verifier *standardwebhooks.Webhook
	messages map[string]message // by webhook-id
	last     map[string]int64   // sequence by order
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
	endpoint, err := api.CreateEndpoint(ctx, client.CreateEndpoint{URL: p.server.URL, EventTypes: []string{"order.placed"}})
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
	if last := p.last[m.Aggregate.ID]; last != previous {
		p.faults = append(p.faults, "gap in the sequence of order "+m.Aggregate.ID)
	}
	p.last[m.Aggregate.ID] = m.Sequence
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

// check expects each acknowledged order exactly once among the callbacks,
// repeats with equal ids aside.
func (p *partner) check(t *testing.T, acknowledged *acks) {
	t.Helper()
	eventually(t.Context(), t, time.Minute, func() error {
		if got, want := p.received(), len(acknowledged.orders); got < want {
			return fmt.Errorf("%d callbacks received, %d orders placed", got, want)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		t.Errorf("callbacks: %s", fault)
	}
	delivered := map[string]int{}
	for _, m := range p.messages {
		delivered[m.Aggregate.ID]++
	}
	for invoice, order := range acknowledged.orders {
		if delivered[order.ID] != 1 {
			t.Errorf("invoice %s: order %s was delivered under %d ids, want 1", invoice, order.ID, delivered[order.ID])
		}
	}
	if len(delivered) != len(acknowledged.orders) {
		t.Errorf("%d orders delivered, %d acknowledged", len(delivered), len(acknowledged.orders))
	}
}
