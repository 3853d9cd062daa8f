package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// follower keeps the rows of endpoints as the log says. Their checkpoint is in
// the same transaction, so a row is never older than it claims.
type follower struct {
	d       *Dispatcher
	changed chan<- struct{} // told when up to date, and of each change from then on
	live    bool            // was up to date once
	saved   time.Time
}

// idleCheckpoint is how often it is saved that nothing of endpoints came.
const idleCheckpoint = 10 * time.Second

// run returns when the context ends.
func (f *follower) run(ctx context.Context, from eventstore.Position) {
	for err := f.readAgain(ctx, from); err != nil && ctx.Err() == nil; err = f.readAgain(ctx, from) {
		f.d.Logger.ErrorContext(ctx, "webhooks cannot follow the endpoints", "error", err)
		pause(ctx, retryAfter)
	}
	feed := f.d.Feed(eventstore.FeedConfig{Prefixes: []string{endpoint.Decider.Category + "-"}, From: from})
	defer feed.Close()
	f.d.eachPage(ctx, feed, func(page eventstore.Page) { f.page(ctx, page) })
}

// page applies a page, however often it takes: going on without it could send
// to an endpoint that was deleted.
func (f *follower) page(ctx context.Context, page eventstore.Page) {
	now := f.d.Now()
	first := page.Live && !f.live
	if len(page.Events) == 0 && !first && now.Sub(f.saved) < idleCheckpoint {
		return // a checkpoint that is a little old only costs reading
	}
	f.saved, f.live = now, f.live || page.Live
	for ctx.Err() == nil {
		err := f.apply(ctx, page)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			f.d.Logger.ErrorContext(ctx, "webhooks cannot follow the endpoints", "error", err)
		}
		pause(ctx, retryAfter)
	}
	if first || (f.live && len(page.Events) > 0) {
		select {
		case f.changed <- struct{}{}:
		default: // it has yet to look, and will see this too
		}
	}
}

// unmoving are events that change nothing of an endpoint's row.
var unmoving = []string{
	endpoint.Tested{}.EventName(), endpoint.DeliveryExhausted{}.EventName(), endpoint.Gone{}.EventName(), endpoint.ReplayProgressed{}.EventName(),
}

func (f *follower) apply(ctx context.Context, page eventstore.Page) error {
	var changes []ledger.Change
	var seen []string
	for _, r := range page.Events {
		changesOf := f.change
		switch {
		case slices.Contains(unmoving, r.Type):
			continue
		case isReplay(r.Type):
			changesOf = f.replay
		case isVerification(r.Type):
			run, err := f.verification(ctx, r)
			if ctx.Err() != nil || errors.Is(err, eventstore.ErrUnavailable) {
				return err
			}
			if err == nil {
				changes = append(changes, run)
			} // else the endpoint cannot be read either, and its row says so
			if slices.Contains(seen, r.Stream) {
				continue
			}
			seen = append(seen, r.Stream)
		case isWish(r.Type):
			changesOf = wishOf
		case slices.Contains(seen, r.Stream):
			continue
		default:
			seen = append(seen, r.Stream)
		}
		change, err := changesOf(ctx, r)
		switch {
		case ctx.Err() != nil || errors.Is(err, eventstore.ErrUnavailable):
			return err
		case err != nil:
			change = f.unreadable(ctx, r, err)
		}
		changes = append(changes, change)
	}
	return f.d.Ledger.Apply(ctx, changes, page.Through)
}

// unreadable stops an endpoint whose events this program does not understand,
// written by a newer one perhaps: it must not hold up the others. Its cursor
// stays, and each start tries it again.
func (f *follower) unreadable(ctx context.Context, r eventstore.Recorded, cause error) ledger.Change {
	id := message.AggregateID(r.Stream)
	f.d.Logger.ErrorContext(ctx, "endpoint cannot be read, nothing is delivered to it", "endpoint", id, "error", cause)
	return ledger.Change{
		Endpoint: &ledger.Endpoint{
			ID: id, State: endpoint.StatusDisabled, DisabledReason: reasonUnreadable, CreatedAt: r.Created, Revision: r.Revision,
		},
		Position: r.Position,
	}
}

const reasonUnreadable = "unreadable"

// readAgain tries the endpoints that could not be read before this start.
func (f *follower) readAgain(ctx context.Context, through eventstore.Position) error {
	rows, err := f.d.Ledger.Endpoints(ctx)
	if err != nil {
		return err
	}
	page := eventstore.Page{Through: through}
	for _, row := range rows {
		if row.DisabledReason == reasonUnreadable {
			page.Events = append(page.Events, eventstore.Recorded{
				Stream: endpoint.Decider.Stream(row.ID), Created: row.CreatedAt, Revision: row.Revision, Position: through,
			})
		}
	}
	if len(page.Events) == 0 {
		return nil
	}
	return f.apply(ctx, page)
}

// change reads the endpoint as it is by now, which may be later than the
// event: the events in between then change nothing more. Only the position of
// the first event matters, and that is the one a new endpoint comes with.
func (f *follower) change(ctx context.Context, r eventstore.Recorded) (ledger.Change, error) {
	id := message.AggregateID(r.Stream)
	s, revision, err := eventstore.Load(ctx, f.d.Store, endpoint.Decider, id)
	if err != nil {
		return ledger.Change{}, fmt.Errorf("load endpoint %s: %w", id, err)
	}
	if !s.Exists() {
		return ledger.Change{Deleted: id}, nil
	}
	known, err := f.d.checkpointed(ctx, id, s.Seeks)
	if err != nil {
		return ledger.Change{}, err
	}
	return ledger.Change{
		Known: known,
		Endpoint: &ledger.Endpoint{
			ID: s.ID, TenantID: s.TenantID, Channels: s.Channels, State: s.Status, DisabledReason: s.DisabledReason,
			Settings: s.Settings, Secrets: s.Secrets, Verification: s.Verification, Failing: s.Operation.FailingSince, CreatedAt: s.Created.CreatedAt, Revision: revision,
		},
		Position: r.Position, Seeks: s.Seeks, Seek: eventstore.Position(s.Seek), Starts: s.Operation.Starts,
	}, nil
}
