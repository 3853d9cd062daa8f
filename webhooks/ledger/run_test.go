package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

var replayKey = ledger.Key{EndpointID: "e1", RunID: "replay_1"}

func TestAReplayIsOneMoreCursor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		run := ledger.Run{Key: replayKey, From: 10, Until: 90, Spec: `{"rate":1}`, Through: 40, Delivered: 7}
		apply := func(change ledger.Change) {
			t.Helper()
			if err := l.Apply(t.Context(), []ledger.Change{change}, 120); err != nil {
				t.Fatal(err)
			}
		}
		runs := func(want ...ledger.Run) {
			t.Helper()
			want = append([]ledger.Run{{Key: key, From: 100, Through: 100}}, want...)
			got, err := l.Runs(t.Context())
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(ledger.Run{}, "Owner", "LeaseUntil", "Served")); diff != "" || err != nil {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
		}
		apply(ledger.Change{Started: &run})
		runs(run)
		lease, ok, err := l.Acquire(t.Context(), replayKey, ledger.Claim{Owner: "a", For: lease})
		if err != nil || !ok || lease.Through != 40 {
			t.Fatalf("%v, %t, %+v", err, ok, lease)
		}
		s := ledger.Settlement{
			Lease: lease, Changes: delivery.Changes{Through: 60, Parked: []delivery.Parked{{Position: 50, Lane: "order-1", ID: "i", Dead: true}}},
			Attempts: []ledger.Attempt{
				{EndpointID: "e1", RunID: "replay_1", Position: 50, At: noon, Class: delivery.ClassServerError},
				{EndpointID: "e1", RunID: "replay_1", Position: 60, At: noon, Class: delivery.ClassOK},
			},
		}
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{s}); err != nil || !saved[0] {
			t.Fatalf("%v, %v", saved, err)
		}
		again := run
		again.Through, again.Delivered = 10, 0
		apply(ledger.Change{Started: &again}) // as after a crash: it stays where it is
		run.Through, run.Delivered = 60, 8
		runs(run)
		status, _, err := l.Status(t.Context(), replayKey)
		if err != nil || status.Dead != 1 || status.Delivered != 8 || status.From != 10 || status.Until != 90 {
			t.Errorf("%v, %+v", err, status)
		}
		apply(ledger.Change{Ended: &replayKey})
		runs()
		if saved, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: lease, Changes: delivery.Changes{Through: 70}}}); err != nil || saved[0] {
			t.Errorf("a replay that has ended goes on: %v, %v", saved, err)
		}
	})
}

func TestWhatWasNotDelivered(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		live, _ := acquire(t, l, "a", noon)
		parked := []delivery.Parked{
			{Position: 110, Lane: "order-1", ID: "a", Attempts: 3, Dead: true, Class: delivery.ClassServerError},
			{Position: 111, Lane: "order-2", ID: "b", Attempts: 1, Due: noon, Class: delivery.ClassTimeout},
			{Position: 130, Lane: "order-2", ID: "c", Revision: 4},
		}
		if _, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: live, Changes: delivery.Changes{Through: 140, Parked: parked}}}); err != nil {
			t.Fatal(err)
		}
		undelivered := func(span ledger.Span, most int, want ...string) {
			t.Helper()
			rows, err := l.Undelivered(t.Context(), ledger.Key{EndpointID: "e1", RunID: ledger.Live}, span, most)
			var got []string
			for _, row := range rows {
				got = append(got, row.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%+v: %v, (-want +got):\n%s", span, err, diff)
			}
		}
		undelivered(ledger.Span{Until: 200}, 10, "a", "b", "c")
		undelivered(ledger.Span{Until: 200}, 2, "a", "b")
		undelivered(ledger.Span{From: 110, Until: 111}, 10, "b")

		run := ledger.Run{Key: replayKey, Until: 90}
		if err := l.Apply(t.Context(), []ledger.Change{{Started: &run}}, 120); err != nil {
			t.Fatal(err)
		}
		replay, _, err := l.Acquire(t.Context(), replayKey, ledger.Claim{Owner: "a", For: lease})
		if err != nil {
			t.Fatal(err)
		}
		ok := func(position eventstore.Position) ledger.Attempt {
			return ledger.Attempt{EndpointID: "e1", RunID: "replay_1", Position: position, At: noon, Class: delivery.ClassOK}
		}
		if _, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: replay, Attempts: []ledger.Attempt{ok(110), ok(111)}}}); err != nil {
			t.Fatal(err)
		}
		undelivered(ledger.Span{Until: 200}, 10, "b", "c") // what still waits is the live run's to take off
	})
}

func TestWhatAReplayGaveUpStaysOnRecord(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		live := ledger.Key{EndpointID: "e1", RunID: ledger.Live}
		undelivered := func(key ledger.Key, want ...string) {
			t.Helper()
			rows, err := l.Undelivered(t.Context(), key, ledger.Span{Until: 200}, 10)
			var got []string
			for _, row := range rows {
				got = append(got, row.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v: %v, (-want +got):\n%s", key, err, diff)
			}
		}
		other := ledger.Key{EndpointID: "e1", RunID: "replay_2"}
		for _, key := range []ledger.Key{live, replayKey, other} {
			if key != live {
				if err := l.Apply(t.Context(), []ledger.Change{{Started: &ledger.Run{Key: key, Until: 190}}}, 120); err != nil {
					t.Fatal(err)
				}
			}
			got, _, err := l.Acquire(t.Context(), key, ledger.Claim{Owner: "a", For: lease})
			if err != nil {
				t.Fatal(err)
			}
			parked := []delivery.Parked{
				{Position: 130, Lane: "order-1", ID: "given up", Dead: true, Class: delivery.ClassServerError},
				{Position: 140, Lane: "order-2", ID: "waits", Due: noon, Class: delivery.ClassTimeout},
			}
			if _, err := l.Settle(t.Context(), []ledger.Settlement{{Lease: got, Changes: delivery.Changes{Through: 190, Parked: parked}}}); err != nil {
				t.Fatal(err)
			}
			undelivered(key, "given up", "waits")
		}
		for range 2 { // the same end again changes nothing
			if err := l.Apply(t.Context(), []ledger.Change{{Ended: &replayKey, EndedAt: noon}, {Ended: &other}}, 200); err != nil {
				t.Fatal(err)
			}
		}
		undelivered(replayKey, "given up")
		undelivered(other)
		for _, step := range []struct {
			before time.Time
			want   []string
		}{{noon, []string{"given up"}}, {noon.Add(time.Second), nil}} {
			if err := l.ForgetAttempts(t.Context(), step.before); err != nil {
				t.Fatal(err)
			}
			undelivered(replayKey, step.want...)
		}
		undelivered(live, "given up", "waits")
	})
}

func TestAReplayClearsWhatWasPassedOver(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		run      ledger.Run
		seeks    int // to 190 while it runs
		repeated bool
		want     []ledger.Span
	}{
		"whole":          {ledger.Run{Until: 170}, 0, true, nil},
		"a part":         {ledger.Run{From: 110, Until: 120}, 0, true, []ledger.Span{{From: 100, Until: 110}, {From: 120, Until: 150}}},
		"the beginning":  {ledger.Run{Until: 120}, 0, true, []ledger.Span{{From: 120, Until: 150}}},
		"the end":        {ledger.Run{From: 120, Until: 200}, 0, true, []ledger.Span{{From: 100, Until: 120}}},
		"not everything": {ledger.Run{Until: 170}, 0, false, []ledger.Span{{From: 100, Until: 150}}},
		"another seek":   {ledger.Run{Until: 170}, 2, true, []ledger.Span{{From: 100, Until: 150}, {From: 150, Until: 190}}},
	} {
		databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
			t.Helper()
			l := withEndpoint(t, e)
			row.run.Key = replayKey
			changes := []ledger.Change{{Endpoint: described(), Seeks: 1, Seek: 150}, {Started: &row.run}}
			if row.seeks > 0 {
				changes = append(changes, ledger.Change{Endpoint: described(), Seeks: row.seeks, Seek: 190})
			}
			changes = append(changes, ledger.Change{Ended: &replayKey, Repeated: row.repeated})
			if err := l.Apply(t.Context(), changes, 200); err != nil {
				t.Fatal(err)
			}
			got, err := l.Skipped(t.Context(), "e1", ledger.Span{Until: 1000})
			if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v, (-want +got):\n%s", name, err, diff)
			}
		})
	}
}

func TestWhatASeekPassesOver(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		l := withEndpoint(t, e)
		for i, step := range []struct {
			seek eventstore.Position
			want []ledger.Span
		}{
			{150, []ledger.Span{{From: 100, Until: 150}}},
			{150, []ledger.Span{{From: 100, Until: 150}}},
			{190, []ledger.Span{{From: 100, Until: 150}, {From: 150, Until: 190}}},
			{120, []ledger.Span{{From: 100, Until: 120}}},
			{20, nil},
			{30, []ledger.Span{{From: 20, Until: 30}}},
		} {
			change := ledger.Change{Endpoint: described(), Seeks: i + 1, Seek: step.seek}
			for range 2 { // the same seek again changes nothing
				if err := l.Apply(t.Context(), []ledger.Change{change}, 200); err != nil {
					t.Fatal(err)
				}
			}
			got, err := l.Skipped(t.Context(), "e1", ledger.Span{Until: 1000})
			if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
				t.Errorf("seek %d to %d: %v, (-want +got):\n%s", i+1, step.seek, err, diff)
			}
		}
		got, err := l.Skipped(t.Context(), "e1", ledger.Span{From: 22, Until: 27})
		if diff := cmp.Diff([]ledger.Span{{From: 22, Until: 27}}, got); diff != "" || err != nil {
			t.Errorf("a part: %v, (-want +got):\n%s", err, diff)
		}
	})
}
