package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

const (
	// fillPage is how many events a version that is filled is given at once:
	// what a transaction costs, and what happens again and again to the same
	// rows, counts for so many.
	fillPage = 16 * 1024
	// savedEvery is how often it is kept how far a rebuild is.
	savedEvery = time.Second
)

// filler brings a version that is being filled forward, as far as it is told.
type filler struct {
	set    *Set
	target *Runner
	job    Rebuild
	ahead  *ahead
	rest   eventstore.Page // of the last page, what is beyond the limit

	advance func(*Runner) // hears of every page; nil tells nobody

	approach approach // to the live version
	hasty    bool     // it rests no more
	caughtUp bool     // with the end of the log, as it was when the last page was read

	began  time.Time // when the first page was asked for
	saved  time.Time
	level  bool // it has been level once: the time from then on is not counted
	passed int  // events since began
}

func newFiller(s *Set, target *Runner, job Rebuild) *filler {
	now := time.Now() //nolint:forbidigo // how long work takes
	return &filler{set: s, target: target, job: job, began: now, saved: now}
}

// ahead reads and decodes pages while others are applied.
type ahead struct {
	live   bool // in small pages, beside live work
	pages  chan eventstore.Page
	failed chan error
	stop   func()
}

func readAhead(ctx context.Context, log Log, prefixes []string, from eventstore.Position, live bool) *ahead {
	size, workers := fillPage, runtime.GOMAXPROCS(0)
	if live {
		size, workers = yieldPage, 1
	}
	a := &ahead{live: live, pages: make(chan eventstore.Page, 1), failed: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	feed := log.Feed(eventstore.FeedConfig{Prefixes: prefixes, From: from, PageSize: size, Shared: true})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			page, err := feed.Next(ctx)
			if err != nil {
				a.failed <- err
				return
			}
			decodeAll(page.Events, workers)
			select {
			case a.pages <- page:
			case <-ctx.Done():
				return
			}
		}
	})
	a.stop = func() {
		cancel()
		feed.Close()
		reading.Wait()
	}
	return a
}

// stop ends the reading.
func (f *filler) stop() {
	if f.ahead != nil {
		f.ahead.stop()
	}
	f.ahead, f.rest = nil, eventstore.Page{}
}

// decodeAll decodes events on several processors: a Recorded is decoded once
// for all its copies.
func decodeAll(events []eventstore.Recorded, workers int) {
	if len(events) < manyEvents {
		workers = 1
	}
	var decoding sync.WaitGroup
	for w := range workers {
		decoding.Go(func() {
			for i := w; i < len(events); i += workers {
				_, _ = events[i].Decode() // Apply meets the same error
			}
		})
	}
	decoding.Wait()
}

// to brings the target forward to a position, and not beyond.
func (f *filler) to(ctx context.Context, limit eventstore.Position) error {
	for f.target.Position() < limit {
		page, err := f.next(ctx, limit)
		if err != nil {
			return err
		}
		began := time.Now() //nolint:forbidigo // how long work takes
		if err := f.target.Apply(ctx, page); err != nil {
			return err
		}
		took := time.Since(began)
		if err := f.account(ctx, len(page.Events)); err != nil {
			return err
		}
		// To read and decode them takes about as much as to apply them.
		if err := f.yield(ctx, took, len(page.Events)); err != nil {
			return err
		}
	}
	return nil
}

// next returns a page, or of one that goes beyond the limit the part before.
func (f *filler) next(ctx context.Context, limit eventstore.Position) (page eventstore.Page, err error) {
	page, f.rest = f.rest, eventstore.Page{}
	for page.Through == 0 {
		if page, err = f.read(ctx); err != nil {
			return page, err
		}
	}
	if page.Through <= limit {
		return page, nil
	}
	n := 0
	for n < len(page.Events) && page.Events[n].Position <= limit {
		n++
	}
	f.rest = eventstore.Page{Events: page.Events[n:], Through: page.Through, Live: page.Live}
	return eventstore.Page{Events: page.Events[:n], Through: limit}, nil
}

// silence is how long a feed may say nothing while there is something to read.
// At the end of the log a feed does not tell at once what it passes over; a new
// one begins with that.
const silence = 300 * time.Millisecond

// read returns the next page, or after a silence none.
func (f *filler) read(ctx context.Context) (eventstore.Page, error) {
	live := f.set.live()
	if f.ahead != nil && f.ahead.live != live {
		f.stop()
	}
	if f.ahead == nil {
		f.ahead = readAhead(ctx, f.set.log, f.target.Prefixes(), f.target.Position(), live)
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case page := <-f.ahead.pages:
		f.caughtUp = page.Live
		return page, nil
	case err := <-f.ahead.failed:
		return eventstore.Page{}, err
	case <-ctx.Done():
		return eventstore.Page{}, ctx.Err()
	case <-timer.C:
	}
	if f.caughtUp {
		f.stop()
	}
	return eventstore.Page{}, nil
}

// account keeps the rate, and notes once in a while how far the rebuild is.
func (f *filler) account(ctx context.Context, events int) error {
	f.passed += events
	if f.advance != nil {
		f.advance(f.target)
	}
	if f.job.Rate > 0 {
		ahead := time.Duration(float64(f.passed)/float64(f.job.Rate)*float64(time.Second)) - time.Since(f.began)
		for ; ahead > 0; ahead -= savedEvery {
			if err := errors.Join(pause(ctx, min(ahead, savedEvery)), f.saveOften(ctx)); err != nil {
				return err
			}
		}
	}
	return f.saveOften(ctx)
}

func (f *filler) saveOften(ctx context.Context) error {
	if f.set.catalogue == nil || time.Since(f.saved) < savedEvery {
		return nil
	}
	return f.save(ctx)
}

func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// save notes how far the rebuild is.
func (f *filler) save(ctx context.Context) error {
	head, err := f.set.log.End(ctx)
	if err != nil {
		return err
	}
	worked := time.Since(f.saved)
	f.saved = time.Now() //nolint:forbidigo // how long work takes
	if f.level {
		worked = 0
	}
	_, err = f.set.catalogue.db.Write.ExecContext(ctx, `UPDATE rebuilds SET position = ?, head = ?, events = ?, worked = worked + ? WHERE projection = ? AND version = ? AND id = ?`,
		int64(f.target.Position()), int64(head), f.target.Events(), worked.Milliseconds(), f.job.Projection, f.job.Version.Code, f.job.ID) //nolint:gosec // a log of 8 EiB is far
	if err != nil {
		return fmt.Errorf("note how far the rebuild of %s is: %w", f.job.Projection, err)
	}
	return nil
}

// work does a rebuild from where it is to its end.
func (s *Set) work(ctx context.Context, m *Model, r Rebuild, fence fence) error {
	if r.wanted == wantedCancel {
		return s.discard(ctx, r, Cancelled)
	}
	if err := s.look(ctx); err != nil { // what is compared and swapped is the live version
		return err
	}
	target, err := s.open(ctx, m.projection, r.Version.Build)
	if err != nil {
		return err
	}
	end, err := s.fill(ctx, m, target, r, fence)
	if end == Swapped {
		return err
	}
	if err := errors.Join(err, target.Close()); err != nil || end == "" {
		return err
	}
	if end == Verified {
		return s.discard(ctx, r, Verified)
	}
	return s.catalogue.finish(ctx, r, end, "")
}

// fill fills a version, compares it and swaps it in. It returns how that ended.
func (s *Set) fill(ctx context.Context, m *Model, target *Runner, r Rebuild, fence fence) (end RebuildState, err error) {
	if target.owner.lease != nil {
		if err := target.divide(ctx, 1); err != nil { // one that was live may be in parts
			return "", err
		}
	}
	running, stop := context.WithCancel(ctx)
	var retrying sync.WaitGroup
	retrying.Go(func() { _ = target.Run(running) }) // it always returns nil
	leave := func() { stop(); retrying.Wait() }
	defer leave()
	if _, err := target.Checkpoint(ctx); err != nil { // which waits until it is ours
		return "", err
	}
	f := newFiller(s, target, r)
	defer f.stop()
	if err := f.first(ctx, m); err != nil {
		return "", err
	}
	if r.Kind != Back && (r.Compared == nil || !r.Accept) {
		end, err := f.judge(ctx, m)
		if end != "" || err != nil {
			return end, err
		}
	}
	if err := s.catalogue.enter(ctx, r, Swapping); err != nil {
		return "", err
	}
	err = f.swap(ctx, m, fence, func() { f.stop(); leave() })
	if err != nil {
		return "", err
	}
	return Swapped, nil
}

// first fills the target until it is level with the live version, with its
// indexes, which are made when the rows are there.
func (f *filler) first(ctx context.Context, m *Model) error {
	err := f.target.filling(ctx, f.set.live(), func() error { return f.behind(ctx, m) })
	if err != nil {
		return err
	}
	if err := f.save(ctx); err != nil {
		return err
	}
	f.level = true
	return f.behind(ctx, m)
}

// behind brings the target to where the live version is, which may go on
// meanwhile.
func (f *filler) behind(ctx context.Context, m *Model) error {
	for {
		live, err := ReadPosition(ctx, m.Read())
		if err != nil {
			return err
		}
		if f.target.Position() >= live {
			return nil
		}
		f.approach.next(live - f.target.Position())
		if err := f.to(ctx, live); err != nil {
			return err
		}
	}
}

// retryBlocked tries what the target could not apply again: somebody may have
// decided about it meanwhile.
func (f *filler) retryBlocked(ctx context.Context) error {
	if _, err := f.target.db.Write.ExecContext(ctx, `UPDATE blocked_streams SET due_at = 0`); err != nil {
		return err
	}
	return f.target.Retry(ctx)
}

// judge compares the target with the live version, and says how the rebuild
// ends if it goes no further.
func (f *filler) judge(ctx context.Context, m *Model) (end RebuildState, err error) {
	if err := f.set.catalogue.enter(ctx, f.job, Comparing); err != nil {
		return "", err
	}
	if err := f.retryBlocked(ctx); err != nil {
		return "", err
	}
	compared, err := f.compare(ctx, m)
	if err != nil {
		return "", fmt.Errorf("compare the versions: %w", err)
	}
	if err := f.set.catalogue.keepComparison(ctx, f.job, compared); err != nil {
		return "", err
	}
	if err := f.save(ctx); err != nil {
		return "", err
	}
	switch {
	case f.job.Kind == Verify:
		return Verified, nil
	case !compared.Equal && !f.job.Accept:
		f.set.cfg.Logger.WarnContext(ctx, "a read model that was built anew is not equal to the live one, and is not swapped in",
			"projection", f.job.Projection, "version", f.job.Version.String())
		return Different, nil
	}
	return "", nil
}

// swap makes the target the live version, in one step: the old one stands still
// meanwhile, and the new one is not behind it. handOver ends our own work with
// the target.
func (f *filler) swap(ctx context.Context, m *Model, fence fence, handOver func()) error {
	s, r := f.set, f.job
	if err := f.behind(ctx, m); err != nil {
		return err
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	live := m.Live()
	standing, err := live.freeze(ctx)
	if err != nil {
		return err
	}
	end := standing.thaw
	defer func() { end() }()
	f.hasty = true // nobody brings the read model forward meanwhile
	if err := errors.Join(f.behind(ctx, m), f.to(ctx, standing.at)); err != nil {
		return err
	}
	if err := f.save(ctx); err != nil {
		return err
	}
	handOver()
	if f.target.owner.lease != nil { // as many as the old one, whatever some process may want
		if err := f.target.divide(ctx, max(standing.parts, 1)); err != nil {
			return err
		}
	}
	err = s.catalogue.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.catalogue.swap(ctx, tx, r.Projection, r.Version.Code, r.Version.Build); err != nil {
			return err
		}
		condition, args := fence()
		//nolint:gosec // a condition of our own
		result, err := tx.ExecContext(ctx, `UPDATE rebuilds SET state = 'swapped', error = '', ended_at = ? WHERE projection = ? AND version = ? AND id = ? AND ended_at = 0 AND wanted <> 'cancel' AND `+condition,
			append([]any{millis(s.cfg.Now()), r.Projection, r.Version.Code, r.ID}, args...)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNotOurs)
		}
		return standing.still(ctx) // else a read could go back in time
	})
	if err != nil {
		return fmt.Errorf("swap the versions of %s: %w", r.Projection, err)
	}
	m.adopt(f.target)
	// Other processes read the old one until they see the swap a moment later:
	// it must not go beyond the new one meanwhile.
	end = standing.leave
	s.cfg.Logger.InfoContext(ctx, "a read model was swapped for one that was built anew", "projection", r.Projection,
		"from", live.Version().String(), "to", r.Version.String(), "events", f.target.Events())
	return nil
}
