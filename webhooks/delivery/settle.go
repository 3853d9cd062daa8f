package delivery

import (
	"container/heap"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Done notes how an attempt ended and returns its class.
func (p *Plan) Done(job Job, answer Answer, now time.Time) Class {
	l := p.laneOf(job)
	e := l.find(job.Position)
	e.sending, l.busy = false, false
	verdict, class := Judge(answer)
	e.class = class
	p.share.learn(e, verdict, class, now)
	p.adapt(verdict, class, now)
	p.inFlight--
	p.share.end(now)
	switch verdict {
	case Delivered:
		p.delivered(l, e)
	case Abort:
		e.attempts++
		p.giveUp(l, e, now)
	case Disable:
		p.stopped = StoppedGone
		p.again(l)
	case Limited:
		p.limited(l, e, answer.RetryAfter, now)
	case Retry:
		if class.unreachable() && p.Breaker() != Closed {
			p.again(l)
			break
		}
		p.failed(l, e, answer.RetryAfter, now)
	}
	return class
}

// laneOf finds where the event of an attempt stands.
func (p *Plan) laneOf(job Job) *lane {
	if job.beside {
		return p.lanes[resendKey(job.ID)]
	}
	return p.lanes[p.key(job.Event)]
}

// adapt learns from an attempt how the endpoint is.
func (p *Plan) adapt(verdict Verdict, class Class, now time.Time) {
	switch {
	case class.unsent():
	case verdict == Delivered:
		if since, recovered := p.health.succeeded(now); recovered {
			p.news = append(p.news, News{Recovered: true, Since: since, At: now})
		}
	default:
		p.health.failed(now)
	}
}

func (p *Plan) delivered(l *lane, e *entry) {
	p.remove(l, e, nil)
}

// failed parks an event until its next attempt, and all of its lane behind it.
func (p *Plan) failed(l *lane, e *entry, asked time.Duration, now time.Time) {
	e.attempts++
	wait, again := p.cfg.Schedule.Wait(e.attempts, asked)
	switch {
	case !again && p.cfg.Block && !e.resent:
		p.block(l, e, now)
		return
	case !again:
		p.giveUp(l, e, now)
		return
	}
	e.due = now.Add(wait)
	if len(l.parked) == 0 {
		p.park(l, e.due, e.class)
		return
	}
	p.note(e)
	p.schedule(l)
}

// limited holds the whole endpoint. The event stays where it is, so that
// nothing has to be written; only an event that is answered so again and again
// counts as failed.
func (p *Plan) limited(l *lane, e *entry, asked time.Duration, now time.Time) {
	p.Gate(now.Add(min(asked, longestDelay)))
	e.limited++
	if e.limited < mostLimited {
		p.again(l)
		return
	}
	e.limited = 0
	p.failed(l, e, asked, now)
}

// giveUp leaves a dead row behind: the lane goes on without the event, and a
// receiver sees the gap.
func (p *Plan) giveUp(l *lane, e *entry, now time.Time) {
	row := rowOf(e)
	row.Dead, row.Due = true, time.Time{}
	p.news = append(p.news, News{Exhausted: &row, At: now})
	p.remove(l, e, &row)
}

// block lets a lane stand: its first event is not tried any more, and those
// behind it wait for somebody to send it again or to skip it.
func (p *Plan) block(l *lane, e *entry, now time.Time) {
	e.blocked, e.due = true, time.Time{}
	if len(l.parked) == 0 {
		p.park(l, time.Time{}, e.class)
	} else {
		p.note(e)
		p.schedule(l)
	}
	row := rowOf(e)
	p.news = append(p.news, News{Exhausted: &row, At: now})
}

// remove settles an event for good, leaving a row or none.
func (p *Plan) remove(l *lane, e *entry, row *Parked) {
	if i := slices.Index(l.parked, e); i >= 0 {
		l.parked = slices.Delete(l.parked, i, i+1)
		p.parked--
		p.changed[e.Position] = row
	} else {
		l.live = slices.Delete(l.live, 0, 1)
		if row != nil {
			p.changed[e.Position] = row
		}
		p.settle(e)
	}
	p.again(l)
}

// again lets a lane go on with its first event, or forgets an empty lane.
func (p *Plan) again(l *lane) {
	switch {
	case len(l.parked) > 0:
		p.schedule(l)
	case len(l.live) > 0:
		p.queue(l)
	default:
		delete(p.lanes, l.name)
	}
}

// park moves a lane's live events to its parked ones. The first is due at a
// time, the others wait for it.
func (p *Plan) park(l *lane, due time.Time, class Class) {
	if len(l.live) > 0 {
		l.live[0].due, l.live[0].class = due, class
	}
	live := l.live
	l.live = nil
	for _, e := range live {
		p.parkBehind(l, e)
		p.settle(e)
	}
	if !l.busy {
		p.schedule(l)
	}
}

// parkBehind inserts an event in the order of the log. After a crash one that
// is parked already may come again.
func (p *Plan) parkBehind(l *lane, e *entry) {
	i, found := slices.BinarySearchFunc(l.parked, e.Position, func(e *entry, at eventstore.Position) int {
		return compare(e.Position, at)
	})
	if found {
		return
	}
	if !e.sending {
		e.Payload = nil
	}
	l.parked = slices.Insert(l.parked, i, e)
	p.parked++
	p.note(e)
	if i == 0 && len(l.parked) > 1 && !l.busy {
		p.schedule(l)
	}
}

func (p *Plan) note(e *entry) {
	row := rowOf(e)
	p.changed[e.Position] = &row
}

func rowOf(e *entry) Parked {
	return Parked{
		Position: e.Position, Revision: e.Revision, Lane: e.Lane, ID: e.ID,
		Attempts: e.attempts, Due: e.due, Class: e.class, Blocked: e.blocked, Resent: e.resent,
	}
}

// settle moves the window on as far as everything in it is settled.
func (p *Plan) settle(e *entry) {
	e.settled = true
	n := 0
	for n < len(p.window) && p.window[n].settled {
		p.window[n] = nil
		n++
	}
	p.window = p.window[n:]
}

func (p *Plan) lane(name string) *lane {
	l := p.lanes[name]
	if l == nil {
		l = &lane{name: name, index: -1}
		p.lanes[name] = l
	}
	return l
}

func (p *Plan) queue(l *lane) {
	if !l.busy && !l.queued {
		l.queued = true
		p.ready = append(p.ready, l)
	}
}

// schedule puts a lane where its first parked event is due. A blocked lane
// stands nowhere.
func (p *Plan) schedule(l *lane) {
	if l.parked[0].blocked {
		if l.index >= 0 {
			heap.Remove(&p.due, l.index)
		}
		return
	}
	l.due = l.parked[0].due
	if l.index < 0 {
		heap.Push(&p.due, l)
	} else {
		heap.Fix(&p.due, l.index)
	}
}

// find returns the event of a lane that is under way.
func (l *lane) find(position eventstore.Position) *entry {
	if len(l.live) > 0 && l.live[0].Position == position {
		return l.live[0]
	}
	for _, e := range l.parked {
		if e.Position == position {
			return e
		}
	}
	panic("delivery: an answer to an event that is not under way")
}

// dueLanes is a heap of the lanes whose first parked event waits for its time.
type dueLanes []*lane

func (d dueLanes) Len() int           { return len(d) }
func (d dueLanes) Less(i, j int) bool { return d[i].due.Before(d[j].due) }
func (d dueLanes) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push implements heap.Interface.
func (d *dueLanes) Push(x any) {
	l := x.(*lane) //nolint:forcetypeassert // the heap holds nothing else
	l.index = len(*d)
	*d = append(*d, l)
}

// Pop implements heap.Interface.
func (d *dueLanes) Pop() any {
	last := len(*d) - 1
	l := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	l.index = -1
	return l
}

func compare(a, b eventstore.Position) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
