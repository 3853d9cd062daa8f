package node

import (
	"sync"
	"sync/atomic"
	"time"
)

// A bell wakes those who wait for the log to grow. To wake very many for each
// group of appends would take all the time there is, theirs included; so when
// many wait, each is woken once in a while and finds more. They are woken in
// parts, one after the other: whoever appends would else wait behind all of them.
type bell struct {
	parts   [bellParts]signal
	waiting atomic.Int64
	seats   atomic.Uint32

	mu     sync.Mutex
	began  time.Time
	silent [bellParts]time.Duration // since it began: a part is not woken before
	due    [bellParts]bool          // a part is woken at the end of its silence
	armed  bool                     // somebody sees to that
}

const (
	bellParts  = 4
	fewWaiting = 16                    // are woken at once, always
	wakeTime   = 50 * time.Microsecond // what it costs to wake one, its reader included, and what more may be shown then
	mostSilent = 5 * time.Millisecond
)

func (b *bell) init() {
	b.began = time.Now() //nolint:forbidigo // pauses of this process, no times of the store
	for i := range b.parts {
		b.parts[i].init()
	}
}

// seat is the part that one more belongs to.
func (b *bell) seat() int { return int(b.seats.Add(1) % bellParts) }

// ring wakes all who wait, now or soon.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Since(b.began)
	for i := range b.parts {
		if now < b.silent[i] {
			b.due[i] = true
		} else {
			b.wakePart(i, now)
		}
	}
	b.arm(now)
}

// wakeAll is for the end: nobody is left waiting.
func (b *bell) wakeAll() {
	for i := range b.parts {
		b.parts[i].wake()
	}
}

// wakePart begins a silence that ends when it is the part's turn again: after a
// pause all are woken at once, and then they are spread.
func (b *bell) wakePart(i int, now time.Duration) {
	b.due[i] = false
	if n := b.waiting.Load(); n > fewWaiting {
		round := min(time.Duration(n)*wakeTime, mostSilent)
		turn := round * time.Duration(i) / bellParts
		b.silent[i] = now + round - (now-turn+round)%round
	}
	b.parts[i].wake()
}

func (b *bell) arm(now time.Duration) {
	if b.armed {
		return
	}
	next := time.Duration(-1)
	for i, due := range b.due {
		if due && (next < 0 || b.silent[i] < next) {
			next = b.silent[i]
		}
	}
	if next >= 0 {
		b.armed = true
		time.AfterFunc(next-now, b.late)
	}
}

func (b *bell) late() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	now := time.Since(b.began)
	for i, due := range b.due {
		if due && now >= b.silent[i] {
			b.wakePart(i, now)
		}
	}
	b.arm(now)
}

// wait returns when its part is woken, or was after changed was taken, or done
// is closed.
func (b *bell) wait(changed, done <-chan struct{}) {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	select {
	case <-changed:
	case <-done:
	}
}
