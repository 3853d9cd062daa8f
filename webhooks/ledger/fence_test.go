package ledger_test

import (
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// Processes take a cursor from each other all the time, as if every lease had
// run out at once. Each moves it by what it read when it took it, so that a
// single write of one that has lost it would show as a place that was reached
// twice.
func TestProcessesThatTakeACursorFromEachOtherNeverBothMoveIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const processes, rounds = 4, 60
		first := withEndpoint(t, e)
		var mu sync.Mutex
		reached, fenced := map[eventstore.Position]string{}, 0
		var group sync.WaitGroup
		for i := range processes {
			l, owner := openLedger(t, e), string(rune('a'+i))
			group.Go(func() {
				for range rounds {
					got, ok, err := l.Acquire(t.Context(), key, ledger.Claim{Owner: owner, For: -time.Hour})
					if err != nil || !ok {
						t.Errorf("acquire: %t, %v", ok, err)
						return
					}
					through := got.Through + 1
					saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: got, Changes: delivery.Changes{Through: through}}})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if before, twice := reached[through]; saved[0] && twice {
						t.Errorf("%s and %s both moved the cursor to %d", before, owner, through)
					}
					if saved[0] {
						reached[through] = owner
					} else {
						fenced++
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		status, _, err := first.Status(t.Context(), key)
		if err != nil || int(status.Through) != 100+len(reached) || status.Epoch != processes*rounds {
			t.Errorf("%+v after %d moves, %v", status, len(reached), err)
		}
		if len(reached)+fenced != processes*rounds || len(reached) == 0 {
			t.Errorf("%d moves and %d refused", len(reached), fenced)
		}
	})
}
