package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// TestClientPullsAndReplays reads the same messages in every way there is.
func TestClientPullsAndReplays(t *testing.T) {
	t.Parallel()
	p := start(t)
	h := newHook(t, func(int) int { return 200 })
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	ctx := t.Context()
	hooked := must(c.CreateEndpoint(ctx, client.CreateEndpoint{URL: h.URL, EventTypes: []string{"*"}}))(t)
	for _, key := range []string{"1", "2"} {
		must(c.TestEndpoint(ctx, hooked.ID, key))(t)
		h.next(t)
	}
	q := client.FeedQuery{Endpoint: hooked.ID, Wait: time.Second}
	var page client.FeedPage
	eventually(t, "two messages", func() (ok bool) {
		var err error
		page, err = c.Feed(ctx, q)
		return err == nil && len(page.Messages) == 2
	})
	first, second := page.Messages[0], page.Messages[1]
	if first.Type != "endpoint.test" || first.Sequence != 1 || second.Previous == nil || *second.Previous != 1 || page.Next == "" {
		t.Errorf("pulled: %+v, then at %s", page.Messages, page.Next)
	}
	enough := errors.New("enough")
	next, err := c.StreamFeed(ctx, client.FeedQuery{Endpoint: hooked.ID, After: first.Cursor}, func(m client.Message) error {
		if string(m.Body) != string(second.Body) {
			t.Errorf("streamed %s, want %s", m.Body, second.Body)
		}
		return enough
	})
	if !errors.Is(err, enough) || next == "" {
		t.Errorf("the stream ended with %v at %q", err, next)
	}
	var problem *client.Problem
	if _, err := c.StreamFeed(ctx, client.FeedQuery{After: "c1.x"}, nil); !errors.As(err, &problem) || problem.Status != 400 {
		t.Errorf("a stream from nowhere: %v", err)
	}
	of := must(c.AggregateEvents(ctx, first.Aggregate, 1, hooked.ID))(t)
	if len(of.Messages) != 1 || string(of.Messages[0].Body) != string(second.Body) {
		t.Errorf("of the aggregate: %+v", of)
	}

	replay := must(c.CreateReplay(ctx, hooked.ID, "r", client.NewReplay{From: first.Cursor, Rate: 100}))(t)
	if again := must(c.CreateReplay(ctx, hooked.ID, "r", client.NewReplay{From: first.Cursor, Rate: 100}))(t); again.ID != replay.ID {
		t.Errorf("the same key began %s", again.ID)
	}
	if got := h.next(t); got.header.Get("Webhook-Id") != second.ID || got.header.Get("Webhook-Run") != replay.ID {
		t.Errorf("replayed: %v", got.header)
	}
	eventually(t, "the replay ended", func() bool {
		r, err := c.Replay(ctx, hooked.ID, replay.ID)
		return err == nil && r.Ended() && r.Delivered == 1
	})
	if err := c.CancelReplay(ctx, hooked.ID, replay.ID); err != nil {
		t.Error(err)
	}
	if list := must(c.Replays(ctx, hooked.ID))(t); len(list) != 1 || list[0].EndedAt.IsZero() {
		t.Errorf("replays: %+v", list)
	}
	p.record("o1", "web", 10, 1)
	eventually(t, "the order", func() bool {
		placed, err := c.Feed(ctx, client.FeedQuery{Types: []string{"order.placed", "order.shipped"}, Filter: `channel == "web"`})
		page = placed
		return err == nil && len(placed.Messages) == 2
	})
	placed := page.Messages[0]
	if one := must(c.Event(ctx, placed.ID, placed.Aggregate, placed.Sequence))(t); one.ID != placed.ID || one.Type != "order.placed" {
		t.Errorf("one: %s", one.Body)
	}
	if got := must(c.PreviewFilter(ctx, hooked.ID, client.PreviewFilter{Filter: `type == "endpoint.test"`}))(t); !got.Complete {
		t.Errorf("preview: %+v", got)
	}
	if types := must(c.EventTypes(ctx))(t); len(types.Types) < 10 || len(types.Variables) == 0 {
		t.Errorf("types: %+v", types)
	}
	if kind := must(c.EventType(ctx, "order.placed"))(t); kind.Schema == nil || kind.Example == nil {
		t.Errorf("type: %+v", kind)
	}
	must(c.EgressAddresses(ctx))(t)
	must(c.RotateSigningKey(ctx, time.Hour, "k"))(t)
	if keys := must(c.SigningKeys(ctx))(t); len(keys) != 2 {
		t.Errorf("keys: %+v", keys)
	}
}
