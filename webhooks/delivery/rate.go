package delivery

import "time"

// rate is a token bucket that holds a tenth of a second's tokens, at least
// one: attempts are spread over each second, however the receiver counts. It
// is kept as the time at which the bucket would be full again (GCRA), so that
// nothing has to be filled.
type rate struct {
	every time.Duration // between two tokens; 0 is no limit
	burst time.Duration // how far ahead the bucket may be used
	full  time.Time
}

func newRate(perSecond int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	every := time.Second / time.Duration(perSecond)
	return rate{every: every, burst: every * time.Duration(max(perSecond/10, 1)-1)}
}

// pace makes a bucket of another, without giving back what was taken.
func (r *rate) pace(other rate) { r.every, r.burst = other.every, other.burst }

// halved is a bucket of half as many tokens.
func (r rate) halved() rate {
	return rate{every: 2 * r.every, burst: max(r.burst-r.every, 0)}
}

// next returns when a token is there; zero is now.
func (r *rate) next() time.Time {
	if r.every == 0 || r.full.IsZero() {
		return time.Time{}
	}
	return r.full.Add(-r.burst)
}

func (r *rate) take(now time.Time) {
	if r.every > 0 {
		r.full = later(r.full, now).Add(r.every)
	}
}
