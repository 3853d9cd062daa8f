package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Filled is what filling one version of a read model took.
type Filled struct {
	Events  int64
	Rows    time.Duration // until every event was applied
	Indexes time.Duration // to make those that were put off
	Blocked []BlockedStream
}

// Fill fills a version of a read model from the log as it is, as a rebuild
// does, beside nothing.
func Fill(ctx context.Context, p Projection, cfg Config, log Log) (Filled, error) {
	end, err := log.End(ctx)
	if err != nil {
		return Filled{}, err
	}
	return fillAlone(ctx, p, cfg, log, end, Rebuild{}, nil)
}

// fillAlone fills a version as far as a position. advance may be nil.
func fillAlone(ctx context.Context, p Projection, cfg Config, log Log, limit eventstore.Position, how Rebuild, advance func(*Runner)) (filled Filled, err error) {
	target, err := Open(ctx, p, cfg)
	if err != nil {
		return filled, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	running, stop := context.WithCancel(ctx)
	var retrying sync.WaitGroup
	retrying.Go(func() { _ = target.Run(running) }) // it always returns nil
	defer retrying.Wait()
	defer stop()
	if _, err := target.Checkpoint(ctx); err != nil {
		return filled, err
	}
	began := time.Now() //nolint:forbidigo // how long work takes
	how.Projection = p.Name()
	f := newFiller(&Set{cfg: cfg, log: log}, target, how)
	f.advance = advance
	defer f.stop()
	err = target.filling(ctx, false, func() error {
		err := f.to(ctx, limit)
		filled.Events, filled.Rows = target.Events(), time.Since(began)
		return err
	})
	if err != nil {
		return filled, err
	}
	filled.Indexes = time.Since(began) - filled.Rows
	filled.Blocked, err = target.Blocked(ctx)
	return filled, err
}
