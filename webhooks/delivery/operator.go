package delivery

import (
	"container/heap"
	"slices"
	"time"
)

// Resend makes an event due at once, with all its attempts before it: one that
// is parked, given up, or was delivered already. One that is parked stays in
// its place within its lane; another goes out beside its lane, which went on
// without it. It returns false while an attempt of it is under way: that one
// began before the wish, which asks for another.
func (p *Plan) Resend(row Parked, now time.Time) bool {
	l, e := p.parkedEntry(row)
	taken := p.taken(row)
	if (e != nil && e.sending) || (taken != nil && taken.sending) {
		return false
	}
	if e != nil {
		e.attempts, e.blocked, e.due = 0, false, now
		p.note(e)
		if !l.busy {
			p.schedule(l)
		}
		return true
	}
	if (taken != nil && !taken.settled) || (row.Position > p.through && !p.beyond[row.Position]) {
		return true // it is about to be sent by itself
	}
	row.Attempts, row.Due, row.Dead, row.Blocked, row.Told, row.Resent = 0, now, false, false, false, true
	p.restore(row)
	l = p.lanes[resendKey(row.ID)]
	p.note(l.parked[0])
	p.schedule(l)
	return true
}

// taken finds an event that is not parked yet, or whose place the cursor has not
// passed.
func (p *Plan) taken(row Parked) *entry {
	i := slices.IndexFunc(p.window, func(e *entry) bool { return e.Position == row.Position })
	if i < 0 {
		return nil
	}
	return p.window[i]
}

// Skip gives up a parked event, so that its lane goes on without it. It returns
// false while an attempt of it is under way: nobody knows yet whether there is
// something to give up.
func (p *Plan) Skip(row Parked) bool {
	l, e := p.parkedEntry(row)
	switch {
	case e == nil:
		return true
	case e.sending:
		return false
	}
	if l.index >= 0 {
		heap.Remove(&p.due, l.index)
	}
	dead := rowOf(e)
	dead.Dead, dead.Blocked, dead.Due, dead.Told = true, false, time.Time{}, true
	p.remove(l, e, &dead)
	return true
}

// parkedEntry finds a parked event, in its lane or where it is sent again.
func (p *Plan) parkedEntry(row Parked) (*lane, *entry) {
	event := Event{Position: row.Position, Lane: row.Lane, ID: row.ID}
	for _, key := range []string{p.key(event), resendKey(row.ID)} {
		l := p.lanes[key]
		if l == nil {
			continue
		}
		for _, e := range l.parked {
			if e.Position == row.Position {
				return l, e
			}
		}
	}
	return nil, nil
}

// resendKey names the queue of an event that is sent again beside its lane.
func resendKey(id string) string { return "resend " + id }
