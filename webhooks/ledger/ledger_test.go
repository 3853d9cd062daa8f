package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

var (
	noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	key  = ledger.Key{EndpointID: "e1", RunID: ledger.Live}
)

const lease = 15 * time.Second

func openLedger(t *testing.T, e databasetest.Engine) *ledger.Ledger {
	t.Helper()
	db := e.Open(t, "webhooks", ledger.Migrations())
	return &ledger.Ledger{Write: db.Write, Read: db.Read}
}

func described() *ledger.Endpoint {
	return &ledger.Endpoint{
		ID: "e1", TenantID: "t1", Channels: []string{"web"}, State: endpoint.StatusActive,
		Settings: endpoint.Settings{URL: "https://partner.example/", EventTypes: []string{"*"}, Description: "d", Waits: []int{1, 5}},
		Secrets:  []endpoint.Secret{{Version: 1, Sealed: []byte{1, 2}, NotAfter: noon}, {Version: 2, Sealed: []byte{3}}}, CreatedAt: noon,
	}
}

func withEndpoint(t *testing.T, e databasetest.Engine) *ledger.Ledger {
	t.Helper()
	l := openLedger(t, e)
	if err := l.Apply(t.Context(), []ledger.Change{{Endpoint: described(), Position: 100}}, 110); err != nil {
		t.Fatal(err)
	}
	return l
}

// at is what time it is for leases.
func at(l *ledger.Ledger, now time.Time) { l.Now = func() time.Time { return now } }

func acquire(t *testing.T, l *ledger.Ledger, owner string, now time.Time) (ledger.Lease, bool) {
	t.Helper()
	at(l, now)
	got, ok, err := l.Acquire(t.Context(), key, ledger.Claim{Owner: owner, For: lease})
	if err != nil {
		t.Fatal(err)
	}
	return got, ok
}

func TestEndpointsFollowTheLog(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		at, err := l.Checkpoint(t.Context())
		if err != nil || at != 110 {
			t.Fatalf("checkpoint %d, %v", at, err)
		}
		changed := described()
		changed.State, changed.DisabledReason, changed.Revision = endpoint.StatusDisabled, "gone", 3
		if err := l.Apply(t.Context(), []ledger.Change{{Endpoint: changed, Position: 150}}, 150); err != nil {
			t.Fatal(err)
		}
		got, ok, err := l.Endpoint(t.Context(), "e1")
		if diff := cmp.Diff(*changed, got); diff != "" || !ok || err != nil {
			t.Errorf("%t, %v, (-want +got):\n%s", ok, err, diff)
		}
		if lease, _ := acquire(t, l, "a", noon); lease.Through != 100 {
			t.Errorf("a later event moved the cursor to %d", lease.Through)
		}
		if at, err := l.Furthest(t.Context()); err != nil || at != 150 {
			t.Errorf("furthest %d, %v", at, err)
		}
		if err := l.Apply(t.Context(), []ledger.Change{{Deleted: "e1"}}, 160); err != nil {
			t.Fatal(err)
		}
		if list, err := l.Endpoints(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("%v, %v", list, err)
		}
		if _, ok := acquire(t, l, "a", noon); ok {
			t.Error("the cursor of a deleted endpoint can be had")
		}
	})
}

func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		first, ok := acquire(t, l, "a", noon)
		if !ok || first.Epoch != 1 {
			t.Fatalf("first: %+v", first)
		}
		served := func(now time.Time, want bool) {
			t.Helper()
			at(l, now)
			if runs, err := l.Runs(t.Context()); err != nil || len(runs) != 1 || runs[0].Served != want {
				t.Errorf("%+v, %v: want that it is served: %t", runs, err, want)
			}
		}
		served(noon.Add(lease-time.Millisecond), true)
		served(noon.Add(lease), false)
		if _, ok := acquire(t, l, "b", noon.Add(lease)); ok {
			t.Fatal("a second owner got in while the lease lasts")
		}
		renew := func(owner string, now time.Time) map[ledger.Key]int64 {
			t.Helper()
			at(l, now)
			renewal, err := l.Renew(t.Context(), owner, lease)
			if err != nil || (len(renewal.Epochs) > 0 && !renewal.At.Equal(now)) {
				t.Errorf("renewed at %v: %v", renewal.At, err)
			}
			return renewal.Epochs
		}
		if epochs := renew("a", noon.Add(10*time.Second)); epochs[key] != 1 {
			t.Fatalf("renewed %v", epochs)
		}
		second, ok := acquire(t, l, "b", noon.Add(26*time.Second))
		if !ok || second.Epoch != 2 {
			t.Fatalf("second: %+v", second)
		}
		if epochs := renew("a", noon.Add(26*time.Second)); len(epochs) > 0 {
			t.Errorf("the first owner renewed %v", epochs)
		}
		if err := l.Release(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if status, _, err := l.Status(t.Context(), key); err != nil || status.Owner != "b" {
			t.Errorf("a release by the first owner: %+v, %v", status, err)
		}
		if err := l.Release(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		served(noon.Add(26*time.Second), false)
		if third, ok := acquire(t, l, "a", noon.Add(27*time.Second)); !ok || third.Epoch != 3 {
			t.Errorf("after a release: %+v", third)
		}
		if epochs := renew("a", noon.Add(time.Minute)); len(epochs) > 0 {
			t.Errorf("a lease that had run out was renewed: %v", epochs)
		}
	})
}

// Without a time that is passed in, leases go by the clock of the database.
func TestLeasesGoByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		take := func(owner string, length time.Duration, want bool) {
			t.Helper()
			if _, ok, err := l.Acquire(t.Context(), key, ledger.Claim{Owner: owner, For: length}); ok != want || err != nil {
				t.Fatalf("%s got the cursor: %t, %v", owner, ok, err)
			}
		}
		lasts := func(length time.Duration) {
			t.Helper()
			runs, err := l.Runs(t.Context())
			if err != nil || len(runs) != 1 || runs[0].Served != (length > 0) || time.Until(runs[0].LeaseUntil.Add(-length)).Abs() > time.Minute {
				t.Errorf("%+v, %v: want a lease of %v", runs, err, length)
			}
		}
		take("a", time.Hour, true)
		lasts(time.Hour)
		take("b", time.Hour, false)
		renewal, err := l.Renew(t.Context(), "a", 2*time.Hour)
		if err != nil || renewal.Epochs[key] != 1 || time.Until(renewal.At).Abs() > time.Minute {
			t.Errorf("renewed %+v, %v", renewal, err)
		}
		lasts(2 * time.Hour)
		take("a", -time.Second, true)
		lasts(-time.Second)
		take("b", time.Hour, true)
	})
}

// TestAnAbandonedLeaseIsTaken, but not one that was renewed since it was seen.
func TestAnAbandonedLeaseIsTaken(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		acquire(t, l, "a", noon)
		claim := ledger.Claim{Owner: "b", For: lease, Abandoned: noon.Add(lease)}
		at(l, noon.Add(time.Second))
		if renewal, err := l.Renew(t.Context(), "a", lease); err != nil || len(renewal.Epochs) != 1 {
			t.Fatal(renewal, err)
		}
		if _, ok, err := l.Acquire(t.Context(), key, claim); ok || err != nil {
			t.Errorf("a lease that was renewed was taken: %t, %v", ok, err)
		}
		claim.Abandoned = claim.Abandoned.Add(time.Second)
		if got, ok, err := l.Acquire(t.Context(), key, claim); !ok || got.Epoch != 2 || err != nil {
			t.Errorf("an abandoned lease was not taken: %t, %v", ok, err)
		}
	})
}

// TestACursorMovesForwardOnly, whatever its owner asks for: else what was
// delivered would be sent again by whoever has it next.
func TestACursorMovesForwardOnly(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		held, _ := acquire(t, l, "a", noon)
		for _, step := range []struct {
			through eventstore.Position
			saved   bool
			is      eventstore.Position
		}{{200, true, 200}, {150, false, 200}, {200, true, 200}, {201, true, 201}} {
			saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: held, Changes: delivery.Changes{Through: step.through}}})
			if err != nil || saved[0] != step.saved {
				t.Errorf("to %d: %v, %v", step.through, saved, err)
			}
			if status, _, err := l.Status(t.Context(), key); err != nil || status.Through != step.is {
				t.Errorf("after %d it is at %d, %v", step.through, status.Through, err)
			}
		}
	})
}

func settlement(lease ledger.Lease, through eventstore.Position) ledger.Settlement {
	return ledger.Settlement{
		Lease: lease,
		Changes: delivery.Changes{
			Through: through, Gate: noon.Add(time.Minute), Breaker: delivery.Open,
			Parked: []delivery.Parked{
				{Position: 120, Revision: 1, Lane: "order-1", ID: "id-120", Attempts: 1, Due: noon, Class: delivery.ClassTimeout},
				{Position: 130, Revision: 2, Lane: "order-1", ID: "id-130"},
				{Position: 125, Revision: 4, Lane: "order-2", ID: "id-125", Attempts: 12, Dead: true, Class: delivery.ClassServerError},
			},
		},
		Attempts: []ledger.Attempt{{
			EndpointID: "e1", RunID: ledger.Live, Position: 120, EventID: "id-120", EventType: "order.placed", Attempt: 1,
			At: noon, Class: delivery.ClassTimeout, Took: 1500 * time.Microsecond, TraceID: "t",
		}},
	}
}

func TestSettlingSavesEverythingAtOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		lease, _ := acquire(t, l, "a", noon)
		s := settlement(lease, 140)
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{s}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		lease.Through = 122
		rows, err := l.Parked(t.Context(), lease)
		want := []delivery.Parked{s.Changes.Parked[0], s.Changes.Parked[2], s.Changes.Parked[1]}
		if diff := cmp.Diff(want, rows); diff != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		if attempts, err := l.Attempts(t.Context(), "e1", 10); err != nil || cmp.Diff(s.Attempts, attempts) != "" {
			t.Errorf("%v, (-want +got):\n%s", err, cmp.Diff(s.Attempts, attempts))
		}
		status, ok, err := l.Status(t.Context(), key)
		wantStatus := ledger.Status{
			Through: 140, Owner: "a", Epoch: 1, LeaseUntil: noon.Add(15 * time.Second), GateUntil: noon.Add(time.Minute),
			Breaker: delivery.Open, Parked: 2, Dead: 1, NextDue: noon, From: 100,
		}
		if diff := cmp.Diff(wantStatus, status); diff != "" || !ok || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		again := ledger.Settlement{Lease: lease, Changes: delivery.Changes{Through: 150, Unparked: []eventstore.Position{120, 999}}}
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{again}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		if rows, err := l.Parked(t.Context(), lease); err != nil || len(rows) != 2 {
			t.Errorf("after unparking: %v, %v", rows, err)
		}
	})
}

func TestAZombieSavesNothingAndDisturbsNobody(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		other := described()
		other.ID = "e2"
		if err := l.Apply(t.Context(), []ledger.Change{{Endpoint: other, Position: 100}}, 111); err != nil {
			t.Fatal(err)
		}
		zombie, _ := acquire(t, l, "a", noon)
		acquire(t, l, "b", noon.Add(time.Minute))
		healthy, _, err := l.Acquire(t.Context(), ledger.Key{EndpointID: "e2", RunID: ledger.Live}, ledger.Claim{Owner: "a", For: lease})
		if err != nil {
			t.Fatal(err)
		}
		saved, err := l.Settle(t.Context(), []ledger.Settlement{settlement(zombie, 140), {Lease: healthy, Changes: delivery.Changes{Through: 140}}})
		if err != nil || saved[0] || !saved[1] {
			t.Fatalf("%v, %v", saved, err)
		}
		rows, err := l.Parked(t.Context(), zombie)
		attempts, attemptsErr := l.Attempts(t.Context(), "e1", 10)
		status, _, statusErr := l.Status(t.Context(), key)
		if err != nil || attemptsErr != nil || statusErr != nil || len(rows)+len(attempts) > 0 || status.Through != 100 {
			t.Errorf("a zombie wrote %v, %v, %+v", rows, attempts, status)
		}
	})
}

func TestManyAttemptsNeedFewStatements(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		lease, _ := acquire(t, l, "a", noon)
		s := settlement(lease, 140)
		s.Changes.Parked = nil
		for len(s.Attempts) < 64 {
			s.Attempts = append(s.Attempts, s.Attempts[0])
		}
		if _, err := l.Settle(t.Context(), []ledger.Settlement{s}); err != nil { // the first of a day makes its table
			t.Fatal(err)
		}
		before := l.Statements()
		if _, err := l.Settle(t.Context(), []ledger.Settlement{s}); err != nil {
			t.Fatal(err)
		}
		if n := l.Statements() - before; n != 4 {
			t.Errorf("%d statements for 64 deliveries", n)
		}
		if attempts, err := l.Attempts(t.Context(), "e1", 1000); err != nil || len(attempts) != 128 {
			t.Errorf("%d attempts, %v", len(attempts), err)
		}
	})
}

func TestASeekIsMadeOnceAndGivesUpWhatWaited(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		before, _ := acquire(t, l, "a", noon)
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{settlement(before, 140)}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		seek := []ledger.Change{{Endpoint: described(), Position: 150, Seeks: 1, Seek: 127}}
		if err := l.Apply(t.Context(), seek, 150); err != nil {
			t.Fatal(err)
		}
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: before, Changes: delivery.Changes{Through: 160}}}); err != nil || saved[0] {
			t.Errorf("who had the cursor moved it on: %v, %v", saved, err)
		}
		after, ok := acquire(t, l, "b", noon)
		if !ok || after.Through != 127 || !after.Gate.IsZero() {
			t.Fatalf("after the seek: %t, %+v", ok, after)
		}
		status, _, err := l.Status(t.Context(), key)
		if err != nil || status.Parked != 0 || status.Dead != 2 || status.Breaker != delivery.Closed {
			t.Errorf("%v, %+v", err, status)
		}
		// Who went on elsewhere knows what waited; only of others it is to be told.
		if rows, err := l.Untold(t.Context(), key); err != nil || len(rows) != 1 || rows[0].Attempts != 12 {
			t.Errorf("to be told: %+v, %v", rows, err)
		}
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: after, Changes: delivery.Changes{Through: 170}}}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		if err := l.Apply(t.Context(), seek, 150); err != nil { // as another process does
			t.Fatal(err)
		}
		if status, _, err = l.Status(t.Context(), key); err != nil || status.Through != 170 || status.Owner != "b" {
			t.Errorf("the same seek again: %v, %+v", err, status)
		}
	})
}
