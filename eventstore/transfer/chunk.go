package transfer

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// A chunk is neighbours in the log that are neighbours in their stream: they
// are appended at once.
type chunk struct {
	stream   string
	revision uint64 // of the first, in the target
	events   []*Event
	bytes    int
}

const (
	chunkEvents = 500
	chunkBytes  = 512 << 10
)

func (c *chunk) takes(e *Event) bool {
	return len(c.events) == 0 ||
		c.stream == e.Stream && len(c.events) < chunkEvents && c.bytes+e.size() <= chunkBytes
}

func (c *chunk) add(e *Event, revision uint64) {
	if len(c.events) == 0 {
		c.stream, c.revision = e.Stream, revision
	}
	c.events = append(c.events, e)
	c.bytes += e.size()
}

// goesBeyond says whether it begins before a revision, or with it, and ends
// behind it.
func (c *chunk) goesBeyond(revision uint64) bool {
	return c.revision <= revision && revision < c.revision+uint64(len(c.events))-1
}

// split is after the event with the revision, which is one of its own.
func (c *chunk) split(revision uint64) (first, rest chunk) {
	n := revision - c.revision + 1
	return chunk{stream: c.stream, revision: c.revision, events: c.events[:n]},
		chunk{stream: c.stream, revision: revision + 1, events: c.events[n:]}
}

func (c *chunk) data() []esdb.EventData {
	data := make([]esdb.EventData, len(c.events))
	for i, e := range c.events {
		data[i] = esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: contentType(e.ContentType), Data: e.Data, Metadata: e.Metadata}
	}
	return data
}

func contentType(name string) esdb.ContentType {
	if name == "application/json" {
		return esdb.ContentTypeJson
	}
	return esdb.ContentTypeBinary
}

// keys are what the chunk must not overtake.
func (c *chunk) keys() []string {
	keys := []string{"stream " + c.stream}
	var last string
	for _, e := range c.events {
		if id := correlation(e.Metadata); id != "" && id != last {
			keys = append(keys, "correlation "+id)
			last = id
		}
	}
	return keys
}

func correlation(metadata []byte) string {
	var m struct {
		ID string `json:"$correlationId"`
	}
	if json.Unmarshal(metadata, &m) != nil {
		return ""
	}
	return m.ID
}

// An order runs work beside other work, but after all earlier work with which
// it has a key in common.
type order struct {
	places  chan struct{}
	mu      sync.Mutex
	newest  map[string]chan struct{} // closed when the newest work with the key is done
	working sync.WaitGroup
}

func newOrder(workers int) *order {
	return &order{places: make(chan struct{}, workers), newest: map[string]chan struct{}{}}
}

// run waits for a place. It is for one caller at a time. Work is not begun when
// ctx has ended.
func (o *order) run(ctx context.Context, keys []string, work func()) error {
	select {
	case o.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan struct{})
	before := o.enter(keys, done)
	o.working.Go(func() {
		defer func() {
			o.leave(keys, done)
			<-o.places
		}()
		for _, earlier := range before {
			<-earlier
		}
		if ctx.Err() == nil {
			work()
		}
	})
	return nil
}

func (o *order) enter(keys []string, done chan struct{}) (before []<-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range keys {
		if earlier := o.newest[key]; earlier != nil && earlier != done {
			before = append(before, earlier)
		}
		o.newest[key] = done
	}
	return before
}

func (o *order) leave(keys []string, done chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range keys {
		if o.newest[key] == done {
			delete(o.newest, key)
		}
	}
	close(done)
}

func (o *order) wait() { o.working.Wait() }
