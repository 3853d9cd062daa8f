package eventstore

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// What a tail keeps. A feed that lags behind more than that reads for itself.
const (
	maxTail      = 8192
	maxTailBytes = 16 << 20
)

var (
	errBehind = errors.New("the tail does not hold what comes next")
	errJoined = errors.New("the feed goes on from the tail")
)

// tail is the end of the log, received and decoded once for all shared feeds of
// a client. It waits for none of them.
type tail struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	events  []Recorded // that follow after, in order; a part of array
	array   []Recorded
	bytes   int // of their payload
	after   Position
	through Position // after all of events
	live    bool
	started bool          // after and through are known
	broken  bool          // nothing more comes
	changed chan struct{} // closed at the next change, if anybody waits
}

// tails shares a tail between feeds, as long as there are any.
type tails struct {
	mu    sync.Mutex
	tail  *tail
	users int
}

// join returns the tail, which begins at the end of the log if this is its
// first feed.
func (t *tails) join(ctx context.Context, client *Client) *tail {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users++; t.users == 1 {
		t.tail = startTail(ctx, client)
	}
	return t.tail
}

// leave stops the tail if this was its last feed.
func (t *tails) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users--; t.users == 0 {
		t.tail.stop()
		<-t.tail.done
		t.tail = nil
	}
}

func startTail(ctx context.Context, client *Client) *tail {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	t := &tail{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		defer stop()
		s := subscription{client: client, config: FeedConfig{all: true, FromEnd: true}, sink: t}
		_ = s.run(ctx) // those who follow begin for themselves, and meet the same
		t.change(func() { t.broken, t.events, t.array = true, nil, nil })
	}()
	return t
}

func (t *tail) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// put implements [sink].
func (t *tail) put(_ context.Context, events ...Recorded) bool {
	t.change(func() {
		t.room(len(events))
		t.events = append(t.events, events...)
		for _, e := range events {
			t.bytes += e.size()
		}
		t.through = events[len(events)-1].Position
		for len(t.events) > maxTail || t.bytes > maxTailBytes {
			t.after = t.events[0].Position
			t.bytes -= t.events[0].size()
			t.events[0] = Recorded{} // the array stays
			t.events = t.events[1:]
		}
	})
	return true
}

// room makes sure that more events can follow. What came free at the front of
// the array is used again: to leave the array behind for every few thousand
// events would be a megabyte of garbage each time.
func (t *tail) room(more int) {
	need := len(t.events) + more
	if cap(t.events) >= need {
		return
	}
	if len(t.array) < 2*need {
		t.array = make([]Recorded, 2*need)
	}
	n := copy(t.array, t.events)
	clear(t.array[n:])
	t.events = t.array[:n]
}

// pass implements [sink].
func (t *tail) pass(through Position) {
	t.change(func() {
		if !t.started {
			t.started, t.after = true, through
		}
		t.through = max(t.through, through)
	})
}

// setLive implements [sink].
func (t *tail) setLive(live bool) { t.change(func() { t.live = live }) }

// end returns how far the tail is; 0 before it has begun.
func (t *tail) end() Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.through
}

// holds reports whether the tail has what comes after a position.
func (t *tail) holds(from Position) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.started && !t.broken && from >= t.after
}

// place is where a feed is that follows a tail.
type place struct {
	from   Position
	passed int  // events of other streams since the last page
	live   bool // as the last page told
}

// take waits for a page, as a buffer does. It is errBehind where the tail does
// not hold what comes next, and an errFeedClosed when closed is closed.
func (t *tail) take(ctx context.Context, closed <-chan struct{}, at *place, config *FeedConfig) (Page, error) {
	for {
		page, changed, err := t.page(at, config)
		if changed == nil {
			return page, err
		}
		select {
		case <-changed:
		case <-closed:
			return Page{}, errFeedClosed
		case <-ctx.Done():
			return Page{}, ctx.Err()
		}
	}
}

// page returns a page, or what to wait for.
func (t *tail) page(at *place, config *FeedConfig) (Page, <-chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.started || t.broken || at.from < t.after {
		return Page{}, nil, errBehind
	}
	next, _ := slices.BinarySearchFunc(t.events, at.from+1, func(e Recorded, p Position) int {
		switch {
		case e.Position < p:
			return -1
		case e.Position > p:
			return 1
		}
		return 0
	})
	events := t.wanted(next, at, config)
	all := len(events) < config.PageSize || at.from == t.through
	if all {
		at.from = max(at.from, t.through)
	}
	live := all && t.live
	if len(events) == 0 && at.passed < searchWindow && live == at.live {
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		return Page{}, t.changed, nil
	}
	at.passed, at.live = 0, live
	return Page{Events: events, Through: at.from, Live: live}, nil, nil
}

// wanted returns up to a page of the events from an index on, and moves the
// place behind what it looked at. It counts first: a page under load is large,
// and many feeds take one each.
func (t *tail) wanted(next int, at *place, config *FeedConfig) []Recorded {
	end, count := next, 0
	for ; end < len(t.events) && count < config.PageSize; end++ {
		if config.wants(t.events[end].Stream) {
			count++
		}
	}
	if end == next {
		return nil
	}
	at.from = t.events[end-1].Position
	at.passed += end - next - count
	if count == 0 {
		return nil
	}
	events := make([]Recorded, 0, count)
	for i := next; len(events) < count; i++ {
		if config.wants(t.events[i].Stream) {
			events = append(events, t.events[i])
		}
	}
	return events
}
