package projections

import (
	"context"
	"errors"
	"sync"

	"github.com/waybill-dev/waybill/eventstore"
)

// Follow drives a version with pages from a log, without a router: for programs
// that do nothing else.
func Follow(log Log, pageSize int) Drive {
	return func(ctx context.Context, r *Runner) error {
		ctx, cancel := context.WithCancel(ctx)
		var retrying sync.WaitGroup
		defer retrying.Wait()
		defer cancel()
		retrying.Go(func() { _ = r.Run(ctx) }) // it always returns nil
		for {
			err := followOnce(ctx, log, r, pageSize)
			if ctx.Err() != nil {
				return nil
			}
			r.cfg.Logger.WarnContext(ctx, "a read model cannot go on, will try again", "projection", r.Name(), "error", err)
			if errors.Is(pause(ctx, firstRetry), context.Canceled) {
				return nil
			}
		}
	}
}

func followOnce(ctx context.Context, log Log, r *Runner, pageSize int) error {
	from, err := r.Checkpoint(ctx)
	if err != nil {
		return err
	}
	feed := log.Feed(eventstore.FeedConfig{Prefixes: r.Prefixes(), From: from, PageSize: pageSize, Shared: true})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return err
		}
		if err := r.Apply(ctx, page); err != nil {
			return err
		}
	}
}
