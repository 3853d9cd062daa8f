package database_test

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
)

func TestOneProcessAtATimeHasALease(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		var now atomic.Int64
		lease := func(owner string) (*database.Lease, *database.DB) {
			db := e.Open(t, "things", schema(things))
			l, err := database.NewLease(t.Context(), database.LeaseConfig{
				DB: db, Name: "work", Owner: owner, For: time.Minute, Logger: slog.New(slog.DiscardHandler),
				Now: func() time.Time { return time.Unix(now.Load(), 0) },
			})
			if err != nil {
				t.Fatal(err)
			}
			return l, db
		}
		a, db := lease("a")
		b, _ := lease("b")
		take := func(l *database.Lease, wanted int64) {
			t.Helper()
			if epoch, ok, err := l.Take(t.Context()); epoch != wanted || ok != (wanted > 0) || err != nil {
				t.Fatalf("epoch %d, %t, %v; want %d", epoch, ok, err, wanted)
			}
		}
		take(a, 1)
		take(b, 0)
		now.Store(50)
		if ours, err := a.Renew(t.Context(), 1); !ours || err != nil {
			t.Fatal(ours, err)
		}
		now.Store(100)
		take(b, 0)
		now.Store(111)
		take(b, 2)
		if ours, err := a.Renew(t.Context(), 1); ours || err != nil {
			t.Error("a lease that was lost was renewed", err)
		}
		condition, args := a.Fence(1)
		err := db.Tx(t.Context(), func(tx *sql.Tx) error {
			result, err := tx.ExecContext(t.Context(), `INSERT INTO things (id, name) SELECT 1, 'x' WHERE `+condition, args...)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); n > 0 {
				t.Error("who lost the lease wrote", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := a.Release(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		take(a, 0)
		if err := b.Release(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		take(a, 3)
	})
}

// Work ends with the lease, and begins where the lease went.
func TestWorkGoesWhereTheLeaseIs(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	at := make(chan string)
	process := func(owner string) (stop func()) {
		l, err := database.NewLease(t.Context(), database.LeaseConfig{
			DB: e.Open(t, "things", schema(things)), Name: "work", Owner: owner, For: time.Second, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Hold(ctx, func(ctx context.Context, _ int64) {
				at <- owner
				<-ctx.Done()
				at <- "not " + owner
			})
		}()
		return func() { cancel(); <-done }
	}
	expect := func(wanted string) {
		t.Helper()
		select {
		case got := <-at:
			if got != wanted {
				t.Fatalf("work is at %s, want %s", got, wanted)
			}
		case <-time.After(time.Minute):
			t.Fatalf("work is not at %s", wanted)
		}
	}
	stopA := process("a")
	expect("a")
	stopB := process("b")
	go stopA()
	expect("not a")
	expect("b")
	go stopB()
	expect("not b")
}
