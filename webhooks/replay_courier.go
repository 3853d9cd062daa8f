package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// errCompleted says that a replay has sent everything.
var errCompleted = errors.New("the replay is complete")

// reader hands over pieces of the log until its context ends.
type reader interface {
	run(ctx context.Context, at eventstore.Position)
}

// source is where a courier's events come from. It hands them over at out.
func (c *courier) source(out *chooser) reader {
	switch {
	case c.to.replay == nil:
		return &source{d: c.d, out: out}
	case c.to.replay.ping != nil:
		return &pinged{past{d: c.d, out: out, replay: c.to.replay}}
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

// shareOf is a courier's part in what its endpoint takes.
func (c *courier) shareOf(budget *delivery.Budget) *delivery.Share {
	if c.to.replay == nil {
		return budget.Live(c.poke)
	}
	return budget.Replay(c.to.replay.rate(), c.poke)
}

// poke lets the courier look again whether it may send.
func (c *courier) poke() {
	select {
	case c.turn <- struct{}{}:
	default: // it has yet to look
	}
}

// yield lets other replays go while this one waits for something else.
func (c *courier) yield(now time.Time) {
	if c.to.replay != nil {
		c.share.Pause(now)
	}
}
