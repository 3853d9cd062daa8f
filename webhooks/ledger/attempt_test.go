package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// keep saves attempts that differ from one in the time, the event and the number.
func keep(t *testing.T, l *ledger.Ledger, attempts ...ledger.Attempt) {
	t.Helper()
	lease, _ := acquire(t, l, "a", noon)
	s := ledger.Settlement{Lease: lease, Changes: delivery.Changes{Through: 140}, Attempts: attempts}
	if saved, err := l.Settle(t.Context(), []ledger.Settlement{s}); err != nil || !saved[0] {
		t.Fatalf("%v, %v", saved, err)
	}
}

func attempt(number int, at time.Time) ledger.Attempt {
	return ledger.Attempt{
		EndpointID: "e1", RunID: ledger.Live, Position: 120, EventID: "id-120", EventType: "order.placed", Attempt: number,
		At: at, Status: 500, Class: delivery.ClassServerError, Took: time.Millisecond, TraceID: "t",
		Response: ledger.Response{Head: "Content-Type: text/html", Body: "<b>no</b>"},
	}
}

func TestOldAttemptsAreForgottenByTheDay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		if err := l.PrepareAttempts(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		var all []ledger.Attempt
		for i := range 40 {
			all = append(all, attempt(i+1, noon.AddDate(0, 0, i)))
		}
		keep(t, l, all...)
		newest, midnight := noon.AddDate(0, 0, 39), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, row := range []struct {
			before time.Time
			left   int
		}{{midnight, 40}, {noon, 40}, {noon.AddDate(0, 0, 10), 30}, {newest, 1}, {newest, 1}, {newest.AddDate(0, 0, 1), 0}} {
			if err := l.ForgetAttempts(t.Context(), row.before); err != nil {
				t.Fatal(err)
			}
			if left, err := l.Attempts(t.Context(), "e1", 1000); err != nil || len(left) != row.left {
				t.Errorf("before %s: %d attempts are left, want %d, %v", row.before, len(left), row.left, err)
			}
		}
		keep(t, l, all[0]) // a day that was forgotten comes again
		if left, err := l.Attempts(t.Context(), "e1", 1000); err != nil || cmp.Diff(all[:1], left) != "" {
			t.Errorf("%v, %v", left, err)
		}
	})
}

func TestAttemptsAreFoundNewestFirstAndPageByPage(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		var want []ledger.Attempt // newest first
		for i := range 50 {
			a := attempt(i%3+1, noon.Add(time.Duration(i/3)*9*time.Hour)) // three at a time, over days
			if i%2 == 0 {
				a.Class, a.EventID, a.RunID, a.Lane = delivery.ClassOK, "id-2", "replay_1", "order-2"
			}
			want = append([]ledger.Attempt{a}, want...)
		}
		elsewhere := attempt(1, noon)
		elsewhere.EndpointID = "e2"
		keep(t, l, append(want, elsewhere)...)
		var got []ledger.Attempt
		f := ledger.AttemptFilter{EndpointID: "e1", Limit: 7}
		for {
			page, err := l.FindAttempts(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got, f.Before = append(got, page...), page[len(page)-1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		from, to := noon.Add(45*time.Hour), noon.Add(90*time.Hour)
		during, err := l.FindAttempts(t.Context(), ledger.AttemptFilter{EndpointID: "e1", From: from, To: to, Limit: 1000})
		if err != nil || len(during) != 15 || !during[0].At.Before(to) || during[14].At.Before(from) {
			t.Errorf("between two times: %d, %v", len(during), err)
		}
		for name, f := range map[string]ledger.AttemptFilter{
			"class": {Class: delivery.ClassOK}, "event": {EventID: "id-2"}, "lane": {Lane: "order-2"}, "run": {RunID: "replay_1"},
			"all of them": {Class: delivery.ClassOK, EventID: "id-2", RunID: "replay_1"},
		} {
			f.EndpointID, f.Limit = "e1", 1000
			if found, err := l.FindAttempts(t.Context(), f); err != nil || len(found) != 25 || found[0].RunID != "replay_1" {
				t.Errorf("%s: %d, %v", name, len(found), err)
			}
		}
	})
}
