package delivery

import "time"

// Failing returns since when the endpoint has answered nothing but failures;
// zero when it is well.
func (p *Plan) Failing() time.Time { return p.health.since }

// Limit returns how many attempts may be under way, of all runs.
func (p *Plan) Limit() int {
	_, _, slots := p.share.stand()
	return slots
}
