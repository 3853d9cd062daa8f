package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// It is stored how far each part is: where a stream belongs never changes.
func TestAStreamBelongsToOnePartForEver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stream string
		of     int
		want   int
	}{
		{"order-0190a5b0-5e5c-7c7e-8f00-1b2c3d4e5f60", 1, 1},
		{"order-0190a5b0-5e5c-7c7e-8f00-1b2c3d4e5f60", 4, 4},
		{"order-0190a5b0-5e5c-7c7e-8f00-1b2c3d4e5f61", 4, 1},
		{"payment-p1", 3, 3},
		{"", 64, 38}, // of the offset basis, cbf29ce484222325
	} {
		if got := projections.Partition(c.stream, c.of); got != c.want {
			t.Errorf("%q of %d: part %d, want %d", c.stream, c.of, got, c.want)
		}
	}
	const streams, parts = 20_000, 7
	var sizes [parts + 1]int
	for n := range streams {
		sizes[projections.Partition(fmt.Sprintf("order-0190a5b0-5e5c-7c7e-8f00-%012x", n*n), parts)]++
	}
	for part, size := range sizes {
		if even := streams / parts; part > 0 && (size < even*9/10 || size > even*11/10) {
			t.Errorf("part %d has %d of %d streams", part, size, streams)
		}
	}
}

func perStream(t *testing.T) (all []projections.Projection) {
	t.Helper()
	for _, p := range everyProjection() {
		if _, ok := p.(projections.PerStream); ok {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		t.Fatal("no projection can be brought forward in parts")
	}
	return all
}

// divided is a read model in parts, all of which this test brings forward.
type divided struct {
	t     testing.TB
	h     *history
	whole *projections.Runner
	lanes []*projections.Runner
	at    []int // of the events of the history, how many each part has seen
	stop  func()
}

func divide(tb testing.TB, h *history, p projections.Projection, e databasetest.Engine) *divided {
	tb.Helper()
	whole, err := projections.Open(tb.Context(), p, projections.Config{
		Dir: e.Dir, Server: e.Server, Store: h, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "test", Lease: time.Minute,
	})
	if err != nil {
		tb.Fatal(err)
	}
	d := &divided{t: tb, h: h, whole: whole, at: []int{0}, stop: func() {}}
	tb.Cleanup(func() {
		d.stop()
		_ = whole.Close()
	})
	return d
}

// into changes the parts: each begins where the last one was.
func (d *divided) into(parts int) {
	d.t.Helper()
	d.stop()
	if err := d.whole.Divide(d.t.Context(), parts); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	var running sync.WaitGroup
	d.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	last := d.slowest()
	d.lanes, d.at = nil, make([]int, parts)
	for i := range parts {
		lane := d.whole
		if parts > 1 {
			var err error
			if lane, err = d.whole.Lane(d.t.Context(), i+1, parts); err != nil {
				d.t.Fatal(err)
			}
		}
		running.Go(func() { _ = lane.Run(ctx) })
		if at, err := lane.Checkpoint(d.t.Context()); err != nil || at != d.position(last) {
			d.t.Fatalf("part %d of %d begins at %d, %v; want %d", i+1, parts, at, err, d.position(last))
		}
		d.lanes, d.at[i] = append(d.lanes, lane), last
	}
}

func (d *divided) slowest() int {
	slowest := d.at[0]
	for _, at := range d.at {
		slowest = min(slowest, at)
	}
	return slowest
}

func (d *divided) position(events int) eventstore.Position {
	if events == 0 {
		return 0
	}
	return d.h.events[events-1].Position
}

// apply gives a part the next events, and some that it has.
func (d *divided) apply(p projections.Projection, lane, events, again int) {
	d.t.Helper()
	from := d.at[lane]
	to := min(from+events, len(d.h.events))
	if to == 0 || from == to {
		return
	}
	if err := d.lanes[lane].Apply(d.t.Context(), d.h.page(p, max(from-again, 0), to)); err != nil {
		d.t.Fatal(err)
	}
	d.at[lane] = to
	// All of it is as far as the last of the parts, for whoever reads, and for
	// this process.
	want := d.position(d.slowest())
	if at, err := projections.ReadPosition(d.t.Context(), d.whole.Read()); err != nil || at != want {
		d.t.Fatalf("the read model is at %d, %v; want %d", at, err, want)
	}
	if at := d.whole.Position(); at != want {
		d.t.Fatalf("this process says it is at %d, want %d", at, want)
	}
}

// In whatever parts a read model is brought forward, and whichever of them is
// ahead, also when their number changes in between: the rows are the same.
func TestTheRowsDoNotDependOnParts(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	for _, p := range perStream(t) {
		t.Run(p.Name(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				h := newHistory(t)
				h.trade(seed, 20)
				random := rand.New(rand.NewPCG(seed, 2))
				d := divide(t, h, p, e.Another(t))
				numbers := []int{4, 3, 1, 2, 4}
				d.into(numbers[0])
				for changes := 0; d.slowest() < len(h.events); {
					if changes+1 < len(numbers) && d.slowest() > (changes+1)*len(h.events)/len(numbers) {
						changes++
						d.into(numbers[changes])
					}
					d.apply(p, random.IntN(len(d.lanes)), 1+random.IntN(80), random.IntN(20))
				}
				want := withoutCheckpoint(h.replay(t, e, p, 512, 0))
				if diff := cmp.Diff(want, withoutCheckpoint(snapshot(t, d.whole.Read()))); diff != "" {
					t.Errorf("seed %d (-want +got):\n%s", seed, diff)
				}
			}
		})
	}
}

// Who had a part of a read model that is in others now writes nothing.
func TestAPartThatIsNoneAnyMoreWritesNothing(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	h.trade(1, 20)
	p := projections.Orders{}
	d := divide(t, h, p, e)
	d.into(4)
	old := d.lanes[0]
	d.into(3)
	whole := d.whole
	want := snapshot(t, whole.Read())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := old.Apply(ctx, h.page(p, 0, len(h.events))); err == nil {
		t.Error("a part that is none any more applied a page")
	}
	d.into(2)
	if err := whole.Apply(ctx, h.page(p, 0, len(h.events))); err == nil {
		t.Error("a read model in parts was brought forward as a whole")
	}
	if diff := cmp.Diff(want, snapshot(t, whole.Read())); diff != "" {
		t.Errorf("they wrote (-want +got):\n%s", diff)
	}
}

// The parts come to the position of the first of them, stand there, and go on.
func TestPartsAreBroughtToOnePosition(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	h := newHistory(t)
	h.trade(1, 20)
	p := projections.Orders{}
	d := divide(t, h, p, e)
	d.into(3)
	ahead := len(h.events) / 2
	d.apply(p, 1, ahead, 0)
	var applying sync.WaitGroup
	defer applying.Wait()
	stood := make(chan func())
	applying.Go(func() {
		thaw, err := d.whole.Standstill(t.Context())
		if err != nil {
			t.Error(err)
		}
		stood <- thaw
	})
	barrier := func() bool {
		at := query(t, d.whole.Read(), `SELECT position FROM barrier`)
		return at[0][0] == fmt.Sprint(d.position(ahead))
	}
	eventually(t, "there is a barrier", barrier)
	for i, lane := range d.lanes {
		applying.Go(func() {
			if err := lane.Apply(t.Context(), h.page(p, d.at[i], len(h.events))); err != nil {
				t.Error(err)
			}
		})
	}
	thaw := <-stood
	for range 20 { // they try again and again
		for _, row := range query(t, d.whole.Read(), `SELECT position FROM partitions`) {
			if row[0] != fmt.Sprint(d.position(ahead)) {
				t.Errorf("a part stands at %s, want %d", row[0], d.position(ahead))
			}
		}
	}
	half := &history{tb: t, codec: h.codec, events: h.events[:ahead]}
	if diff := cmp.Diff(withoutCheckpoint(half.replay(t, e, p, 512, 0)), withoutCheckpoint(snapshot(t, d.whole.Read()))); diff != "" {
		t.Errorf("while they stand (-want +got):\n%s", diff)
	}
	thaw()
	applying.Wait()
	if at := d.whole.Position(); at != d.position(len(h.events)) {
		t.Errorf("after that they went on to %d", at)
	}
}

// Workers come and go; soon all parts are at work, and evenly.
func TestPartsAreSharedEvenly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		owners := make([]string, 1+random.IntN(12))
		trying := map[string][]int{}
		var workers []string
		for range 1 + random.IntN(5) {
			workers = workers[:0]
			for n := range 1 + random.IntN(6) {
				if n == 0 || random.IntN(3) > 0 {
					workers = append(workers, fmt.Sprint("w", n))
				}
			}
			for i, owner := range owners { // leases of the dead run out
				if !strings.Contains(strings.Join(workers, " "), owner) {
					owners[i] = ""
				}
			}
			for round := range 3*len(workers) + 3 {
				for _, i := range random.Perm(len(workers)) {
					w := workers[i]
					wanted := projections.Choose(owners, workers, w, trying[w])
					for p, owner := range owners {
						has := false
						for _, n := range wanted {
							has = has || n == p+1
						}
						switch {
						case owner == w && !has:
							owners[p] = "" // given back
						case owner == "" && has && random.IntN(2+round) > 0:
							owners[p] = w // taken, or the next time
						}
					}
					trying[w] = wanted
				}
			}
			held := map[string]int{}
			for _, owner := range owners {
				held[owner]++
			}
			for _, w := range workers {
				if even := len(owners) / len(workers); held[w] < even || held[w] > even+1 || held[""] > 0 {
					t.Fatalf("seed %d: %d workers have %v", seed, len(workers), owners)
				}
			}
		}
	}
}
