package fulfilment_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/eventstore"
	tasks "github.com/waybill-dev/waybill/handlers/process"
	"github.com/waybill-dev/waybill/projections"
)

// list is the to-do list as the log makes it.
type list struct {
	tb     testing.TB
	runner *projections.Runner
	feed   *eventstore.Feed
	store  *eventstore.Client
}

func (s *shop) list(tb testing.TB) *list {
	tb.Helper()
	store, _ := s.world.store.(*eventstore.Client)
	runner, err := projections.Open(tb.Context(), projections.Tasks{}, projections.Config{
		Dir: tb.TempDir(), Store: store, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	l := &list{tb: tb, runner: runner, store: store, feed: store.Feed(eventstore.FeedConfig{Prefixes: runner.Prefixes()})}
	tb.Cleanup(func() { l.feed.Close(); _ = runner.Close() })
	return l
}

// Due implements [tasks.Tasks] on a list that has the whole log.
func (l *list) Due(ctx context.Context, now time.Time, after tasks.Task, limit int) (due []tasks.Task, err error) {
	mark, err := l.store.Append(ctx, "order-mark", eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: order.OrderTagged{}})
	if err != nil {
		return nil, err
	}
	for at := eventstore.Position(0); at < mark.Position; {
		page, err := l.feed.Next(ctx)
		if err != nil {
			return nil, err
		}
		if err := l.runner.Apply(ctx, page); err != nil {
			return nil, err
		}
		if at, err = projections.ReadPosition(ctx, l.runner.Read()); err != nil {
			return nil, err
		}
	}
	rows, err := projections.TaskQueries{DB: l.runner.Read()}.Due(ctx, now, projections.TaskRow{
		OrderID: after.OrderID, NextAt: after.NextAt, Task: process.Task{Kind: after.Kind, Ref: after.Ref},
	}, limit)
	for _, r := range rows {
		if r.Task.Kind == process.Reauthorise {
			continue // the gateway's clock is another one
		}
		due = append(due, tasks.Task{
			OrderID: r.OrderID, Kind: r.Task.Kind, Ref: r.Task.Ref, Cause: r.Task.OpenedBy,
			OpenedAt: r.OpenedAt, Position: r.Position, DueAt: r.DueAt, NextAt: r.NextAt, Failures: r.Failures,
		})
	}
	return due, err
}

// workOff lets another process do what is on the list, and what comes of that,
// until nothing is due. Meanwhile time passes.
func (l *list) workOff(s *shop) {
	l.tb.Helper()
	ahead := time.Minute // the store's clock is not that of the test
	p := &tasks.Processor{
		Tasks: l, Handlers: s.Handlers(), Store: s.Store, Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 },
		Now: func() time.Time { return time.Now().Add(ahead) },
	}
	for range 50 {
		if err := p.Round(l.tb.Context()); err != nil {
			l.tb.Fatal(err)
		}
		due, err := l.Due(l.tb.Context(), time.Now().Add(ahead), tasks.Task{}, 100)
		if err != nil {
			l.tb.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		ahead += 5 * time.Second
		s.world.advance(5 * time.Second)
	}
	due, _ := l.Due(l.tb.Context(), time.Now().Add(ahead), tasks.Task{}, 100)
	l.tb.Errorf("still to be done: %+v", due)
}
