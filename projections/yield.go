package projections

import (
	"context"
	"runtime"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

const (
	// liveFor is how long after an event was recorded a process takes itself to
	// be at work for people.
	liveFor = 5 * time.Second
	// yieldPage is how many events a rebuild applies at once beside live work:
	// one or two milliseconds, then others have the processor.
	yieldPage = 128
	// yieldRows is how many rows are compared before others have their turn.
	yieldRows = 512
	// yieldShare is one over the share of the processors that a rebuild takes
	// beside live work.
	yieldShare = 8
	// longestTurn bounds a rest after work that took long for other reasons.
	longestTurn = 250 * time.Millisecond
)

// live reports whether something was recorded a moment ago. Then a rebuild
// works in small portions and rests between them, so that nobody notices it;
// otherwise it is alone and as fast as it can.
func (s *Set) live() bool {
	now := s.cfg.Now()
	for _, m := range s.models {
		if now.Sub(m.Applied()) < liveFor {
			return true
		}
	}
	return false
}

// yield rests after work on some processors at once, if there is live work.
func (s *Set) yield(ctx context.Context, took time.Duration, processors int) error {
	if !s.live() {
		return ctx.Err()
	}
	return pause(ctx, turn(took, processors, runtime.GOMAXPROCS(0)))
}

// approach is how a rebuild comes nearer to a live version that goes on: if the
// way that is left does not at least halve each time, it rests less.
type approach struct {
	way   eventstore.Position // that was left, the last time
	hurry int                 // a rest is halved so often
}

func (a *approach) next(way eventstore.Position) {
	switch {
	case a.way > 0 && way > a.way/2:
		a.hurry++
	case a.hurry > 0:
		a.hurry--
	}
	a.way = way
}

// rest is how long to rest after a page, having worked so long. A page that is
// not half full says that the end is near.
func (a *approach) rest(took time.Duration, events int) time.Duration {
	const most = 16
	if events < yieldPage/2 {
		return 0
	}
	return took >> min(a.hurry, most)
}

// turn is how long others have the processors after work on some of them.
func turn(took time.Duration, processors, of int) time.Duration {
	whole := took * time.Duration(processors*yieldShare/of)
	return min(max(whole-took, 0), longestTurn)
}

// yield rests after a page, if there is live work and nobody waits for us.
func (f *filler) yield(ctx context.Context, took time.Duration, events int) error {
	if f.hasty {
		return ctx.Err()
	}
	return f.set.yield(ctx, f.approach.rest(took, events), 2)
}
