package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// Apply applies a page: rows and checkpoint in one transaction. What was
// applied before is passed over. The error is that of the database; the page
// may come again.
func (r *Runner) Apply(ctx context.Context, page eventstore.Page) error {
	for {
		err := r.apply(ctx, page)
		if !errors.Is(err, errBarrier) {
			return err
		}
		if err := r.toBarrier(ctx, page); err != nil {
			return fmt.Errorf("wait with a page for %s: %w", r.Name(), err)
		}
	}
}

func (r *Runner) apply(ctx context.Context, page eventstore.Page) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	events := r.repaired(r.unseen(page))
	if page.Through <= r.Position() && len(events) == 0 {
		return nil
	}
	defer decodeAhead(events)()
	// Nearly always everything applies. Only when something does not is the
	// page done again with a savepoint around each event.
	blocked, err := r.transact(ctx, page, events, r.applyAll)
	if err != nil && ctx.Err() == nil && !noFaultOfEvents(err) {
		blocked, err = r.transact(ctx, page, events, r.applyEach)
	}
	if err != nil {
		r.notSaved(err)
		return fmt.Errorf("apply a page to %s: %w", r.Name(), err)
	}
	maps.Copy(r.blocked, blocked)
	var applied time.Time
	if len(events) > 0 {
		applied = events[len(events)-1].Created
	}
	r.advance(max(page.Through, r.Position()), applied, r.Events()+int64(len(events)))
	return nil
}

// unseen is what of a page is ours and was not applied.
func (r *Runner) unseen(page eventstore.Page) []eventstore.Recorded {
	position := r.Position()
	for i, e := range page.Events {
		if e.Position > position {
			return r.ours(page.Events[i:])
		}
	}
	return nil
}

func (r *Runner) ours(events []eventstore.Recorded) []eventstore.Recorded {
	if r.whole == nil {
		return events
	}
	ours := make([]eventstore.Recorded, 0, 2*len(events)/r.part.of)
	for _, e := range events {
		if r.part.has(e.Stream) {
			ours = append(ours, e)
		}
	}
	return ours
}

// manyEvents is from where decoding ahead is worth a goroutine.
const manyEvents = 32

// decodeAhead begins to decode events beside the database's work: a Recorded
// is decoded once for all its copies. What it returns waits for the end.
func decodeAhead(events []eventstore.Recorded) (wait func()) {
	var decoding sync.WaitGroup
	if len(events) >= manyEvents {
		decoding.Go(func() {
			for _, e := range events {
				_, _ = e.Decode() // Apply meets the same error
			}
		})
	}
	return decoding.Wait
}

// noFaultOfEvents tells whether a page would fail whatever is in it.
func noFaultOfEvents(err error) bool {
	return errors.Is(err, database.ErrUnavailable) || errors.Is(err, errNotOurs) || errors.Is(err, errBarrier)
}

type applying func(context.Context, *Tx, []eventstore.Recorded) (blocked map[string]bool, err error)

func (r *Runner) transact(ctx context.Context, page eventstore.Page, events []eventstore.Recorded, apply applying) (blocked map[string]bool, err error) {
	err = r.db.Tx(ctx, func(raw *sql.Tx) error {
		tx := r.tx(raw)
		if blocked, err = apply(ctx, tx, events); err != nil {
			return err
		}
		through := positionValue(page.Through)
		if len(events) == 0 {
			return r.fenced(ctx, tx, page.Through, `position = CASE WHEN position < ? THEN ? ELSE position END`, through, through)
		}
		return r.fenced(ctx, tx, page.Through, `position = CASE WHEN position < ? THEN ? ELSE position END, applied = ?, events = events + ?`,
			through, through, millis(events[len(events)-1].Created), len(events))
	})
	return blocked, err
}

func (r *Runner) tx(raw *sql.Tx) *Tx { return &Tx{tx: raw, batch: r.db.Batch(raw)} }

func (r *Runner) applyAll(ctx context.Context, tx *Tx, events []eventstore.Recorded) (map[string]bool, error) {
	due := r.due(events)
	if pager, ok := r.projection.(Pager); ok {
		return nil, try(func() error { return pager.ApplyPage(ctx, tx, due) })
	}
	for _, e := range due {
		if err := try(func() error { return r.projection.Apply(ctx, tx, e) }); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// due is what is to be applied of a page.
func (r *Runner) due(events []eventstore.Recorded) []eventstore.Recorded {
	ends := r.ends(events)
	if len(r.blocked) == 0 && len(ends) == 0 {
		return events
	}
	due := make([]eventstore.Recorded, 0, len(events))
	for i, e := range events {
		if !r.blocked[e.Stream] && (i >= ends[e.Stream] || !r.understood(e)) {
			due = append(due, e)
		}
	}
	return due
}

// Pager is a projection that applies the events of a page together, with fewer
// statements than one after the other. What it writes must be the same.
type Pager interface {
	ApplyPage(ctx context.Context, tx *Tx, events []eventstore.Recorded) error
}

// Ender is a projection that keeps nothing of a stream after some event: what
// came before it on the same page need not be written first.
type Ender interface {
	// Ends names the stream, mostly that of the event itself, of which an event
	// takes away all that was written. Mostly there is none.
	Ends(event domain.Event) (stream string)
	// Knows reports whether an event is one that Apply has a case for.
	Knows(event domain.Event) bool
}

// ends returns where on a page streams end, by index.
func (r *Runner) ends(events []eventstore.Recorded) map[string]int {
	ender, ok := r.projection.(Ender)
	if !ok {
		return nil
	}
	ends := map[string]int{}
	for i, e := range events {
		if event, err := e.Decode(); err == nil {
			if stream := ender.Ends(event); stream != "" {
				ends[stream] = i
			}
		}
	}
	return ends
}

// understood tells whether an event that need not be applied could be: one that
// cannot blocks its stream all the same.
func (r *Runner) understood(e eventstore.Recorded) bool {
	event, err := e.Decode()
	return err == nil && r.projection.(Ender).Knows(event)
}

// try applies something. That the code panics is a fault of the event like any
// other: it blocks its stream.
func try(apply func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the projection panicked: %v", cause)
		}
	}()
	return apply()
}

// applyEach undoes an event that fails and blocks its stream.
func (r *Runner) applyEach(ctx context.Context, tx *Tx, events []eventstore.Recorded) (map[string]bool, error) {
	blocked := map[string]bool{}
	for _, e := range events {
		if r.blocked[e.Stream] || blocked[e.Stream] {
			continue
		}
		failure, err := r.applyOne(ctx, tx, e)
		if err != nil {
			return nil, err
		}
		if failure == nil {
			continue
		}
		if err := r.block(ctx, tx, e, failure); err != nil {
			return nil, err
		}
		blocked[e.Stream] = true
	}
	return blocked, nil
}

func (r *Runner) applyOne(ctx context.Context, tx *Tx, e eventstore.Recorded) (failure, err error) {
	if err := tx.Exec(ctx, `SAVEPOINT event`); err != nil {
		return nil, err
	}
	if err := tx.flush(ctx); err != nil {
		return nil, err
	}
	if failure = try(func() error { return r.projection.Apply(ctx, tx, e) }); failure == nil {
		failure = tx.flush(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // stopping is no fault of the event
	}
	if failure != nil && noFaultOfEvents(failure) {
		return nil, failure
	}
	if failure != nil {
		if err := tx.Exec(ctx, `ROLLBACK TO event`); err != nil {
			return nil, err
		}
	}
	return failure, tx.Exec(ctx, `RELEASE event`)
}
