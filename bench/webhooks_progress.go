package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// ReplayProgress is what a replay said of itself while it was under way, and
// whether that was true.
type ReplayProgress struct {
	Readings int
	// Backwards counts readings that were behind the one before; Ahead those
	// that said more was delivered than the receiver had.
	Backwards, Ahead int
	// Delivered and GivenUp are what it said in the end.
	Delivered, GivenUp int
	Completed          bool
	// HalfLeft is how long it said at half way that it would take yet, HalfTook
	// how long it took.
	HalfLeft, HalfTook time.Duration
}

// String implements fmt.Stringer.
func (p ReplayProgress) String() string {
	return fmt.Sprintf("%d readings, %d backwards, %d ahead of the receiver; at half way %s to go, which took %s; completed %t, delivered %d, given up %d",
		p.Readings, p.Backwards, p.Ahead, p.HalfLeft.Round(time.Second/10), p.HalfTook.Round(time.Second/10), p.Completed, p.Delivered, p.GivenUp)
}

// progressOf reads how far a replay is until it has ended, or nothing came of
// it for a while.
func (s *webhookSite) progressOf(ctx context.Context, replay client.Replay, to *elsewhere) (p *ReplayProgress, err error) {
	const every, patience = 200 * time.Millisecond, time.Minute
	p = &ReplayProgress{}
	var last float64
	var half, moved time.Time
	for moved = time.Now(); ctx.Err() == nil && time.Since(moved) < patience; time.Sleep(every) {
		if replay, err = s.api().Replay(ctx, replay.EndpointID, replay.ID); err != nil {
			return p, err
		}
		received := to.received()
		p.Readings++
		p.Delivered, p.GivenUp = replay.Delivered, replay.GivenUp
		switch {
		case replay.Delivered > received:
			p.Ahead++
		case replay.Progress < last:
			p.Backwards++
		}
		if replay.Progress > last {
			last, moved = replay.Progress, time.Now()
		}
		if half.IsZero() && replay.Progress >= 0.5 && replay.Progress < 1 {
			half, p.HalfLeft = time.Now(), time.Duration(replay.LeftSeconds*float64(time.Second))
		}
		if p.Completed = replay.State == "completed"; p.Completed {
			break
		}
	}
	if !half.IsZero() {
		p.HalfTook = time.Since(half)
	}
	return p, ctx.Err()
}

func (s *webhookSite) api() *client.Client { return client.New(s.platform.BaseURL(), AdminKey) }
