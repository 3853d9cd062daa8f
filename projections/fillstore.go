package projections

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Filled is what filling one version of a read model took.
type Filled struct {
	Events  int64
	Rows    time.Duration // until every event was applied
	Indexes time.Duration // to make those that were put off
}

// Fill fills a version of a read model from the log as it is, as a rebuild
// does, beside nothing.
func Fill(ctx context.Context, p Projection, cfg Config, log Log) (filled Filled, err error) {
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
	if err := target.putIndexesOff(ctx); err != nil {
		return filled, err
	}
	end, err := log.End(ctx)
	if err != nil {
		return filled, err
	}
	began := time.Now()
	f := newFiller(&Set{cfg: cfg, log: log}, target, Rebuild{Projection: p.Name()})
	defer f.stop()
	if err := f.to(ctx, end); err != nil {
		return filled, err
	}
	filled.Events, filled.Rows = target.Events(), time.Since(began)
	if err := target.makeIndexes(ctx); err != nil {
		return filled, err
	}
	filled.Indexes = time.Since(began) - filled.Rows
	return filled, nil
}
