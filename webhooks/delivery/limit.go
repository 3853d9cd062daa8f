package delivery

import "time"

// MostInFlight is how many attempts may be under way at one endpoint, whatever
// it can take.
const MostInFlight = 64

const (
	leastSpan = time.Minute           // how long the shortest latency is remembered, at least
	slack     = 25 * time.Millisecond // a latency below twice the shortest and this is no sign of load
	smoothing = 8                     // answers the recent latency is a mean of
)

// limit finds out how many attempts an endpoint takes at once: one more with
// each round of answers in time, half as many when it is overloaded, as TCP
// does it. Load shows as 429, 5xx, time-outs and latencies that rise.
type limit struct {
	size, most float64

	fullAt time.Time     // when all slots were last in use
	cutAt  time.Time     // attempts made before it tell nothing new
	recent time.Duration // mean latency of the last answers
	least  [2]time.Duration
	turned time.Time // when the first of least began
}

func newLimit(start, most int) limit {
	most = min(max(most, start), MostInFlight)
	return limit{size: float64(max(start, 1)), most: float64(max(most, 1))}
}

// slots returns how many attempts may be under way.
func (l *limit) slots() int { return int(l.size) }

// bound sets how many slots there may be at most.
func (l *limit) bound(most int) {
	l.most = float64(min(max(most, 1), MostInFlight))
	l.size = min(l.size, l.most)
}

// sent notes whether all slots are in use that whoever sends may have.
func (l *limit) sent(full bool, now time.Time) {
	if full {
		l.fullAt = now
	}
}

// answered notes an attempt that was received. Only when all slots were in use
// meanwhile does it show that there may be more of them.
func (l *limit) answered(sentAt, now time.Time) {
	if l.rising(now.Sub(sentAt), now) {
		l.overloaded(sentAt, now)
		return
	}
	if !l.fullAt.Before(sentAt) && !sentAt.Before(l.cutAt) {
		l.size = min(l.size+1/l.size, l.most)
	}
}

// overloaded halves the limit once for all attempts that were under way
// together.
func (l *limit) overloaded(sentAt, now time.Time) {
	if sentAt.Before(l.cutAt) {
		return
	}
	l.size = max(l.size/2, 1)
	l.cutAt, l.recent = now, 0
}

// rising says whether answers take much longer than they can. The shortest
// latency is that of the last one to two minutes, so that an endpoint that has
// become slower for good is not held down for ever.
func (l *limit) rising(took time.Duration, now time.Time) bool {
	if l.recent == 0 {
		l.recent = took
	}
	l.recent += (took - l.recent) / smoothing
	if now.Sub(l.turned) >= leastSpan {
		l.least[1], l.least[0], l.turned = l.least[0], took, now
	}
	l.least[0] = min(l.least[0], took)
	shortest := l.least[0]
	if l.least[1] > 0 {
		shortest = min(shortest, l.least[1])
	}
	return l.recent > 2*shortest+slack
}

// congested says that an endpoint could not take what it was sent.
func (c Class) congested() bool {
	return c == ClassRateLimited || c == ClassServerError || c == ClassTimeout
}
