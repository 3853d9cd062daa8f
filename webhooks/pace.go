package webhooks

import (
	"context"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pace holds back what works off the past, replays and endpoints far behind,
// while what is live would have to wait for the processor. How long goroutines
// wait until they run shows that, whatever receivers do. Without live
// deliveries, or with processors to spare, the past may begin as many attempts
// as it likes.
type pace struct {
	now  func() time.Time
	live atomic.Int64  // when something live was sent last, Unix nanoseconds
	used chan struct{} // told when the past begins an attempt

	mu        sync.Mutex
	perSecond float64 // attempts of the past that may begin; 0 is any number
	begun     int     // since it was adjusted last
	free      time.Time
}

const (
	paceEvery   = 100 * time.Millisecond
	paceWait    = time.Millisecond      // 19 of 20 goroutines run within that while all is well
	paceBurst   = 10 * time.Millisecond // of attempts may begin at once
	slowestPace = 500.0
	idlePaces   = 20 // without anything of the past, then nobody looks
	slower      = 0.8
	faster      = 1.1
	liveFor     = time.Second // after which there is nothing live
)

func newPace(now func() time.Time) *pace { return &pace{now: now, used: make(chan struct{}, 1)} }

// sentLive notes that something live was sent.
func (p *pace) sentLive(now time.Time) { p.live.Store(now.UnixNano()) }

// take begins an attempt of the past if there may be one, or returns when it
// is worth trying again.
func (p *pace) take(now time.Time) (again time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
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

// adjust follows how long 19 of 20 goroutines waited at most: fewer attempts in
// a second when that is too long, more when it is not. It says whether any have
// begun since.
func (p *pace) adjust(waited, passed time.Duration) (used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used = p.begun > 0
	begun := float64(p.begun) / passed.Seconds()
	p.begun = 0
	switch {
	case p.now().Sub(time.Unix(0, p.live.Load())) >= liveFor:
		p.perSecond = 0
	case waited > paceWait && begun > 0:
		p.perSecond = max(begun*slower, slowestPace)
	case p.perSecond > 0 && begun > p.perSecond*slower: // else it is not what bounds
		p.perSecond *= faster
	}
	return used
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
	var waits schedulerWaits
	waits.since()
	last := p.now()
	for idle := 0; idle < idlePaces && ctx.Err() == nil; idle++ {
		pause(ctx, paceEvery)
		now := p.now()
		if passed := now.Sub(last); passed > 0 && p.adjust(waits.since(), passed) {
			idle = 0
		}
		last = now
	}
}

// schedulerWaits reads how long goroutines had to wait until they ran.
type schedulerWaits struct {
	sample [1]metrics.Sample
	before []uint64
}

// since returns how long 19 of 20 had to wait at most since the last call.
func (w *schedulerWaits) since() time.Duration {
	w.sample[0].Name = "/sched/latencies:seconds"
	metrics.Read(w.sample[:])
	if w.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := w.sample[0].Value.Float64Histogram()
	if w.before == nil {
		w.before = make([]uint64, len(h.Counts))
	}
	all := uint64(0)
	for i, count := range h.Counts {
		all += count - w.before[i]
	}
	slow := all / 20
	at := time.Duration(0)
	for i, now := range slices.Backward(h.Counts) {
		count := now - w.before[i]
		if count > slow {
			at = time.Duration(h.Buckets[i] * float64(time.Second))
			break
		}
		slow -= count
	}
	copy(w.before, h.Counts)
	return max(at, 0)
}
