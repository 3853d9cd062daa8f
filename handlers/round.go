package handlers

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Rounds makes a round at once and then one after each interval, until the
// context ends. A round that fails is logged with the name of the work, and the
// next one comes all the same. The interval 0 means a second.
func Rounds(ctx context.Context, interval time.Duration, logger *slog.Logger, work string, round func(context.Context) error) error {
	if interval == 0 {
		interval = time.Second
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := round(ctx); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "a round failed, the next one comes", "of", work, "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ForEach does something with every item, up to limit of them at once. One that
// fails keeps no other from being tried; the error is all failures.
func ForEach[T any](items []T, limit int, do func(T) error) error {
	var (
		mu    sync.Mutex
		errs  []error
		group errgroup.Group
	)
	group.SetLimit(limit)
	for _, item := range items {
		group.Go(func() error {
			if err := do(item); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = group.Wait() // failures are in errs
	return errors.Join(errs...)
}
