package node

import (
	"sync"
	"sync/atomic"
	"time"
)

// A bell wakes those who wait for the log to grow. To wake very many for each
// group of appends would take all the time there is, theirs included; so a bell
// that many waited for is silent for a while, and who waits then finds more.
type bell struct {
	signal
	waiting atomic.Int64

	mu     sync.Mutex
	silent time.Time // until then
	due    bool      // it rings at the end of the silence
}

const (
	fewWaiting = 16                    // are woken at once, always
	wakeTime   = 20 * time.Microsecond // what it costs to wake one, its reader included
	mostSilent = 5 * time.Millisecond
)

// ring wakes all who wait, now or soon.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.due {
		return
	}
	if wait := time.Until(b.silent); wait > 0 {
		b.due = true
		time.AfterFunc(wait, b.ringLate)
		return
	}
	b.ringNow()
}

func (b *bell) ringLate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = false
	b.ringNow()
}

func (b *bell) ringNow() {
	if n := b.waiting.Load(); n > fewWaiting {
		silence := min(time.Duration(n)*wakeTime, mostSilent)
		b.silent = time.Now().Add(silence) //nolint:forbidigo // a pause of this process, no time of the store
	}
	b.wake()
}

// wait returns when the bell rings, or rang after changed was taken, or done is
// closed.
func (b *bell) wait(changed, done <-chan struct{}) {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	select {
	case <-changed:
	case <-done:
	}
}
