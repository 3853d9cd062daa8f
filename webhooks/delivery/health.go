package delivery

import "time"

// HealthConfig is when an endpoint's owner is told that it fails, and when it
// is given up.
type HealthConfig struct {
	// Warn are the times without one success after which its owner is told.
	Warn []time.Duration
	// GiveUp is the time without one success after which the endpoint is
	// disabled; 0 is never.
	GiveUp time.Duration
}

// DefaultHealth is for partners on the internet.
func DefaultHealth() HealthConfig {
	return HealthConfig{Warn: []time.Duration{time.Hour, 24 * time.Hour, 72 * time.Hour}, GiveUp: 5 * 24 * time.Hour}
}

// News is something an endpoint's owner is to be told: exactly one of the
// first three is set.
type News struct {
	// Failing is for how long at least nothing has succeeded since.
	Failing time.Duration
	// Recovered says that something succeeded after that.
	Recovered bool
	// Exhausted is an event that is not tried any more.
	Exhausted *Parked
	Since     time.Time // of failing: the first failure
	At        time.Time
}

// health follows how long an endpoint has answered nothing but failures.
type health struct {
	HealthConfig
	since time.Time // the first failure without a success after it; zero when well
	here  time.Time // the first of them that this plan has seen
	told  int       // of Warn
}

func (h *health) failed(now time.Time) {
	if h.since.IsZero() {
		h.since = now.Truncate(time.Millisecond) // as it is saved
	}
	if h.here.IsZero() {
		h.here = now
	}
}

// succeeded returns whether the owner may have been told that the endpoint
// fails.
func (h *health) succeeded(now time.Time) (since time.Time, recovered bool) {
	since = h.since
	recovered = !since.IsZero() && len(h.Warn) > 0 && now.Sub(since) >= h.Warn[0]
	*h = health{HealthConfig: h.HealthConfig}
	return since, recovered
}

// due returns when something has to be told or done next; zero is never. What
// happened before this plan began may be long ago, with nobody there to try:
// only failures it has seen itself count, and it takes the time of the first
// warning before it gives up.
func (h *health) due() time.Time {
	if h.here.IsZero() {
		return time.Time{}
	}
	if h.told < len(h.Warn) {
		return later(h.since.Add(h.Warn[h.told]), h.here)
	}
	return h.end()
}

func (h *health) end() time.Time {
	if h.GiveUp <= 0 || h.here.IsZero() {
		return time.Time{}
	}
	grace := time.Duration(0)
	if len(h.Warn) > 0 {
		grace = min(h.Warn[0], h.GiveUp)
	}
	return later(h.since.Add(h.GiveUp), h.here.Add(grace))
}

// warning returns the next warning, if its time has come.
func (h *health) warning(now time.Time) (after time.Duration, ok bool) {
	if h.here.IsZero() || h.told >= len(h.Warn) || now.Sub(h.since) < h.Warn[h.told] {
		return 0, false
	}
	h.told++
	return h.Warn[h.told-1], true
}

func (h *health) over(now time.Time) bool {
	end := h.end()
	return !end.IsZero() && !now.Before(end)
}

// Examine notes what follows from nothing having succeeded for long: news for
// the owner, and in the end that the endpoint is given up. An endpoint that is
// owed nothing is left alone.
func (p *Plan) Examine(now time.Time) {
	if !p.owes() {
		return
	}
	for after, ok := p.health.warning(now); ok; after, ok = p.health.warning(now) {
		p.news = append(p.news, News{Failing: after, Since: p.health.since, At: now})
	}
	if p.health.over(now) && p.stopped == "" {
		p.stopped = StoppedFailing
	}
}

// Told says that there is news which Changes has yet to return.
func (p *Plan) Told() bool { return len(p.news) > 0 }

// owes says whether anything waits for the endpoint that it is sent by itself.
func (p *Plan) owes() bool { return len(p.window) > 0 || len(p.due) > 0 || p.inFlight > 0 }

// Stopped says why an endpoint gets nothing any more.
type Stopped string

// Why an endpoint gets nothing any more.
const (
	StoppedGone    Stopped = "gone"    // its receiver asked for it
	StoppedFailing Stopped = "failing" // nothing succeeded for too long
)
