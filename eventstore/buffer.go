package eventstore

import (
	"context"
	"sync"
)

// maxBuffered is the payload a buffer holds before its writer waits.
const maxBuffered = 16 << 20

// buffer stands between the goroutine that receives events and the reader of
// the feed, so that one receives while the other works.
type buffer struct {
	capacity int // events, before the writer waits

	mu      sync.Mutex
	events  []Recorded
	bytes   int      // of payload in events
	through Position // after all of events
	live    bool     // after all of events
	news    bool     // through or live changed since the last page
	err     error
	joined  bool // nothing more comes, and the feed goes on from the tail

	filled  chan struct{} // holds one token when there may be something to take
	drained chan struct{} // holds one token when there may be room
}

func newBuffer(from Position, pageSize int) *buffer {
	return &buffer{
		capacity: 2 * pageSize,
		through:  from,
		filled:   make(chan struct{}, 1),
		drained:  make(chan struct{}, 1),
	}
}

// put adds events, and waits for room first. It returns false when the context
// ended before there was any.
func (b *buffer) put(ctx context.Context, events ...Recorded) bool {
	b.mu.Lock()
	for len(b.events) >= b.capacity || b.bytes >= maxBuffered {
		b.mu.Unlock()
		select {
		case <-b.drained:
		case <-ctx.Done():
			return false
		}
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	for _, e := range events {
		b.bytes += e.size()
	}
	b.events = append(b.events, events...)
	b.through = events[len(events)-1].Position
	signal(b.filled)
	return true
}

// pass notes that the log is dealt with up to a position.
func (b *buffer) pass(through Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if through > b.through {
		b.through, b.news = through, true
		signal(b.filled)
	}
}

// setLive notes that the end of the log is reached, or no more.
func (b *buffer) setLive(live bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = live
	if live {
		b.news = true
		signal(b.filled)
	}
}

// join ends the buffer with what is in it.
func (b *buffer) join() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.joined = true
	signal(b.filled)
}

// end returns how far the log is dealt with once all of the buffer is.
func (b *buffer) end() Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.through
}

// fail ends the buffer. The first error counts; what is in the buffer is lost,
// which a position that was never handed over makes good.
func (b *buffer) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	signal(b.filled)
}

// take waits for something and returns up to a page of it.
func (b *buffer) take(ctx context.Context, pageSize int) (Page, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		if page, ok, err := b.page(pageSize); ok || err != nil {
			return page, err
		}
		select {
		case <-b.filled:
		case <-ctx.Done():
		}
	}
}

func (b *buffer) page(pageSize int) (Page, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		signal(b.filled) // for the next Next
		return Page{}, false, b.err
	}
	if len(b.events) == 0 && !b.news {
		if b.joined {
			return Page{}, false, errJoined
		}
		return Page{}, false, nil
	}
	n := min(pageSize, len(b.events))
	page := Page{Events: b.events[:n:n], Through: b.through, Live: b.live}
	if b.events = b.events[n:]; len(b.events) == 0 {
		b.events, b.news = nil, false
	} else {
		page.Through, page.Live = page.Events[n-1].Position, false
	}
	for _, e := range page.Events {
		b.bytes -= e.size()
	}
	signal(b.drained)
	return page, true, nil
}

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}
