package stock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// lane is the queue of one item and what is known of it.
type lane struct {
	writer *Writer
	config *Config
	item   Item
	id     string
	view   atomic.Pointer[view] // what is known, for everybody

	mu      sync.Mutex
	queue   []*request
	working bool
	idle    *time.Timer // until the lane is forgotten
	weight  int         // what it counts for in the writer's size, under the writer's lock

	// Of the one goroutine that works.
	known  known
	loaded bool      // known is not to be read from the start
	seen   time.Time // when known was the present state for certain
	turn   turn

	snapping atomic.Bool         // a snapshot is being written
	retained bool                // of whoever is writing it: only the last one is kept
	snapped  eventstore.Revision // where the last snapshot was begun
}

// view is an item as it was at a time.
type view struct {
	state    stock.State
	revision eventstore.Revision
	at       time.Time
}

// request is a command that waits. receipt and err are set before done is
// closed.
type request struct {
	ctx     context.Context //nolint:containedctx // the caller's, while it waits
	meta    eventstore.Metadata
	command stock.Command
	since   time.Time
	// expected is the revision the command is meant for; nil is any.
	expected *eventstore.Revision
	recall   *recall // what the log told of something forgotten
	done     chan struct{}
	receipt  Receipt
	err      error
}

func (r *request) answer(err error) {
	r.err = err
	close(r.done)
}

func newLane(w *Writer, item Item) *lane {
	return &lane{
		writer: w, config: &w.config, item: item, id: stock.ID(item.Location, item.SKU),
		known: known{revision: eventstore.NoStream}, snapped: eventstore.NoStream,
	}
}

// soldOut refuses a reservation on what was seen a moment ago, so that a crowd
// that comes too late need not wait.
func (l *lane) soldOut(command stock.Command) (Receipt, error) {
	reserve, ok := command.(stock.Reserve)
	v := l.view.Load()
	if !ok || v == nil || v.state.Available() >= reserve.Quantity || l.config.Now().Sub(v.at) > l.config.Fresh {
		return Receipt{}, nil
	}
	if _, err := stock.Decider.Decide(v.state, reserve); errors.Is(err, stock.ErrOutOfStock) {
		return Receipt{State: v.state, Revision: v.revision}, err
	}
	return Receipt{}, nil
}

// push reports false when too many wait.
func (l *lane) push(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= l.config.Queue {
		return false
	}
	l.queue = append(l.queue, r)
	l.writer.counts.waiting.Add(1)
	if !l.working {
		l.working = true
		go l.work()
	}
	return true
}

func (l *lane) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.working
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

func (l *lane) work() {
	for batch := l.next(); batch != nil; batch = l.next() {
		l.handle(batch)
		time.Sleep(l.turn.over(l.config.Now()))
	}
}

// next takes what waits, or ends the work when nothing does.
func (l *lane) next() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		n := min(len(l.queue), l.config.Batch)
		batch := slices.Clone(l.queue[:n])
		clear(l.queue[:n])
		if l.queue = l.queue[n:]; len(l.queue) == 0 {
			l.queue = nil
		}
		l.writer.counts.waiting.Add(int64(-n))
		if batch = l.present(batch); len(batch) > 0 {
			return batch
		}
	}
	l.working = false
	if l.idle == nil {
		l.idle = time.AfterFunc(l.config.Idle, forgetIfThere(l))
	} else {
		l.idle.Reset(l.config.Idle)
	}
	return nil
}

// forgetIfThere does not keep a lane in memory that is forgotten before.
func forgetIfThere(l *lane) func() {
	there := weak.Make(l)
	return func() {
		if l := there.Value(); l != nil {
			l.writer.forget(l)
		}
	}
}

// present drops commands whose callers have gone, before anything is decided
// for them.
func (l *lane) present(batch []*request) []*request {
	return slices.DeleteFunc(batch, func(r *request) bool {
		gone := r.ctx.Err() != nil
		if gone {
			l.writer.counts.dropped.Add(1)
			r.answer(late(r.ctx))
		}
		return gone
	})
}

// maxConflicts bounds how often a batch is decided anew because others won:
// some seconds long, which is more than the turns of several others. See turn.
const maxConflicts = 2000

// handle decides and appends until everything is answered. What is known of
// the item stays known whatever happens: the next append proves it, or does
// not, and then only what came after it is read.
func (l *lane) handle(batch []*request) {
	ctx := context.WithoutCancel(batch[0].ctx)
	now := l.config.Now()
	for _, r := range batch {
		r.receipt.Wait = now.Sub(r.since)
	}
	for conflicts := 0; len(batch) > 0; batch = l.present(batch) {
		rest, err := l.step(ctx, batch, conflicts)
		if errors.Is(err, eventstore.ErrConflict) {
			l.writer.counts.conflicts.Add(1)
			l.turn.lost(l.config.Now())
			if conflicts++; conflicts > maxConflicts {
				err = errors.Join(eventstore.ErrUnavailable, err)
			} else {
				rest, err = batch, l.read(ctx)
			}
		}
		if err != nil {
			for _, r := range batch {
				r.answer(fmt.Errorf("stock %s: %w", l.id, err))
			}
			return
		}
		batch = rest
	}
}

// step reads the item where it is not known, and otherwise tries the batch.
// Reading may take long, so that callers may have gone meanwhile.
func (l *lane) step(ctx context.Context, batch []*request, conflicts int) ([]*request, error) {
	if !l.loaded {
		return batch, l.read(ctx)
	}
	return l.try(ctx, batch, conflicts)
}

// try decides commands on what is known of the item until a batch is full,
// appends what they cause, answers them, and returns the rest. On an error
// nobody is answered.
func (l *lane) try(ctx context.Context, batch []*request, conflicts int) ([]*request, error) {
	t := l.decide(batch)
	if len(t.events) == 0 && t.refused > 0 && (t.moved || l.config.Now().Sub(l.seen) > l.config.Fresh) {
		before := l.known.revision
		if err := l.read(ctx); err != nil {
			return nil, err
		}
		if l.known.revision != before {
			t = l.decide(batch)
		}
	}
	appended := eventstore.Appended{Revision: l.known.revision}
	if len(t.events) > 0 {
		var err error
		if appended, err = l.append(ctx, t); err != nil {
			return nil, err
		}
	}
	wait := batch[0].receipt.Wait
	for i, refusal := range t.answers {
		r := batch[i]
		r.receipt.State, r.receipt.Revision, r.receipt.Position = l.known.state, appended.Revision, appended.Position
		r.receipt.Batch, r.receipt.Conflicts = len(t.answers), conflicts
		r.answer(refusal)
	}
	l.writer.batched(Batch{
		Item: l.item, Commands: len(t.answers), Events: len(t.events), Refused: t.refused,
		Conflicts: conflicts, Waiting: l.waiting(), Wait: wait,
	})
	l.snapshot(ctx)
	return batch[len(t.answers):], nil
}

func (l *lane) append(ctx context.Context, t trial) (eventstore.Appended, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	now := l.config.Now()
	appended, err := l.config.Store.Append(ctx, stock.Decider.Stream(l.id), l.known.revision, t.events...)
	if err != nil {
		return appended, err
	}
	l.turn.won(now, l.config.Now())
	l.learn(known{t.state, appended.Revision, t.events[len(t.events)-1].ID}, now)
	return appended, nil
}

// learn notes what the item was at a time.
func (l *lane) learn(k known, at time.Time) {
	l.known, l.seen, l.loaded = k, at, true
	l.view.Store(&view{k.state, k.revision, at})
	l.writer.weigh(l)
}

// isRule tells a refusal from an answer that is for this program.
func isRule(err error) bool {
	_, rule := errors.AsType[*domain.RuleError](err)
	return rule
}
