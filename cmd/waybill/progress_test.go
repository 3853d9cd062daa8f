package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
		p.finish()
		const want = "fill 0/40\nfill 10/40, 2/s, 18s left\nfill 11/40, 1/s, 24s left\nfill 40/40, 3/s, 0s left\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}
