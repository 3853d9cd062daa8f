package gatewaycallbacks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/process"
)

// Waiting lists callbacks that were received and not applied. It may lag: what
// it says is checked against the log.
type Waiting interface {
	Waiting(ctx context.Context) ([]Item, error)
}

// Item is a callback that was not applied yet.
type Item struct {
	ID         string
	ReceivedAt time.Time
}

// Run applies callbacks as they are received by this process, until the context
// ends. What it does not come to is on the to-do list.
func (s *Service) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				select {
				case id := <-s.waiting:
					s.try(ctx, id)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

func (s *Service) try(ctx context.Context, id string) {
	err := s.Apply(ctx, id)
	if notYet := (*process.NotYetError)(nil); err != nil && ctx.Err() == nil && !errors.As(err, &notYet) {
		s.Logger.WarnContext(ctx, "callback of a gateway was not applied; it is tried again", "callback", id, "error", err)
	}
}

// Sweeper applies what is on the to-do list, ever less often. Several
// processes may do so at once.
type Sweeper struct {
	Service  *Service
	Waiting  Waiting
	Interval time.Duration // between two rounds; 0 means 1 s

	mu    sync.Mutex
	tried map[string]time.Time
}

// Run sweeps until the context ends.
func (w *Sweeper) Run(ctx context.Context) error {
	return handlers.Rounds(ctx, w.Interval, w.Service.Logger, "callbacks of gateways", w.Round)
}

// Round works once through what is due. What is not yet possible is no error.
func (w *Sweeper) Round(ctx context.Context) error {
	items, err := w.Waiting.Waiting(ctx)
	if err != nil {
		return fmt.Errorf("list callbacks: %w", err)
	}
	return handlers.ForEach(w.due(items), workers, func(item Item) error {
		err := w.Service.Apply(ctx, item.ID)
		if notYet := (*process.NotYetError)(nil); errors.As(err, &notYet) {
			return nil
		}
		return err
	})
}

// schedule is when a callback is tried after it was received; after that it is
// tried every few minutes.
var schedule = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute,
}

const later = 5 * time.Minute

// due forgets what is no longer listed, and returns what is to be tried now.
func (w *Sweeper) due(items []Item) (due []Item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, tried := w.Service.Now(), map[string]time.Time{}
	for _, item := range items {
		last := w.tried[item.ID]
		tried[item.ID] = last
		if now.Before(next(item.ReceivedAt, last)) {
			continue
		}
		tried[item.ID] = now
		due = append(due, item)
	}
	w.tried = tried
	return due
}

func next(received, last time.Time) time.Time {
	for _, after := range schedule {
		if at := received.Add(after); at.After(last) {
			return at
		}
	}
	return last.Add(later)
}
