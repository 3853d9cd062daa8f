package eventstore

import (
	"context"
	"testing"
	"time"
)

func TestBackoffDoublesUpToTheLast(t *testing.T) {
	t.Parallel()
	b := backoff{first: 20 * time.Millisecond, last: time.Second}
	for attempt, most := range []time.Duration{20, 40, 80, 160, 320, 640, 1000, 1000, 1000} {
		most *= time.Millisecond
		if wait := b.next(); wait > most || wait < most/2 {
			t.Errorf("wait %d is %v, want %v to %v", attempt, wait, most/2, most)
		}
	}
	for range 100 {
		b.next()
	}
	if wait := b.next(); wait > time.Second {
		t.Errorf("after long it is %v", wait)
	}
	b.reset()
	if wait := b.next(); wait > 20*time.Millisecond {
		t.Errorf("after a reset it is %v", wait)
	}
}

// within is a context that ends soon.
func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Millisecond)
	tb.Cleanup(cancel)
	return ctx
}
