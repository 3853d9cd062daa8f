package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/cursor"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

func (p *platform) cursors() *cursor.Codec {
	p.tb.Helper()
	cursors, err := cursor.New(p.config.CursorKey)
	if err != nil {
		p.tb.Fatal(err)
	}
	return cursors
}

func (p *platform) replays(books *ledger.Ledger) *webhooks.Replays {
	return &webhooks.Replays{Endpoints: p.endpoints(books), Ledger: books, Cursors: p.cursors(), End: p.end, Now: time.Now}
}

// replay asks a process for a replay.
func (p *platform) replay(d *process, endpointID string, n webhooks.NewReplay) webhooks.Replay {
	p.tb.Helper()
	if n.ID == "" {
		n.ID = webhooks.ReplayID(uuid.NewString())
	}
	replay, err := p.replays(d.Ledger).Request(p.tb.Context(), endpointID, n, meta())
	if err != nil {
		p.tb.Fatal(err)
	}
	return replay
}

func (p *platform) stateOf(d *process, replay webhooks.Replay) webhooks.Replay {
	p.tb.Helper()
	got, err := p.replays(d.Ledger).Get(p.tb.Context(), replay.EndpointID, replay.ReplayID)
	if err != nil {
		p.tb.Fatal(err)
	}
	return got
}

func (p *platform) completes(d *process, replay webhooks.Replay) webhooks.Replay {
	p.tb.Helper()
	eventually(p.tb, "the replay to complete", func() bool { return p.stateOf(d, replay).State == webhooks.ReplayCompleted })
	return p.stateOf(d, replay)
}

// history writes orders of several events each and returns the ids by order.
func (p *platform) history(name string, orders int) map[string][]string {
	want := map[string][]string{}
	for i := range orders {
		order := fmt.Sprint(name, i)
		ids := p.append(order, eventstore.NoStream, placed{}, hidden{}, noted{1}, noted{2})
		want[order] = []string{ids[0], ids[2], ids[3]}
	}
	return want
}

func of(run string, requests []received) []received {
	var list []received
	for _, m := range requests {
		if m.Header.Get("Webhook-Run") == run {
			list = append(list, m)
		}
	}
	return list
}

func TestAReplaySendsHistoryBesideLiveDeliveries(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	known, fresh := newReceiver(t, nil), newReceiver(t, nil)
	p.endpoint(known.URL, "*")
	want := p.history("old", 20)
	created := p.endpoint(fresh.URL, "*")
	fresh.verifyWith(created.Secret.Text())
	d := p.start()
	eventually(t, "what was live once", func() bool { return known.count() == 60 })
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning})
	maps.Copy(want, p.history("new", 20))
	done := p.completes(d, replay)
	eventually(t, "everything", func() bool { return fresh.count() == 120 && known.count() == 120 })
	if diff := cmp.Diff(want, fresh.accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if done.Delivered != 60 || done.GivenUp != 0 || done.Progress != 1 || done.EndedAt.IsZero() {
		t.Errorf("replay %+v", done)
	}
	bodies := map[string]string{}
	for _, m := range known.all() {
		bodies[m.ID] = string(m.Body)
	}
	for _, m := range of(replay.ReplayID, fresh.all()) {
		if !strings.HasPrefix(m.Aggregate.ID, "old") || bodies[m.ID] != string(m.Body) {
			t.Errorf("replayed %s\nlive     %s", m.Body, bodies[m.ID])
		}
	}
	if n := len(of(replay.ReplayID, fresh.all())) + len(of("live", fresh.all())); n != 120 {
		t.Errorf("%d requests", n)
	}
	list, err := p.replays(d.Ledger).List(t.Context(), created.ID, 10)
	if err != nil || len(list) != 1 || list[0].State != webhooks.ReplayCompleted {
		t.Errorf("list %+v: %v", list, err)
	}
	eventually(t, "its cursor to be gone", func() bool {
		runs, err := d.Ledger.RunsOf(t.Context(), created.ID)
		return err == nil && len(runs) == 1
	})
}

func TestAReplayIsOfWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.history("a", 3)
	eventually(t, "the first", func() bool { return r.count() == 9 })
	time.Sleep(2 * time.Millisecond) // the log's clock counts microseconds, times are told in milliseconds
	middle := time.Now()
	time.Sleep(2 * time.Millisecond)
	p.history("b", 3)
	eventually(t, "the others", func() bool { return r.count() == 18 })
	cursorOf := func(aggregate string, sequence int) string {
		for _, m := range r.all() {
			if m.Aggregate.ID == aggregate && m.Sequence == sequence {
				return m.Cursor
			}
		}
		t.Fatalf("no %s %d", aggregate, sequence)
		return ""
	}
	for name, c := range map[string]struct {
		replay webhooks.NewReplay
		want   []string
	}{
		"one order":     {webhooks.NewReplay{From: "beginning", Aggregate: "a1"}, []string{"a1 1", "a1 2", "a1 3"}},
		"one type":      {webhooks.NewReplay{From: "beginning", Types: []string{"order.placed"}}, []string{"a0 1", "a1 1", "a2 1", "b0 1", "b1 1", "b2 1"}},
		"after a place": {webhooks.NewReplay{From: cursorOf("b1", 3)}, []string{"b2 1", "b2 2", "b2 3"}},
		"between two": {
			webhooks.NewReplay{From: cursorOf("a1", 2), To: cursorOf("b0", 2), Types: []string{"order.noted"}},
			[]string{"a1 3", "a2 2", "a2 3", "b0 2"},
		},
		"since a time":  {webhooks.NewReplay{From: middle.Format(time.RFC3339Nano), Types: []string{"order.placed"}}, []string{"b0 1", "b1 1", "b2 1"}},
		"until a time":  {webhooks.NewReplay{From: "beginning", To: middle.Format(time.RFC3339Nano), Types: []string{"order.placed"}}, []string{"a0 1", "a1 1", "a2 1"}},
		"of no order":   {webhooks.NewReplay{From: "beginning", Aggregate: "a"}, nil},
		"at a low rate": {webhooks.NewReplay{From: "beginning", Aggregate: "b2", Rate: 1000}, []string{"b2 1", "b2 2", "b2 3"}},
	} {
		replay := p.replay(d, created.ID, c.replay)
		p.completes(d, replay)
		requests := of(replay.ReplayID, r.all())
		byOrder := map[string][]string{}
		for _, m := range requests {
			byOrder[m.Aggregate.ID] = append(byOrder[m.Aggregate.ID], fmt.Sprint(m.Aggregate.ID, " ", m.Sequence))
		}
		var got []string
		for _, order := range []string{"a0", "a1", "a2", "b0", "b1", "b2"} {
			got = append(got, byOrder[order]...)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, m := range requests {
			if m.Sequence == 3 && (m.Previous == nil || *m.Previous != 2) {
				t.Errorf("%s: message %s", name, m.Body)
			}
		}
	}
}

func TestAReplayMayNameItsMessagesAnew(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	r := newReceiver(t, nil)
	created := p.endpoint(r.URL, "*")
	r.verifyWith(created.Secret.Text())
	d := p.start()
	ids := p.append("o1", eventstore.NoStream, placed{}, noted{1})
	eventually(t, "the live messages", func() bool { return r.count() == 2 })
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning, Dedupe: endpoint.DedupeNew})
	p.completes(d, replay)
	suffix := ".r" + strings.TrimPrefix(replay.ReplayID, "replay_")
	if diff := cmp.Diff([]string{ids[0], ids[1], ids[0] + suffix, ids[1] + suffix}, r.accepted()["o1"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAReplayOfWhatWasNotDelivered(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var broken atomic.Bool
	broken.Store(true)
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if broken.Load() && m.Sequence == 2 && (m.Aggregate.ID == "a1" || m.Aggregate.ID == "a3") {
			return 400
		}
		return 200
	})
	created := p.endpoint(r.URL, "*")
	d := p.start()
	p.history("a", 5)
	givenUp := func(n, delivered int) func() bool {
		return func() bool {
			s, err := d.Status(t.Context(), created.ID)
			return err == nil && s.Dead == n && s.Parked == 0 && r.count() == delivered
		}
	}
	eventually(t, "two to be given up", givenUp(2, 13))
	broken.Store(false)
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning, Only: endpoint.OnlyUndelivered})
	if done := p.completes(d, replay); done.Delivered != 2 {
		t.Errorf("replay %+v", done)
	}
	if n := len(of(replay.ReplayID, r.all())); n != 2 {
		t.Errorf("%d requests of the replay", n)
	}
	eventually(t, "nothing to be missing", givenUp(0, 15))
}

func TestAReplayThatEndsEarly(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(ctx context.Context, p *platform, d *process, replay webhooks.Replay) error{
		"cancelled": func(ctx context.Context, p *platform, d *process, replay webhooks.Replay) error {
			return p.replays(d.Ledger).Cancel(ctx, replay.EndpointID, replay.ReplayID, meta())
		},
		"with its endpoint": func(ctx context.Context, _ *platform, d *process, replay webhooks.Replay) error {
			return d.Endpoints.Delete(ctx, replay.EndpointID, meta())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			release := make(chan struct{})
			r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request, m received) int {
				if m.Header.Get("Webhook-Run") != "live" && m.Aggregate.ID != "a0" {
					select {
					case <-release:
					case <-req.Context().Done():
					}
				}
				return 200
			})
			p.history("a", 30)
			created := p.endpoint(r.URL, "*")
			d := p.start()
			replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning})
			eventually(t, "a part of it", func() bool { return r.count() >= 1 })
			if err := end(t.Context(), p, d, replay); err != nil {
				t.Fatal(err)
			}
			close(release)
			eventually(t, "its cursor to be gone", func() bool {
				runs, err := d.Ledger.RunsOf(t.Context(), created.ID)
				return err == nil && (len(runs) == 0 || len(runs) == 1 && runs[0].RunID == ledger.Live)
			})
			if n := r.count(); n == 90 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestADisabledEndpointsReplayWaits(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	var open atomic.Bool
	r := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, m received) int {
		if !open.Load() && m.Sequence > 1 {
			return 503
		}
		return 200
	})
	p.config.Waits = slices.Repeat([]time.Duration{20 * time.Millisecond}, 1000)
	want := p.history("a", 10)
	created := p.endpoint(r.URL, "*")
	d := p.start()
	replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning})
	eventually(t, "a part of it", func() bool { return r.count() >= 1 })
	if err := d.Endpoints.Disable(t.Context(), created.ID, endpoint.ReasonRequested, meta()); err != nil {
		t.Fatal(err)
	}
	if state := p.stateOf(d, replay).State; state != webhooks.ReplayPaused {
		t.Errorf("it is %s", state)
	}
	open.Store(true)
	if err := d.Endpoints.Enable(t.Context(), created.ID, meta()); err != nil {
		t.Fatal(err)
	}
	p.completes(d, replay)
	if diff := cmp.Diff(want, r.accepted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAReplayIsRefusedForItsMistakes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	created := p.endpoint("http://127.0.0.1:1/", "order.placed")
	d := p.start()
	for name, c := range map[string]struct {
		replay webhooks.NewReplay
		want   []string
	}{
		"nothing":             {webhooks.NewReplay{}, []string{"/from place-invalid"}},
		"no place":            {webhooks.NewReplay{From: "yesterday", To: "c1.x"}, []string{"/from place-invalid", "/to place-invalid"}},
		"to the beginning":    {webhooks.NewReplay{From: "beginning", To: "beginning"}, []string{"/to place-invalid"}},
		"of no type":          {webhooks.NewReplay{From: "beginning", Types: []string{"order.eaten"}}, []string{"/types/0 event-type-unknown"}},
		"of a type unwanted":  {webhooks.NewReplay{From: "beginning", Types: []string{"order.noted"}}, []string{"/types/0 event-type-not-wanted"}},
		"backwards":           {webhooks.NewReplay{From: "2026-08-02T00:00:00Z", To: "2026-08-01T00:00:00+01:00"}, []string{"/to span-empty"}},
		"beyond the end":      {webhooks.NewReplay{From: p.cursors().Encode(webhooks.CursorScope, 1<<40)}, []string{"/from place-beyond-the-log"}},
		"to beyond the end":   {webhooks.NewReplay{From: "beginning", To: p.cursors().Encode(webhooks.CursorScope, 1<<40)}, []string{"/to place-beyond-the-log"}},
		"backwards by cursor": {webhooks.NewReplay{From: p.cursors().Encode(webhooks.CursorScope, 1), To: p.cursors().Encode(webhooks.CursorScope, 1)}, []string{"/to span-empty"}},
	} {
		c.replay.ID = webhooks.ReplayID(name)
		_, err := p.replays(d.Ledger).Request(t.Context(), created.ID, c.replay, meta())
		var got []string
		for _, m := range mistakesOf(err) {
			got = append(got, m.Pointer+" "+m.Code)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAReplaySurvivesCrashes(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(t *testing.T, p *platform){
		"of the process": func(*testing.T, *platform) {},
		"that lose the database": func(t *testing.T, p *platform) {
			t.Helper()
			if rand.IntN(3) > 0 { //nolint:gosec // chance, no secret
				return
			}
			files, err := filepath.Glob(filepath.Join(p.dir, "webhooks.db*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const orders, crashes = 60, 10
			r := newReceiver(t, func(http.ResponseWriter, *http.Request, received) int {
				time.Sleep(time.Millisecond)
				if rand.IntN(20) == 0 { //nolint:gosec // chance, no secret
					return 503
				}
				return 200
			})
			p := newPlatform(t)
			p.config.Owner, p.config.Drain = "the-only-one", time.Millisecond
			p.config.Waits = append(p.config.Waits, p.config.Waits...)
			want := p.history("old", orders)
			created := p.endpoint(r.URL, "*")
			r.verifyWith(created.Secret.Text())
			d := p.start()
			replay := p.replay(d, created.ID, webhooks.NewReplay{From: webhooks.Beginning})
			for crash := range crashes {
				maps.Copy(want, p.history(fmt.Sprint("new", crash, "-"), 2))
				time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) //nolint:gosec // chance, no secret
				d.crash()
				between(t, p)
				d = p.start()
			}
			done := p.completes(d, replay)
			eventually(t, "everything", func() bool { return r.count() >= 3*(orders+2*crashes) })
			if diff := cmp.Diff(want, r.accepted()); diff != "" {
				t.Errorf("first deliveries (-want +got):\n%s", diff)
			}
			if done.Delivered < 3*orders {
				t.Errorf("replay %+v", done)
			}
			inOrder(t, of(replay.ReplayID, r.all()))
			completed := 0
			for e, err := range p.log.ReadStream(t.Context(), endpoint.Decider.Stream(created.ID), 0) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Type == (endpoint.ReplayCompleted{}).EventName() {
					completed++
				}
			}
			if completed != 1 {
				t.Errorf("it completed %d times", completed)
			}
			t.Logf("%d requests of the replay for %d messages", len(of(replay.ReplayID, r.all())), 3*orders)
		})
	}
}

// inOrder checks that nothing came to an aggregate before what is before it
// was accepted.
func inOrder(tb testing.TB, requests []received) {
	tb.Helper()
	last := map[string]int{}
	for _, m := range requests {
		if m.Status == http.StatusOK && m.Sequence > last[m.Aggregate.ID]+1 {
			tb.Errorf("%s %d came after %d", m.Aggregate.ID, m.Sequence, last[m.Aggregate.ID])
		}
		if m.Status == http.StatusOK {
			last[m.Aggregate.ID] = max(last[m.Aggregate.ID], m.Sequence)
		}
	}
}

func mistakesOf(err error) []domain.Mistake {
	rule, ok := err.(*domain.RuleError) //nolint:errorlint // of the domain, as it is
	if !ok {
		return nil
	}
	return rule.Mistakes
}

// TestAReplayOfLongAgoIsStillKnown, when so many came after it that the
// endpoint's state has it no more.
func TestAReplayOfLongAgoIsStillKnown(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	id := p.endpoint("http://127.0.0.1:1", "*").ID
	db := p.database()
	t.Cleanup(func() { _ = db.Close() })
	replays := p.replays(&ledger.Ledger{Write: db.Write, Read: db.Read})
	var events []eventstore.NewEvent
	for n := range 2*endpoint.KnownReplays + 1 {
		run := webhooks.ReplayID(fmt.Sprint(n))
		for i, e := range []domain.Event{
			endpoint.ReplayRequested{EndpointID: id, ReplayID: run, RequestedAt: time.Now()},
			endpoint.ReplayCompleted{EndpointID: id, ReplayID: run, Delivered: n, CompletedAt: time.Now()},
		} {
			events = append(events, eventstore.NewEvent{ID: eventstore.EventID(id, run, i), Event: e, Metadata: meta()})
		}
	}
	stream := endpoint.Decider.Stream(id)
	appended, err := p.log.Append(t.Context(), stream, 0, events...)
	if err != nil {
		t.Fatal(err)
	}
	old := webhooks.ReplayID("3")
	if got, err := replays.Get(t.Context(), id, old); err != nil || got.State != webhooks.ReplayCompleted || got.Delivered != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := replays.Get(t.Context(), id, webhooks.ReplayID("none")); !errors.Is(err, endpoint.ErrReplayNotFound) {
		t.Errorf("one that there never was: %v", err)
	}
	if err := replays.Cancel(t.Context(), id, old, meta()); err != nil {
		t.Errorf("cancelled: %v", err)
	}
	if err := replays.Cancel(t.Context(), id, webhooks.ReplayID("none"), meta()); !errors.Is(err, endpoint.ErrReplayNotFound) {
		t.Errorf("one that there never was, cancelled: %v", err)
	}
	if _, err := replays.Request(t.Context(), id, webhooks.NewReplay{ID: old, From: webhooks.Beginning, Dedupe: endpoint.DedupeNew}, meta()); !errors.Is(err, domain.ErrKeyReused) {
		t.Errorf("another one of its id: %v", err)
	}
	if again, err := replays.Request(t.Context(), id, webhooks.NewReplay{ID: old, From: webhooks.Beginning}, meta()); err != nil || again.Delivered != 3 {
		t.Errorf("asked for again: %+v, %v", again, err)
	}
	for r, err := range p.log.ReadStream(t.Context(), stream, appended.Revision+1) {
		t.Errorf("recorded besides: %s, %v", r.Type, err)
	}
}
