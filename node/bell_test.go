package node

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestBell has the clock of a bubble: times are exact.
func TestBell(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		waiting int
		silence time.Duration // after the first ring
	}{
		"few are woken always":           {fewWaiting, 0},
		"many make it silent":            {60, 3 * time.Millisecond},
		"very many not longer than that": {1000, mostSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { ringTwice(t, tc.waiting, tc.silence) })
		})
	}
}

func ringTwice(t *testing.T, waiting int, silence time.Duration) {
	t.Helper()
	var b bell
	b.init()
	began, done := time.Now(), make(chan struct{})
	var woken [2]atomic.Int64
	for range waiting {
		part := b.seat()
		go func() {
			for round := range woken {
				b.wait(b.parts[part].changed(), done)
				woken[round].Add(1)
			}
		}()
	}
	synctest.Wait()
	b.ring()
	synctest.Wait()
	if got := woken[0].Load(); got != int64(waiting) || time.Since(began) != 0 {
		t.Errorf("the first ring woke %d of %d after %s", got, waiting, time.Since(began))
	}
	for range 3 { // one ring is enough for all of them
		b.ring()
	}
	synctest.Wait()
	if got := woken[1].Load(); (got == int64(waiting)) != (silence == 0) {
		t.Errorf("the second ring woke %d of %d at once", got, waiting)
	}
	if silence == 0 {
		return
	}
	for part := 1; part <= bellParts; part++ {
		time.Sleep(silence / bellParts)
		synctest.Wait()
		if got, want := woken[1].Load(), int64(waiting*part/bellParts); got != want {
			t.Errorf("after %s the second ring woke %d of %d, not %d", silence*time.Duration(part)/bellParts, got, waiting, want)
		}
	}
}

// TestBellForgetsNobody rings while others begin to wait.
func TestBellForgetsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rings, waiting = 1000, 50
		var (
			b    bell
			at   atomic.Int64
			done = make(chan struct{})
			seen [waiting]int64
		)
		b.init()
		for i := range waiting {
			part := b.seat()
			go func() {
				for seen[i] < rings {
					changed := b.parts[part].changed()
					if now := at.Load(); now > seen[i] {
						seen[i] = now
						continue
					}
					b.wait(changed, done)
				}
			}()
		}
		for range rings {
			at.Add(1)
			b.ring()
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(mostSilent)
		synctest.Wait()
		for i, last := range seen {
			if last != rings {
				t.Errorf("the %dth saw %d of %d", i, last, rings)
			}
		}
		close(done)
	})
}
