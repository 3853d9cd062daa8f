package delivery

import "time"

// Backlog says that there is something to send at a time, and that only the
// number of attempts in flight, or the rate, keeps it from being sent.
func (p *Plan) Backlog(now time.Time) bool {
	if p.stopped != "" || now.Before(p.gate) {
		return false
	}
	if allowed, _ := p.breaker.allow(now); !allowed {
		return false
	}
	return len(p.ready) > 0 || (len(p.due) > 0 && !p.due[0].due.After(now))
}
