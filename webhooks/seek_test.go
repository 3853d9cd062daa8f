package webhooks_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
)

// between returns a time that lies between what is in the log and what comes.
func between() time.Time {
	time.Sleep(2 * time.Millisecond) // the log's clock counts microseconds, times are told in milliseconds
	defer time.Sleep(2 * time.Millisecond)
	return time.Now()
}

func TestDeliveriesAreResumedAtATime(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	request := func() webhooks.Request { return webhooks.Request{ID: created.ID, Meta: meta()} }
	if _, err := p.endpoints(nil).Pause(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	d := p.start() // what is under way when somebody pauses may still arrive
	p.history("a", 3)
	middle := between()
	p.history("b", 3)
	from, err := d.From(t.Context(), created.Endpoint, middle.UTC().Format(time.RFC3339Nano))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.endpoints(nil).Resume(t.Context(), request(), from); err != nil {
		t.Fatal(err)
	}
	p.history("c", 1)
	eventually(t, "what came after it", func() bool { return r.count() >= 12 })
	var orders []string
	for _, m := range r.all() {
		if !slices.Contains(orders, m.Aggregate.ID) {
			orders = append(orders, m.Aggregate.ID)
		}
	}
	slices.Sort(orders)
	if want := []string{"b0", "b1", "b2", "c0"}; !slices.Equal(orders, want) || r.count() != 12 {
		t.Errorf("%d messages of %v, want 12 of %v", r.count(), orders, want)
	}
}

// TestAPreviewSinceATimeReadsOnlyWhatCameAfter also counts what is read: with
// years of history it would never come to the end of it otherwise.
func TestAPreviewSinceATimeReadsOnlyWhatCameAfter(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	created := p.endpoint("http://127.0.0.1:9/", "order.placed")
	p.history("a", 20)
	middle := between()
	p.history("b", 3)
	var mu sync.Mutex
	var from []eventstore.Position
	cursors, err := cursor.New(p.config.CursorKey)
	if err != nil {
		t.Fatal(err)
	}
	messages := &webhooks.Messages{
		Store: p.log, Catalogue: p.catalogue, Cursors: cursors, End: p.end, Before: p.log.Before, Now: time.Now,
		Feed: func(cfg eventstore.FeedConfig) webhooks.Feed {
			mu.Lock()
			defer mu.Unlock()
			from = append(from, cfg.From)
			return p.log.open(cfg)
		},
	}
	preview, err := messages.Preview(t.Context(), webhooks.PreviewRequest{EndpointID: created.ID, Since: middle, Examples: 1, Within: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if preview.Matched != 3 || preview.Public != 9 || !preview.Complete || preview.Progress != 1 {
		t.Errorf("%+v", preview)
	}
	before, err := p.log.Before(context.WithoutCancel(t.Context()), middle)
	if err != nil || before == 0 || len(from) != 1 || from[0] != before {
		t.Errorf("read from %d, want only from %d, %v", from, before, err)
	}
	if _, err := messages.Preview(t.Context(), webhooks.PreviewRequest{EndpointID: uuid.NewString(), Within: time.Minute}); err == nil {
		t.Error("an endpoint that is not there has a preview")
	}
}
