package delivery

import "time"

// BreakerState says whether an endpoint as a whole is believed to be up.
type BreakerState int

// States of a breaker.
const (
	Closed   BreakerState = iota // attempts are made
	Open                         // none are made
	HalfOpen                     // one is under way to see
)

// String implements fmt.Stringer.
func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half-open"}[s]
}

// BreakerConfig is when an endpoint counts as down.
type BreakerConfig struct {
	// Waits stand between the probes of an endpoint that is down; the last one
	// repeats.
	Waits []time.Duration
	// MinAttempts within the last minute, of which FailedShare failed, open
	// the breaker.
	MinAttempts int
	FailedShare float64
	// Unreachable failures to connect in a row open it at once.
	Unreachable int
}

// DefaultBreaker is the breaker for partners on the internet.
func DefaultBreaker() BreakerConfig {
	return BreakerConfig{
		Waits:       []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
		MinAttempts: 10,
		FailedShare: 0.7,
		Unreachable: 5,
	}
}

const span = 60 // seconds a breaker looks back

type second struct {
	at         int64
	ok, failed int
}

// breaker holds an endpoint that is down, and sends one attempt now and then
// to see whether it is up again.
type breaker struct {
	BreakerConfig
	state   BreakerState
	until   time.Time // when an open breaker lets a probe through
	trips   int       // in a row
	inARow  int       // failures to connect
	seconds [span]second
}

// allow says whether an attempt may be made, and whether it is a probe.
func (b *breaker) allow(now time.Time) (allowed, probe bool) {
	switch {
	case b.state == Closed:
		return true, false
	case b.state == Open && !now.Before(b.until):
		return true, true
	}
	return false, false
}

func (b *breaker) record(now time.Time, ok, unreachable bool) {
	b.count(now, ok)
	b.inARow++
	if !unreachable {
		b.inARow = 0
	}
	if b.state == Closed && !ok && (b.inARow >= b.Unreachable || b.failing(now)) {
		b.open(now)
	}
}

func (b *breaker) probed(now time.Time, ok bool) {
	if !ok {
		b.open(now)
		return
	}
	*b = breaker{BreakerConfig: b.BreakerConfig}
}

// unproved lets another attempt be the probe, at once.
func (b *breaker) unproved(now time.Time) {
	b.state, b.until = Open, now
}

func (b *breaker) open(now time.Time) {
	b.state = Open
	b.until = now.Add(b.Waits[min(b.trips, len(b.Waits)-1)])
	b.trips++
}

func (b *breaker) count(now time.Time, ok bool) {
	s := &b.seconds[((now.Unix()%span)+span)%span]
	if s.at != now.Unix() {
		*s = second{at: now.Unix()}
	}
	if ok {
		s.ok++
	} else {
		s.failed++
	}
}

func (b *breaker) failing(now time.Time) bool {
	ok, failed := 0, 0
	for _, s := range b.seconds {
		if age := now.Unix() - s.at; age >= 0 && age < span {
			ok += s.ok
			failed += s.failed
		}
	}
	return ok+failed >= b.MinAttempts && float64(failed) >= b.FailedShare*float64(ok+failed)
}
