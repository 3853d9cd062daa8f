package webhooks

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// errCompleted says that a replay has sent everything.
var errCompleted = errors.New("the replay is complete")

// traffic is what the live run of an endpoint and its replays know of each
// other: replays take what the live run leaves.
type traffic struct {
	live    atomic.Int32 // attempts of the live run under way
	replays atomic.Int32 // attempts of replays under way
	most    atomic.Int32 // attempts the endpoint takes at once; 0 is not known
	waiting atomic.Bool  // the live run has more to send than it may
	gate    atomic.Int64 // before it nobody sends; Unix nanoseconds
	charged atomic.Int32 // attempts of replays the live run has yet to count
}

// yieldFor is how long a replay waits before it looks again whether the live
// run is done.
const yieldFor = 10 * time.Millisecond

// reader hands over pieces of the log until its context ends.
type reader interface {
	run(ctx context.Context, at eventstore.Position)
}

// source is where a courier's events come from. It hands them over at out.
func (c *courier) source(out chan batch) reader {
	switch {
	case c.to.replay == nil:
		return &source{d: c.d, out: out}
	case c.to.replay.Only == endpoint.OnlyUndelivered:
		return &undelivered{past{d: c.d, out: out, replay: c.to.replay}}
	}
	return &past{d: c.d, out: out, replay: c.to.replay}
}

// completed says that a replay has nothing more to send or to wait for.
func (c *courier) completed() bool {
	return c.to.replay != nil && c.plan.Through() >= c.to.replay.run.Until && len(c.pending.items) == 0 &&
		c.plan.InFlight() == 0 && c.plan.ParkedCount() == 0
}

// mayGo says whether another attempt may be made beside what the other runs of
// the endpoint do.
func (c *courier) mayGo(now time.Time) bool {
	t := c.to.traffic
	if c.to.replay == nil {
		return true
	}
	if t.waiting.Load() || now.UnixNano() < t.gate.Load() {
		return false
	}
	most := t.most.Load()
	if most == 0 {
		return true
	}
	replays := t.replays.Load()
	return replays == 0 && t.live.Load() < most || replays < most/2 && t.live.Load()+replays < most
}

func (c *courier) went() {
	if c.to.replay == nil {
		c.to.traffic.live.Add(1)
		return
	}
	c.to.traffic.replays.Add(1)
	c.to.traffic.charged.Add(1)
}

func (c *courier) came() {
	if c.to.replay == nil {
		c.to.traffic.live.Add(-1)
		return
	}
	c.to.traffic.replays.Add(-1)
}

// tell lets the other runs know what this one has to send.
func (c *courier) tell(now time.Time) {
	if c.to.replay == nil {
		c.to.traffic.waiting.Store(c.plan.Backlog(now))
	}
}

// yielding shortens a sleep of a replay that only waits for others.
func (c *courier) yielding(sleep time.Duration, now time.Time) time.Duration {
	if c.to.replay != nil && !c.mayGo(now) {
		return min(max(sleep, yieldFor), yieldFor)
	}
	return sleep
}
