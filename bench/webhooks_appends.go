package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// appends knows when events were recorded: what a receiver waits for begins
// with the event store, and only what comes after is the dispatcher's.
type appends struct {
	mu   sync.Mutex
	done map[string]time.Time // by order
	took *hdrhistogram.Histogram
}

func newAppends() *appends { return &appends{done: map[string]time.Time{}, took: newHistogram()} }

// note says when the append of an order's event began and was acknowledged.
func (a *appends) note(id string, began, done time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done[id] = done
	record(a.took, done.Sub(began))
}

// since is how long after its append an order's event arrived; 0 where that was
// earlier than its acknowledgement.
func (a *appends) since(id []byte, arrived time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	done, known := a.done[string(id)]
	if !known {
		return 0
	}
	return max(arrived.Sub(done), 0)
}

// merge adds how long appends took.
func (a *appends) merge(into *hdrhistogram.Histogram) {
	a.mu.Lock()
	defer a.mu.Unlock()
	into.Merge(a.took)
}

// reset forgets how long appends took.
func (a *appends) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took.Reset()
}
