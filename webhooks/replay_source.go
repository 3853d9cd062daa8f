package webhooks

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// past hands over the log from a position on to where a replay ends.
type past struct {
	d      *Dispatcher
	out    *chooser
	replay *replay
}

// run returns when everything was handed over, or the context ends.
func (p *past) run(ctx context.Context, at eventstore.Position) {
	p.span(ctx, ledger.Span{From: at, Until: p.replay.run.Until})
}

// span hands over a piece of the log.
func (p *past) span(ctx context.Context, span ledger.Span) {
	if span.From >= span.Until {
		p.hand(ctx, batch{through: span.Until})
		return
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed := p.d.Feed(eventstore.FeedConfig{Prefixes: p.prefixes(), From: span.From, PageSize: pageOfPast})
	defer feed.Close()
	p.d.eachPage(ctx, feed, func(page eventstore.Page) {
		through := min(page.Through, span.Until)
		if page.Live { // what the replay is of was in the log before it began
			through = span.Until
		}
		p.hand(ctx, batch{items: p.items(page.Events, span.Until), through: through})
		if through >= span.Until {
			stop()
		}
	})
}

// prefixes spares the store what a replay of one aggregate does not want.
func (p *past) prefixes() []string {
	prefixes := p.d.Catalogue.Prefixes()
	if p.replay.Aggregate != "" {
		for i := range prefixes {
			prefixes[i] += p.replay.Aggregate
		}
	}
	return prefixes
}

func (p *past) items(events []eventstore.Recorded, until eventstore.Position) []*item {
	for len(events) > 0 && events[len(events)-1].Position > until {
		events = events[:len(events)-1]
	}
	return itemsOf(p.d.Catalogue, events)
}

func (p *past) hand(ctx context.Context, next batch) { p.out.hand(ctx, next) }

// undelivered hands over what the live run gave up, what waits in it, and what
// it passed over.
type undelivered struct{ past }

// run returns when everything was handed over, or the context ends.
func (u *undelivered) run(ctx context.Context, at eventstore.Position) {
	for ctx.Err() == nil && at < u.replay.run.Until {
		next, err := u.piece(ctx, at)
		if err == nil {
			at = next
		} else if ctx.Err() == nil {
			u.d.Logger.ErrorContext(ctx, "webhooks cannot read what was not delivered", "endpoint", u.replay.run.EndpointID, "error", err)
			pause(ctx, retryAfter)
		}
	}
	u.hand(ctx, batch{through: u.replay.run.Until})
}

// piece hands over what comes first after a position: rows up to where the
// next passage begins that was passed over, or else that passage. It returns
// how far that is.
func (u *undelivered) piece(ctx context.Context, at eventstore.Position) (eventstore.Position, error) {
	rest := ledger.Span{From: at, Until: u.replay.run.Until}
	skipped, err := u.d.Ledger.Skipped(ctx, u.replay.run.EndpointID, rest)
	if err != nil {
		return at, err
	}
	if len(skipped) > 0 && skipped[0].From <= at {
		u.span(ctx, skipped[0])
		return skipped[0].Until, ctx.Err()
	}
	if len(skipped) > 0 {
		rest.Until = skipped[0].From
	}
	rows, err := u.d.Ledger.Undelivered(ctx, ledger.Key{EndpointID: u.replay.run.EndpointID, RunID: ledger.Live}, rest, mostOfBatch)
	if err != nil {
		return at, err
	}
	next := batch{through: rest.Until}
	if len(rows) == mostOfBatch {
		next.through = rows[len(rows)-1].Position
	}
	for _, row := range rows {
		it, err := u.item(ctx, row)
		if err != nil {
			return at, err
		}
		if it != nil {
			next.items = append(next.items, it)
		}
	}
	u.hand(ctx, next)
	return next.through, ctx.Err()
}

// item reads the event of a row; nil is one that cannot be sent, which the live
// run has told of.
func (u *undelivered) item(ctx context.Context, row delivery.Parked) (*item, error) {
	it, err := u.d.itemOf(ctx, delivery.Job{Event: delivery.Event{Position: row.Position, Revision: row.Revision, Lane: row.Lane, ID: row.ID}})
	if errors.Is(err, eventstore.ErrUnavailable) || ctx.Err() != nil {
		return nil, err
	}
	if err != nil || (u.replay.Aggregate != "" && message.AggregateID(row.Lane) != u.replay.Aggregate) {
		return nil, nil //nolint:nilnil,nilerr // see above
	}
	return it, nil
}
