package webhooks_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
)

// memoryLog is a log within the test's own bubble of virtual time: time does
// not pass while somebody waits for a network, so a node cannot be in it. What
// it shares with a node is tested with a node.
type memoryLog struct {
	codec *eventstore.Codec

	mu      sync.Mutex
	all     []eventstore.Recorded
	streams map[string][]int
	changed chan struct{}
}

func newMemoryLog(tb testing.TB) *memoryLog {
	tb.Helper()
	return &memoryLog{codec: codec(tb), streams: map[string][]int{}, changed: make(chan struct{})}
}

// Append implements eventstore.Store.
func (l *memoryLog) Append(_ context.Context, stream string, expected eventstore.Revision, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if expected != eventstore.Any && eventstore.Revision(len(l.streams[stream]))-1 != expected {
		return eventstore.Appended{}, eventstore.ErrConflict
	}
	var last eventstore.Recorded
	for _, e := range events {
		last = l.record(stream, e)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return eventstore.Appended{Revision: last.Revision, Position: last.Position}, nil
}

func (l *memoryLog) record(stream string, e eventstore.NewEvent) eventstore.Recorded {
	data, err := json.Marshal(e.Event)
	if err != nil {
		panic(err)
	}
	recorded := l.codec.Bind(eventstore.Recorded{
		ID: e.ID, Stream: stream, Type: e.Event.EventName(), Created: time.Now(), Data: data, RawMetadata: []byte(`{"schema":1}`),
		Revision: eventstore.Revision(len(l.streams[stream])), Position: eventstore.Position(100 * (len(l.all) + 1)),
	})
	l.streams[stream] = append(l.streams[stream], len(l.all))
	l.all = append(l.all, recorded)
	return recorded
}

// ReadStream implements eventstore.Store.
func (l *memoryLog) ReadStream(_ context.Context, stream string, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		l.mu.Lock()
		var list []eventstore.Recorded
		for _, i := range l.streams[stream] {
			if l.all[i].Revision >= from {
				list = append(list, l.all[i])
			}
		}
		l.mu.Unlock()
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Before is that of eventstore.Client.
func (l *memoryLog) Before(_ context.Context, at time.Time) (before eventstore.Position, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if r.Created.Before(at) {
			before = r.Position
		}
	}
	return before, nil
}

func (l *memoryLog) open(cfg eventstore.FeedConfig) webhooks.Feed {
	return &memoryFeed{log: l, cfg: cfg, at: cfg.From}
}

type memoryFeed struct {
	log *memoryLog
	cfg eventstore.FeedConfig
	at  eventstore.Position
	was bool // live
}

// Next implements webhooks.Feed.
func (f *memoryFeed) Next(ctx context.Context) (eventstore.Page, error) {
	for {
		f.log.mu.Lock()
		page, changed := f.read(), f.log.changed
		f.log.mu.Unlock()
		if page.Through > f.at || !f.was {
			f.at, f.was = page.Through, true
			return page, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return eventstore.Page{}, ctx.Err()
		}
	}
}

func (f *memoryFeed) read() eventstore.Page {
	page := eventstore.Page{Through: f.at, Live: true}
	for _, r := range f.log.all {
		if r.Position <= f.at {
			continue
		}
		page.Through = r.Position
		for _, prefix := range f.cfg.Prefixes {
			if strings.HasPrefix(r.Stream, prefix) {
				page.Events = append(page.Events, r)
				break
			}
		}
	}
	return page
}

// Close implements webhooks.Feed.
func (f *memoryFeed) Close() {}
