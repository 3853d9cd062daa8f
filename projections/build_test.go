package projections_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// A rebuild may be stopped before its first page, between two of them, and
// before its indexes are made: in the end rows and indexes are there.
func TestAFillThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.trade(1, 10)
	half := len(h.events) / 2
	stopped := errors.New("stopped")
	for _, p := range everyProjection() {
		if _, ok := p.(projections.LateIndexes); !ok {
			continue
		}
		t.Run(p.Name(), func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
				t.Helper()
				h := &history{tb: t, codec: h.codec, events: h.events}
				untouched := h.open(p, e.Another(t))
				defer func() { _ = untouched.Close() }()
				r := h.open(p, e)
				fill := func(from, to int, end error) {
					t.Helper()
					err := r.Filling(t.Context(), func() error {
						if to > from {
							if err := r.Apply(t.Context(), h.page(p, from, to)); err != nil {
								return err
							}
						}
						return end
					})
					if !errors.Is(err, end) {
						t.Fatalf("fill from %d to %d: %v", from, to, err)
					}
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
					r = h.open(p, e)
				}
				fill(0, 0, stopped)
				fill(0, 0, stopped)
				fill(0, half, stopped)
				fill(half, len(h.events), stopped)
				fill(0, 0, nil)
				defer func() { _ = r.Close() }()
				if diff := cmp.Diff(indexes(t, e, untouched), indexes(t, e, r)); diff != "" {
					t.Errorf("indexes (-want +got):\n%s", diff)
				}
				if left := query(t, r.Read(), `SELECT name FROM late_indexes`); len(left) > 0 {
					t.Errorf("put off for ever: %v", left)
				}
				want := h.replay(t, e.Another(t), p, 512, 0)
				if diff := cmp.Diff(withoutCheckpoint(want), withoutCheckpoint(snapshot(t, r.Read()))); diff != "" {
					t.Errorf("rows (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// indexes are the names of a read model's indexes.
func indexes(t *testing.T, e databasetest.Engine, r *projections.Runner) [][]string {
	t.Helper()
	if e.Server == nil {
		return query(t, r.Read(), `SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name`)
	}
	return query(t, r.Read(), `SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%\_pkey' ORDER BY indexname`)
}

// While an index of the version that is filled is made, the live one is read and
// goes on: they share neither a lock nor a writer.
func TestTheLiveVersionGoesOnWhileAnIndexIsMade(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		h := newHistory(t)
		h.trade(1, 10)
		p := projections.Orders{}
		live := h.open(p, e)
		defer func() { _ = live.Close() }()
		next := openRunner(t, p, projections.Config{
			Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return historyStart }, Build: 1,
		})
		defer func() { _ = next.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := next.Making(ctx, `CREATE INDEX orders_by_total ON orders (total)`, func() error {
			if err := live.Apply(ctx, h.page(p, 0, len(h.events))); err != nil {
				return err
			}
			list, err := projections.OrderQueries{DB: live.Read()}.List(ctx, projections.OrderFilter{}, nil, 10)
			if err == nil && len(list) == 0 {
				err = errors.New("no order is listed")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
