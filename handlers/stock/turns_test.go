package stock

import (
	"testing"
	"time"
)

// The times are those of appends that take a millisecond and follow each other
// without a gap, unless it says so.
func TestTurns(t *testing.T) {
	t.Parallel()
	const moment, begin = time.Millisecond, time.Hour
	for _, test := range []struct {
		name  string
		lost  time.Duration // before the first append; 0 is never
		idle  time.Duration // between two appends
		took  time.Duration
		after time.Duration // the turn is over; 0 is never
		gap   time.Duration
	}{
		{"alone", 0, 0, moment, turnAlone, 4 * moment},
		{"another one was met", begin, 0, moment, turnShared, 4 * moment},
		{"another one was met long ago", begin - sharedFor, 0, moment, turnAlone, 4 * moment},
		{"there are gaps anyway", begin, 5 * moment, moment, 0, 0},
		{"gaps that are too short for another one", begin, 3 * moment, moment, turnShared, 4 * moment},
		{"appends that take next to nothing", 0, 0, 100 * time.Microsecond, turnAlone, shortGap},
		{"appends that take long", begin, 0, time.Second, turnShared, turnShared},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var l turn
			noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
			if test.lost != 0 {
				l.lost(noon.Add(test.lost))
			}
			now, gap := noon.Add(begin), time.Duration(0)
			for now.Sub(noon.Add(begin)) < 2*turnAlone && gap == 0 {
				l.won(now, now.Add(test.took))
				now = now.Add(test.took)
				if gap = l.over(now); gap == 0 {
					now = now.Add(test.idle)
				}
			}
			took := now.Sub(noon.Add(begin))
			if gap != test.gap || (test.gap != 0 && (took < test.after || took > test.after+test.took+test.idle)) {
				t.Errorf("after %s a gap of %s, want one of %s after %s", took, gap, test.gap, test.after)
			}
			if test.gap != 0 && l.over(now) != 0 {
				t.Error("a turn that is over is over again")
			}
		})
	}
}
