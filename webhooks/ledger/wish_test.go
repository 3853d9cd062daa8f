package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

func wish(revision int, skip bool) *ledger.Wish {
	return &ledger.Wish{
		EndpointID: "e1", Revision: eventstore.Revision(revision), Skip: skip,
		Event: delivery.Parked{Position: 90, Revision: 4, Lane: "order-1", ID: "id-90"},
	}
}

func TestAWishStaysUntilItsCursorsOwnerHasDoneIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		apply := func(wishes ...*ledger.Wish) {
			t.Helper()
			for _, w := range wishes {
				if err := l.Apply(t.Context(), []ledger.Change{{Wish: w, Position: 120}}, 120); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(what string, wishes ...ledger.Wish) {
			t.Helper()
			got, err := l.Wishes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wishes, got["e1"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		settle := func(lease ledger.Lease, ours bool, done ...eventstore.Revision) {
			t.Helper()
			saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: lease, Changes: delivery.Changes{Through: lease.Through}, Wishes: done}})
			if err != nil || saved[0] != ours {
				t.Fatalf("saved %v, %v", saved, err)
			}
		}
		want("at first")
		apply(wish(5, false), wish(7, true), wish(5, false), wish(7, true)) // the log is read again
		want("each once, in order", *wish(5, false), *wish(7, true))
		old, _ := acquire(t, l, "a", noon)
		now, _ := acquire(t, l, "b", noon.Add(time.Hour))
		settle(old, false, 5)
		want("after somebody did it whose cursor was lost", *wish(5, false), *wish(7, true))
		settle(now, true, 5)
		want("after it was done", *wish(7, true))
		apply(wish(5, false), wish(7, true))
		want("after the log was read again", *wish(7, true))
		apply(wish(9, false))
		want("after another one", *wish(7, true), *wish(9, false))
		settle(now, true, 7, 9)
		want("after all")
		apply(wish(11, false))
		if err := l.Apply(t.Context(), []ledger.Change{{Deleted: "e1"}}, 160); err != nil {
			t.Fatal(err)
		}
		want("after its endpoint is gone")
	})
}
