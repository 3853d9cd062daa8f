package stock

import "time"

// Of two processes that both have always something to append to one item, the
// one that was first would stay it: while the other one reads what came before
// its append, the next one comes. So a lane that appends without a gap makes one
// now and then, which is long enough for whoever waits for it.
const (
	turnAlone  = 500 * time.Millisecond // where nobody else was met
	turnShared = 50 * time.Millisecond  // where somebody was
	sharedFor  = time.Second            // after whom nobody was met
	shortGap   = 2 * time.Millisecond
	// gapOfAppends is how many appends a gap is long: the other one's failed
	// append may be under way, and it reads and decides before the next.
	gapOfAppends = 4
)

// turn is for how long a lane has had an item for itself. It belongs to the one
// goroutine that works.
type turn struct {
	began, last time.Time     // the first append of the turn, and the latest
	took        time.Duration // the latest
	met         time.Time     // when somebody else's append came first, at last
}

// lost notes that somebody else's append came first.
func (t *turn) lost(now time.Time) { t.began, t.met = time.Time{}, now }

// won notes an append.
func (t *turn) won(began, ended time.Time) {
	t.took = ended.Sub(began)
	if t.began.IsZero() || began.Sub(t.last) > t.gap() {
		t.began = began
	}
	t.last = ended
}

// over returns how long to wait for others now, and ends the turn if that is
// not 0.
func (t *turn) over(now time.Time) time.Duration {
	length := turnAlone
	if now.Sub(t.met) < sharedFor {
		length = turnShared
	}
	if t.began.IsZero() || now.Sub(t.began) < length {
		return 0
	}
	t.began = time.Time{}
	return t.gap()
}

func (t *turn) gap() time.Duration {
	return min(max(gapOfAppends*t.took, shortGap), turnShared)
}
