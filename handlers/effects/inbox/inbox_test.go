package inbox_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/handlers/effects/inbox"
)

func open(t *testing.T, e databasetest.Engine) *database.DB {
	t.Helper()
	path := "effects.db"
	if e.Server == nil {
		path = filepath.Join(e.Dir, path)
	}
	db, err := database.Open(t.Context(), database.Config{Path: path, Server: e.Server, Migrations: inbox.Migrations()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var errAway = errors.New("away")

func TestAnEffectHappensOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := open(t, e)
		now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
		box := &inbox.Inbox{DB: db, Handler: "email", Now: func() time.Time { return now }}
		calls := 0
		call := func(err error) func(context.Context) error {
			return func(context.Context) error { calls++; return err }
		}
		step := func(name string, b *inbox.Inbox, err, want error, after int) {
			t.Helper()
			if got := b.Do(t.Context(), "k", call(err)); !errors.Is(got, want) || calls != after {
				t.Errorf("%s: %v after %d calls, want %v after %d", name, got, calls, want, after)
			}
		}
		step("a failure", box, errAway, errAway, 1)
		step("again", box, nil, nil, 2)
		step("a repeat", box, nil, nil, 2)
		step("of another handler", &inbox.Inbox{DB: db, Handler: "receipt", Now: box.Now}, nil, nil, 3)
		if n, err := box.Prune(t.Context(), now); err != nil || n != 0 {
			t.Errorf("pruned %d, %v", n, err)
		}
		now = now.Add(time.Hour)
		if n, err := box.Prune(t.Context(), now); err != nil || n != 1 {
			t.Errorf("pruned %d, %v", n, err)
		}
		step("after it was forgotten", box, nil, nil, 4)
	})
}

func TestNobodyElseBeginsWhileAnAttemptIsUnderWayUnlessItIsDead(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		var clock atomic.Int64
		box := &inbox.Inbox{DB: open(t, e), Handler: "email", Now: func() time.Time { return time.UnixMilli(clock.Load()) }, Lease: time.Minute}
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			done <- box.Do(t.Context(), "k", func(context.Context) error { close(begun); <-end; return nil })
		}()
		<-begun
		never := func(context.Context) error { t.Error("begun twice"); return nil }
		if err := box.Do(t.Context(), "k", never); !errors.Is(err, inbox.ErrBusy) {
			t.Errorf("while it is under way: %v", err)
		}
		clock.Add(time.Minute.Milliseconds())
		second := 0
		if err := box.Do(t.Context(), "k", func(context.Context) error { second++; return nil }); err != nil || second != 1 {
			t.Errorf("after the lease: %v, %d", err, second)
		}
		close(end)
		if err := <-done; err != nil {
			t.Errorf("the first one, late: %v", err)
		}
		if err := box.Do(t.Context(), "k", never); err != nil {
			t.Errorf("at last: %v", err)
		}
	})
}

func TestManyAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		box := &inbox.Inbox{DB: open(t, e), Handler: "email", Now: time.Now, Lease: time.Hour}
		var calls atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for {
					err := box.Do(t.Context(), "k", func(context.Context) error {
						if calls.Add(1) == 1 {
							return errAway
						}
						return nil
					})
					if err == nil {
						return
					}
					if !errors.Is(err, inbox.ErrBusy) && !errors.Is(err, errAway) {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		if calls.Load() != 2 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}
