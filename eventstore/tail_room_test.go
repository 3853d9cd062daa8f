package eventstore

import (
	"math/rand/v2"
	"testing"
)

// However many events come, in groups of whatever size, a tail holds the last
// ones in order, in one array of a bounded size that holds nothing else.
func TestATailUsesItsArrayAgain(t *testing.T) {
	t.Parallel()
	const mostAtOnce = 300
	held := &tail{}
	arrays := map[*Recorded]bool{}
	for last := Position(0); last < 6*maxTail; {
		group := make([]Recorded, 1+rand.IntN(mostAtOnce))
		for i := range group {
			last++
			group[i].Position = last
		}
		held.put(t.Context(), group...)
		if want := min(int(last), maxTail); len(held.events) != want { //nolint:gosec // small
			t.Fatalf("%d events are held after %d, want %d", len(held.events), last, want)
		}
		for i, e := range held.events {
			if want := last - Position(len(held.events)-1-i); e.Position != want { //nolint:gosec // small
				t.Fatalf("event %d after %d is that of %d, want %d", i, last, e.Position, want)
			}
		}
		kept := 0
		for i := range held.array {
			if held.array[i].Position != 0 {
				kept++
			}
		}
		if kept != len(held.events) {
			t.Fatalf("the array keeps %d events after %d, want %d", kept, last, len(held.events))
		}
		arrays[&held.array[0]] = true
	}
	if size := len(held.array); size > 2*(maxTail+mostAtOnce) || len(arrays) > 20 {
		t.Errorf("%d arrays, the last of %d events", len(arrays), size)
	}
}
