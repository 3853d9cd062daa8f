package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/handlers"
)

func TestRoundsGoOnAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var at []time.Duration
		begun := time.Now()
		err := handlers.Rounds(ctx, 0, slog.New(slog.DiscardHandler), "a round", func(context.Context) error {
			at = append(at, time.Since(begun))
			return errors.New("it failed")
		})
		if !errors.Is(err, context.DeadlineExceeded) || len(at) != 4 || at[0] != 0 || at[3] != 3*time.Second {
			t.Errorf("rounds at %v, %v", at, err)
		}
	})
}

func TestForEachTriesAllAndNotTooManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd := errors.New("odd")
		var under, most, done atomic.Int64
		err := handlers.ForEach([]int{1, 2, 3, 4, 5, 6, 7}, 3, func(n int) error {
			most.Store(max(most.Load(), under.Add(1)))
			time.Sleep(time.Second)
			under.Add(-1)
			done.Add(1)
			if n%2 == 1 {
				return odd
			}
			return nil
		})
		all, many := err.(interface{ Unwrap() []error })
		if !many || len(all.Unwrap()) != 4 || done.Load() != 7 || most.Load() != 3 {
			t.Errorf("%d done, %d at once, %v", done.Load(), most.Load(), err)
		}
	})
	if err := handlers.ForEach(nil, 1, func(int) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestBackOffGrowsToAnHour(t *testing.T) {
	t.Parallel()
	want := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, time.Hour}
	for i, w := range want {
		if got := handlers.BackOff(i+1, 0.5); got != w {
			t.Errorf("after %d failures %s, want %s", i+1, got, w)
		}
		if low, high := handlers.BackOff(i+1, 0), handlers.BackOff(i+1, 0.999); low != w-w/10 || high <= w || high >= w+w/10 {
			t.Errorf("after %d failures between %s and %s", i+1, low, high)
		}
	}
}
