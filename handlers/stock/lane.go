package stock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// lane is the queue of one item and what is known of it.
type lane struct {
	config *Config
	id     string

	mu      sync.Mutex
	queue   []*request
	working bool

	// Of the one goroutine that works.
	known bool // item is not to be read from the start
	item  eventstore.Snapshot[stock.State]
	seen  time.Time // when item was the present state for certain
}

// request is a command that waits. receipt and err are set before done is
// closed.
type request struct {
	ctx     context.Context //nolint:containedctx // the caller's, while it waits
	meta    eventstore.Metadata
	command stock.Command
	since   time.Time
	done    chan struct{}
	receipt Receipt
	err     error
}

func (r *request) answer(err error) {
	r.err = err
	close(r.done)
}

// push reports false when too many wait.
func (l *lane) push(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= l.config.Queue {
		return false
	}
	l.queue = append(l.queue, r)
	if !l.working {
		l.working = true
		go l.work()
	}
	return true
}

func (l *lane) work() {
	for batch := l.next(); batch != nil; batch = l.next() {
		l.handle(batch)
	}
}

// next takes what waits, or ends the work when nothing does. A command whose
// caller has gone is dropped here, before anything is decided for it.
func (l *lane) next() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		n := min(len(l.queue), l.config.Batch)
		batch := slices.Clone(l.queue[:n])
		if l.queue = l.queue[n:]; len(l.queue) == 0 {
			l.queue = nil
		}
		batch = slices.DeleteFunc(batch, func(r *request) bool {
			gone := r.ctx.Err() != nil
			if gone {
				r.answer(late(r.ctx))
			}
			return gone
		})
		if len(batch) > 0 {
			return batch
		}
	}
	l.working = false
	return nil
}

// handle decides and appends until everything is answered.
func (l *lane) handle(batch []*request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), l.config.Timeout)
	defer cancel()
	now := l.config.Now()
	for _, r := range batch {
		r.receipt.Wait = now.Sub(r.since)
	}
	conflicts := 0
	for len(batch) > 0 {
		rest, err := l.try(ctx, batch, conflicts)
		switch {
		case errors.Is(err, eventstore.ErrConflict):
			conflicts++
			err = l.read(ctx)
		case err == nil:
			batch = rest
		}
		if err != nil {
			l.known = false
			for _, r := range batch {
				r.answer(fmt.Errorf("stock %s: %w", l.id, err))
			}
			return
		}
	}
}

// try decides commands on what is known of the item until a batch is full,
// appends what they cause, answers them, and returns the rest. On an error
// nobody is answered.
func (l *lane) try(ctx context.Context, batch []*request, conflicts int) ([]*request, error) {
	if !l.known {
		if err := l.read(ctx); err != nil {
			return nil, err
		}
	}
	t := l.decide(batch)
	if len(t.events) == 0 && t.refused && l.config.Now().Sub(l.seen) > l.config.Fresh {
		before := l.item.Revision
		if err := l.read(ctx); err != nil {
			return nil, err
		}
		if l.item.Revision != before {
			t = l.decide(batch)
		}
	}
	appended := eventstore.Appended{Revision: l.item.Revision}
	if len(t.events) > 0 {
		var err error
		appended, err = l.config.Store.Append(ctx, stock.Decider.Stream(l.id), l.item.Revision, t.events...)
		if err != nil {
			return nil, err
		}
		l.item = eventstore.Snapshot[stock.State]{State: t.state, Revision: appended.Revision}
		l.seen = l.config.Now()
	}
	for i, refusal := range t.refusals {
		r := batch[i]
		r.receipt.State, r.receipt.Revision, r.receipt.Position = l.item.State, appended.Revision, appended.Position
		r.receipt.Batch, r.receipt.Conflicts = len(t.refusals), conflicts
		r.answer(refusal)
	}
	return batch[len(t.refusals):], nil
}

// trial is what a batch would do.
type trial struct {
	state    stock.State
	events   []eventstore.NewEvent
	refusals []error // of each command that was decided; nil where it was accepted
	refused  bool
}

func (l *lane) decide(batch []*request) trial {
	t := trial{state: l.item.State}
	stream := stock.Decider.Stream(l.id)
	for _, r := range batch {
		events, err := stock.Decider.Decide(t.state, r.command)
		t.refusals = append(t.refusals, err)
		t.refused = t.refused || err != nil
		t.state = stock.Decider.Fold(t.state, events...)
		t.events = append(t.events, handlers.NewEvents(stream, r.meta, events...)...)
		if len(t.events) >= l.config.Batch {
			break
		}
	}
	return t
}

// read brings what is known of the item up to date.
func (l *lane) read(ctx context.Context) error {
	if !l.known {
		l.item = eventstore.Snapshot[stock.State]{Revision: eventstore.NoStream}
	}
	state, revision, err := eventstore.Resume(ctx, l.config.Store, stock.Decider, l.id, l.item)
	if err != nil {
		return fmt.Errorf("read stock %s: %w", l.id, err)
	}
	l.item = eventstore.Snapshot[stock.State]{State: state, Revision: revision}
	l.known, l.seen = true, l.config.Now()
	return nil
}
