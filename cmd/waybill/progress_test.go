package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// TestProgressWithoutATerminal has the clock of a bubble: times are exact.
func TestProgressWithoutATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out, false)
		for _, done := range []int{0, 0, 10, 11, 40, 40} {
			p.advance("fill", done, 40)
			time.Sleep(3 * time.Second)
		}
		for _, done := range []int{20, 20, 26, 40} { // the same stage again, half of which was done before
			p.advance("fill", done, 40)
			time.Sleep(3 * time.Second)
		}
		p.finish()
		const want = "fill 0/40\nfill 10/40, 2/s, 18s left\nfill 11/40, 1/s, 24s left\nfill 40/40, 3/s, 0s left\n" +
			"fill 20/40\nfill 26/40, 1/s, 14s left\nfill 40/40, 2/s, 0s left\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

// A rebuild of several read models has one line for all of them: events of all
// that are expected, how many of them a second, and how long the rest takes. It
// is not through before they are compared.
func TestProgressOfRebuilds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newRebuildProgress(&out, false, 2)
		for _, step := range []struct {
			after time.Duration
			at    client.Rebuild
		}{
			{0, client.Rebuild{Projection: "orders", Events: 0}}, // nobody knows how many there are
			{0, client.Rebuild{Projection: "orders", Events: 100, Progress: 0.1}},
			{3 * time.Second, client.Rebuild{Projection: "stock", Events: 100, Progress: 0.5}},
			{3 * time.Second, client.Rebuild{Projection: "orders", Events: 1000, Progress: 1, Ended: true}},
			{3 * time.Second, client.Rebuild{Projection: "stock", Events: 200, Progress: 1}},
			{0, client.Rebuild{Projection: "stock", Events: 200, Progress: 1, Ended: true}},
		} {
			time.Sleep(step.after)
			p.advance(step.at)
		}
		p.finish()
		const want = "events 200/1200, 33/s, 30s left\nevents 1100/1200, 167/s, 1s left\nevents 1200/1201, 122/s, 0s left\nevents 1200/1200, 122/s, 0s left\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}
