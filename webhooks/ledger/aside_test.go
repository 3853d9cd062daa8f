package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

func TestWhoIsSetAside(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		aside := func(want map[string]bool) {
			t.Helper()
			got, err := l.Aside(t.Context())
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("set aside: %v (-want +got):\n%s", err, diff)
			}
		}
		aside(map[string]bool{})
		for _, id := range []string{"e1", "e2", "e1"} { // again changes nothing
			if err := l.SetAside(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		aside(map[string]bool{"e1": true, "e2": true})
		for range 2 {
			if err := l.TakeBack(t.Context(), "e2"); err != nil {
				t.Fatal(err)
			}
		}
		aside(map[string]bool{"e1": true})
		if err := l.Apply(t.Context(), []ledger.Change{{Deleted: "e1", Position: 120}}, 130); err != nil {
			t.Fatal(err)
		}
		aside(map[string]bool{})
	})
}
