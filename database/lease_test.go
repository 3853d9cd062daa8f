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

// Without a time that is passed in, a lease goes by the clock of the database.
func TestALeaseGoesByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := e.Open(t, "things", schema(things))
		take := func(owner string, length time.Duration, want bool) *database.Lease {
			t.Helper()
			l, err := database.NewLease(t.Context(), database.LeaseConfig{DB: db, Name: "work", Owner: owner, For: length})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := l.Take(t.Context()); ok != want || err != nil {
				t.Fatalf("%s got the lease: %t, %v", owner, ok, err)
			}
			return l
		}
		ends := func(length time.Duration, epoch int64) {
			t.Helper()
			var until, at int64
			if err := db.Read.QueryRowContext(t.Context(), `SELECT until, epoch FROM leases`).Scan(&until, &at); err != nil {
				t.Fatal(err)
			}
			if left := time.Until(time.UnixMilli(until)); (left-length).Abs() > time.Minute || at != epoch {
				t.Errorf("it lasts for %v, epoch %d; want %v, %d", left, at, length, epoch)
			}
		}
		a := take("a", time.Hour, true)
		take("b", time.Hour, false)
		ends(time.Hour, 1)
		if _, err := db.Write.ExecContext(t.Context(), `UPDATE leases SET until = 0`); err != nil {
			t.Fatal(err)
		}
		if ours, err := a.Renew(t.Context(), 1); !ours || err != nil {
			t.Error(ours, err)
		}
		ends(time.Hour, 1)
		take("a", -time.Second, true)
		take("b", time.Hour, true)
		ends(time.Hour, 3)
	})
}

// The clock of the database goes back. A lease of a process that died does not
// last as much longer; whoever lives renews its own.
func TestALeaseOfBeforeTheClockWentBack(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		now := time.Unix(10_000, 0)
		lease := func(owner string) *database.Lease {
			l, err := database.NewLease(t.Context(), database.LeaseConfig{
				DB: e.Open(t, "things", schema(things)), Name: "work", Owner: owner, For: time.Minute, Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		take := func(l *database.Lease, wanted int64) {
			t.Helper()
			if epoch, ok, err := l.Take(t.Context()); epoch != wanted || ok != (wanted > 0) || err != nil {
				t.Fatalf("epoch %d, %t, %v; want %d", epoch, ok, err, wanted)
			}
		}
		a, b := lease("a"), lease("b")
		take(a, 1)
		now = now.Add(-time.Hour)
		if ours, err := a.Renew(t.Context(), 1); !ours || err != nil {
			t.Fatal(ours, err)
		}
		take(b, 0)
		now = now.Add(-time.Hour)
		take(b, 2)
		now = now.Add(-50 * time.Second) // of which no lease is the worse
		take(a, 0)
	})
}

// Work ends with the lease, and begins where the lease went.
func TestWorkGoesWhereTheLeaseIs(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	at := make(chan string)
	process := func(owner string) (stop func()) {
		l, err := database.NewLease(t.Context(), database.LeaseConfig{
			DB: e.Open(t, "things", schema(things)), Name: "work", Owner: owner, For: time.Second, Logger: slog.New(slog.DiscardHandler),
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
