package projections_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

func TestOthersHaveTheirTurnBesideARebuild(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		took           time.Duration
		processors, of int
		want           time.Duration
	}{
		{5 * time.Millisecond, 2, 2, 35 * time.Millisecond}, // 10 ms of work in 80 of two processors
		{5 * time.Millisecond, 1, 2, 15 * time.Millisecond},
		{5 * time.Millisecond, 2, 16, 0}, // there is an eighth of them anyway
		{5 * time.Millisecond, 2, 64, 0},
		{time.Minute, 2, 2, 250 * time.Millisecond},
		{0, 2, 2, 0},
	} {
		if got := projections.Turn(row.took, row.processors, row.of); got != row.want {
			t.Errorf("after %s on %d of %d: %s, want %s", row.took, row.processors, row.of, got, row.want)
		}
	}
}

// watchedLog notes how large the pages are that are asked for.
type watchedLog struct {
	projections.Log

	mu    sync.Mutex
	sizes []int
}

func (l *watchedLog) Feed(cfg eventstore.FeedConfig) *eventstore.Feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sizes = append(l.sizes, cfg.PageSize)
	return l.Log.Feed(cfg)
}

func (l *watchedLog) most() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Max(l.sizes)
}

// A moment after an event was recorded a rebuild reads in small pages, and in
// large ones when nothing has come for long.
func TestARebuildTakesSmallPortionsOnlyBesideLiveWork(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		idle time.Duration
		want func(page int) bool
	}{
		"live": {0, func(page int) bool { return page <= 1000 }}, // the size to count what is behind
		"idle": {time.Hour, func(page int) bool { return page > 5000 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, nodetest.Start(t))
			for n := range 5 {
				placeOrder(t, c, n)
			}
			var now time.Time
			for e, err := range c.ReadStream(t.Context(), "order-o4", 0) {
				if err != nil {
					t.Fatal(err)
				}
				now = e.Created.Add(row.idle)
			}
			log := &watchedLog{Log: c}
			set, err := projections.OpenSet(t.Context(), projections.Config{
				Dir: databasetest.SQLite(t).Dir, Store: c, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			}, log, projections.Orders{})
			if err != nil {
				t.Fatal(err)
			}
			p := run(t, set, c)
			p.level("orders")
			if r := p.rebuild("orders", anew("1")); r.State != projections.Swapped || !r.Equal() {
				t.Errorf("%s, %s", r.State, r.Error)
			}
			if page := log.most(); !row.want(page) {
				t.Errorf("pages of %d events", page)
			}
		})
	}
}
