package webhooks

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pace holds back what works off the past, replays and endpoints far behind,
// for what is live: it rests while live messages are on their way, begins its
// attempts evenly instead of in bursts, and goes faster than what is promised of
// it only while most of the processors are free. How long goroutines wait until
// they run shows when even that is too much, whatever receivers do. Without live
// deliveries, or with processors to spare, the past may begin as many attempts
// as it likes.
type pace struct {
	now  func() time.Time
	live atomic.Int64  // when something live was sent last, Unix nanoseconds
	used chan struct{} // told when the past begins an attempt
	// yields says that this process gets what others leave of the processors: so
	// it need not mind how long its goroutines wait.
	yields bool

	mu        sync.Mutex
	perSecond float64 // attempts of the past that may begin; 0 is any number
	begun     int     // since it was adjusted last
	free      time.Time
	held      time.Time     // until then the past rests
	rested    time.Duration // since it was adjusted last
}

const (
	paceEvery   = 100 * time.Millisecond
	paceWait    = time.Millisecond     // 19 of 20 goroutines run within that while all is well
	paceBurst   = 2 * time.Millisecond // of attempts may begin at once: what is live waits for them
	paceRest    = 3 * time.Millisecond // is about what a live message takes from the log to its request
	mostRest    = paceEvery / 3        // of the past, however much is live
	pastShare   = 0.3                  // of the processors is what the process may use while the past goes faster
	steadyPace  = 5300.0               // attempts of the past in a second, rests included, are not too many for that: a little more than the 5,000 that are promised
	slowestPace = 500.0                // where goroutines wait
	idlePaces   = 20                   // without anything of the past, then nobody looks
	slower      = 0.8
	faster      = 1.05
	liveFor     = time.Second // after which there is nothing live
)

func newPace(now func() time.Time, yields bool) *pace {
	return &pace{now: now, yields: yields, used: make(chan struct{}, 1)}
}

// sentLive notes that something live was sent.
func (p *pace) sentLive(now time.Time) { p.live.Store(now.UnixNano()) }

// anythingLive says whether something live was sent lately.
func (p *pace) anythingLive(now time.Time) bool {
	return now.Sub(time.Unix(0, p.live.Load())) < liveFor
}

// rest lets what is live go first: there is something in the log that may be
// for somebody.
func (p *pace) rest() {
	now := p.now()
	if !p.anythingLive(now) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	from, until := now, now.Add(paceRest)
	if p.held.After(now) {
		from = p.held
	}
	if more := until.Sub(from); more > 0 && p.rested+more <= mostRest {
		p.rested += more
		p.held = until
		if p.free.Before(until.Add(paceBurst)) { // no burst right after
			p.free = until.Add(paceBurst)
		}
	}
}

// take begins an attempt of the past if there may be one, or returns when it
// is worth trying again.
func (p *pace) take(now time.Time) (again time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held.After(now) {
		return p.held, false
	}
	if p.perSecond > 0 {
		if again = p.free.Add(-paceBurst); again.After(now) {
			return again, false
		}
		if p.free.Before(now) {
			p.free = now
		}
		p.free = p.free.Add(time.Duration(float64(time.Second) / p.perSecond))
	}
	if p.begun++; p.begun == 1 {
		select {
		case p.used <- struct{}{}:
		default:
		}
	}
	return now, true
}

// adjust follows how busy the machine was: fewer attempts in a second when that
// is too much, more when it is not. It says whether any have begun since.
func (p *pace) adjust(m busy, passed time.Duration) (used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	worked := max(passed-p.rested, passed/2).Seconds()
	begun, steady := float64(p.begun)/worked, steadyPace*passed.Seconds()/worked
	p.begun, p.rested = 0, 0
	if begun == 0 {
		return false
	}
	switch {
	case !p.anythingLive(p.now()):
		p.perSecond = 0
	case m.waited > paceWait && !p.yields:
		p.perSecond = max(begun*slower, slowestPace)
	case m.used > pastShare:
		p.perSecond = max(begun*max(pastShare/m.used, slower), min(cmp.Or(p.perSecond, steady)*faster, steady))
	case p.perSecond > 0 && begun > p.perSecond*slower: // else it is not what bounds
		p.perSecond *= faster
	}
	return true
}

// run returns when the context ends. It looks only while there is something of
// the past.
func (p *pace) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-p.used:
			p.watch(ctx)
		case <-ctx.Done():
		}
	}
}

// watch adjusts until nothing of the past has begun for a while.
func (p *pace) watch(ctx context.Context) {
	var machine gauge
	machine.read(0)
	last := p.now()
	for idle := 0; idle < idlePaces && ctx.Err() == nil; idle++ {
		pause(ctx, paceEvery)
		now := p.now()
		passed := now.Sub(last)
		if measured := machine.read(passed); passed > 0 && p.adjust(measured, passed) {
			idle = 0
		}
		last = now
	}
}
