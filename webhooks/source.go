package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// mostOfBatch bounds what a source hands over at once.
const mostOfBatch = 256

// pageOfPast is how many events are read at once of what is long past. Reading
// and decoding a page takes both us and the store the processor; what is live
// waits for it. In a process of its own for the past it waits for the store
// alone, and for no more than pageOfBacklog.
const (
	pageOfPast    = 32
	pageOfBacklog = 8
)

// source hands one endpoint the log from a position on: from the hub while the
// endpoint is up to date, else by a feed of its own.
type source struct {
	d   *Dispatcher
	out *chooser
}

// run returns when the context ends.
func (s *source) run(ctx context.Context, at eventstore.Position) {
	for ctx.Err() == nil {
		next, changed, ok := s.d.hub.Load().after(at, mostOfBatch)
		switch {
		case !ok:
			at = s.catchUp(ctx, at)
		case next.through > at:
			at = s.hand(ctx, next)
		default:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

func (s *source) hand(ctx context.Context, next batch) eventstore.Position {
	s.out.hand(ctx, next)
	return next.through
}

// catchUp reads until the hub has what follows.
func (s *source) catchUp(ctx context.Context, at eventstore.Position) eventstore.Position {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed := s.d.Feed(eventstore.FeedConfig{Prefixes: s.d.Catalogue.Prefixes(), From: at, PageSize: s.d.cfg.pageOfPast()})
	defer feed.Close()
	s.d.eachPage(ctx, feed, func(page eventstore.Page) {
		at = s.hand(ctx, batch{items: itemsOf(s.d.Catalogue, page.Events), through: page.Through})
		if s.d.hub.Load().covers(at) {
			stop()
		}
	})
	return at
}

// eachPage passes on the pages of a feed until the context ends. A feed heals
// by itself; what comes out nevertheless is logged and tried again.
func (d *Dispatcher) eachPage(ctx context.Context, feed Feed, do func(eventstore.Page)) {
	for ctx.Err() == nil {
		page, err := feed.Next(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, context.Canceled) {
				d.Logger.ErrorContext(ctx, "webhooks cannot read the log", "error", err)
				pause(ctx, time.Second)
			}
			continue
		}
		do(page)
	}
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
