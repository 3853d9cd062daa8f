package effectstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/handlertest"
)

// Outside is one fresh world that a handler works in.
type Outside struct {
	Handle effects.Handler
	// Effect is everything the handler brought about, to be compared.
	Effect func() any
}

// OneEffect delivers the events as an event store may: each up to five times,
// in any order, several at once, and again after a failure. Whatever happens,
// the effect is that of each event once, in order.
func OneEffect(t *testing.T, events []eventstore.Recorded, fresh func(t *testing.T) Outside) {
	t.Helper()
	want := fresh(t)
	for _, e := range events {
		if err := deliver(t, want.Handle, e); err != nil {
			t.Fatalf("%s %d of %s: %v", e.Type, e.Revision, e.Stream, err)
		}
	}
	for seed := range handlertest.Seeds(t, 3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			got := fresh(t)
			interleave(t, got.Handle, Shuffled(events, seed))
			if diff := cmp.Diff(want.Effect(), got.Effect()); diff != "" {
				t.Errorf("the effect is another one (-once, in order +as delivered):\n%s", diff)
			}
		})
	}
}

// Shuffled lists each event one to five times, in any order.
func Shuffled(events []eventstore.Recorded, seed uint64) []eventstore.Recorded {
	const most = 5
	random := rand.New(rand.NewPCG(seed, most)) //nolint:gosec // to be repeated
	var all []eventstore.Recorded
	for _, e := range events {
		for range 1 + random.IntN(most) {
			all = append(all, e)
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// interleave lets several consumers share the work.
func interleave(t *testing.T, handle effects.Handler, deliveries []eventstore.Recorded) {
	t.Helper()
	const consumers = 4
	queue := make(chan eventstore.Recorded)
	var group sync.WaitGroup
	for range consumers {
		group.Go(func() {
			for e := range queue {
				if err := deliver(t, handle, e); err != nil {
					t.Errorf("%s %d of %s: %v", e.Type, e.Revision, e.Stream, err)
				}
			}
		})
	}
	for _, e := range deliveries {
		queue <- e
	}
	close(queue)
	group.Wait()
}

// deliver repeats what failed and may succeed, for as long as the slowest
// machine needs.
func deliver(t *testing.T, handle effects.Handler, e eventstore.Recorded) (err error) {
	t.Helper()
	const patience, pause = time.Minute, time.Millisecond
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for {
		if err = handle(t.Context(), e); err == nil || effects.IsPermanent(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// Of returns those events that have one of the names.
func Of(events []eventstore.Recorded, names ...string) []eventstore.Recorded {
	return slices.DeleteFunc(slices.Clone(events), func(e eventstore.Recorded) bool { return !slices.Contains(names, e.Type) })
}
