package database_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
)

func thingsOn(t *testing.T, e databasetest.Engine) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{
		Path: e.Dir + "/things.db", Server: e.Server, Migrations: schema("CREATE TABLE things (id INTEGER PRIMARY KEY)"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// One in ten fails or panics, after it wrote: of it nothing stays, and of the
// others everything.
func TestWhoSharesATransactionIsNotHeldUpByOneWhoFails(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := thingsOn(t, e)
		group := database.Group{DB: db}
		var callers sync.WaitGroup
		for n := range 100 {
			callers.Go(func() {
				fails := n%10 == 3
				inserted := -1
				read := func(row database.Row) error { return row.Scan(&inserted) }
				err := group.Do(t.Context(), func(ctx context.Context, batch *database.Batch) error {
					return batch.QueryRow(ctx, read, `INSERT INTO things (id) VALUES (?) RETURNING id`, n)
				}, func(context.Context, *sql.Tx) error {
					switch {
					case inserted != n:
						t.Errorf("%d: the answer is %d", n, inserted)
					case fails && n > 50:
						panic("a mistake")
					case fails:
						return errWanted
					}
					return nil
				})
				if errors.Is(err, errWanted) != (fails && n < 50) || (err != nil) != fails {
					t.Errorf("%d: %v", n, err)
				}
			})
		}
		callers.Wait()
		if n := count(t, db); n != 90 {
			t.Errorf("%d rows, want 90", n)
		}
	})
}

// Whoever comes while a transaction runs shares the next one.
func TestThoseWhoWaitShareATransaction(t *testing.T) {
	t.Parallel()
	db := thingsOn(t, databasetest.Engine{Dir: t.TempDir()})
	group := database.Group{DB: db}
	began, goOn := make(chan struct{}), make(chan struct{})
	var callers sync.WaitGroup
	callers.Go(func() {
		_ = group.Do(t.Context(), func(context.Context, *database.Batch) error {
			close(began)
			<-goOn
			return nil
		}, nil)
	})
	<-began
	var mu sync.Mutex
	seen := map[*database.Batch]int{}
	left, leave := context.WithCancel(t.Context())
	for range 5 {
		callers.Go(func() {
			if err := group.Do(left, func(ctx context.Context, batch *database.Batch) error {
				mu.Lock()
				defer mu.Unlock()
				seen[batch]++
				return ctx.Err()
			}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for group.Waiting() < 5 {
		time.Sleep(time.Millisecond)
	}
	leave() // what somebody who left asked for is done all the same
	close(goOn)
	callers.Wait()
	if len(seen) != 1 {
		t.Errorf("%d transactions, want 1", len(seen))
	}
}
