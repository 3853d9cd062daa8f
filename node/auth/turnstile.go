package auth

import (
	"runtime"
	"sync"
)

// How many passwords may wait to be checked, from everywhere and from one
// place.
const (
	maxWaiting     = 128
	maxWaitingFrom = 16
)

// turnstile lets few through at once, in the order they came.
type turnstile struct {
	inside chan struct{}

	mu      sync.Mutex
	waiting int            // those inside included
	from    map[string]int // as many of them
}

func (t *turnstile) init(atOnce int) {
	t.inside = make(chan struct{}, atOnce)
	t.from = make(map[string]int)
}

func halfTheProcessors() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// enter reports whether there was room to wait. Whoever entered must leave.
func (t *turnstile) enter(from string) bool {
	if !t.queue(from) {
		return false
	}
	t.inside <- struct{}{}
	return true
}

func (t *turnstile) queue(from string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting >= maxWaiting || t.from[from] >= maxWaitingFrom {
		return false
	}
	t.waiting++
	t.from[from]++
	return true
}

func (t *turnstile) leave(from string) {
	<-t.inside
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
	if t.from[from]--; t.from[from] == 0 {
		delete(t.from, from)
	}
}
