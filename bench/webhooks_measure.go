package bench

import (
	"context"
	"time"
)

// measure puts live traffic on the platform and measures what some receivers
// get of it.
func (s *webhookSite) measure(ctx context.Context, receivers []*receiver, rate int, duration time.Duration) (WebhookLatency, error) {
	if err := s.warmUp(ctx, rate); err != nil {
		return WebhookLatency{}, err
	}
	before, err := s.statements(ctx)
	if err != nil {
		return WebhookLatency{}, err
	}
	took, err := s.live(ctx, receivers, rate, duration)
	report := took.latency(rate)
	if err != nil {
		return report, err
	}
	time.Sleep(500 * time.Millisecond) // the last results are saved
	after, err := s.statements(ctx)
	report.Statements = (after - before) / float64(max(report.Received, 1))
	return report, err
}

func (s *webhookSite) warmUp(ctx context.Context, rate int) error {
	_, err := s.traffic(ctx, rate, time.Second)
	time.Sleep(300 * time.Millisecond)
	return err
}

// live measures what some receivers get of live traffic.
func (s *webhookSite) live(ctx context.Context, receivers []*receiver, rate int, duration time.Duration) (tally, error) {
	s.reset(receivers)
	count, err := s.traffic(ctx, rate, duration)
	if err != nil {
		return newTally(), err
	}
	return s.gather(ctx, receivers, count)
}

// alone measures for half of the time what neighbours get while nothing else is
// to be sent. It is measured before something is and again afterwards: what the
// machine does otherwise, and how long the log has grown, is then the same on
// both sides.
func (s *webhookSite) alone(ctx context.Context, nine []*receiver) (tally, error) {
	if err := s.warmUp(ctx, neighbourRate); err != nil {
		return newTally(), err
	}
	return s.live(ctx, nine, neighbourRate, s.o.Duration/2)
}

// gather waits for so many events at each receiver.
func (s *webhookSite) gather(ctx context.Context, receivers []*receiver, each int) (tally, error) {
	received := func() (n int) {
		for _, r := range receivers {
			count, _ := r.counts()
			n += count
		}
		return n
	}
	s.missing += await(ctx, func() (int, int) { return received(), each * len(receivers) })
	took := newTally()
	took.received = received()
	for _, r := range receivers {
		r.merge(took.all, took.after)
	}
	s.appends.merge(took.appends)
	return took, ctx.Err()
}

// reset forgets what was measured at some receivers, and of appends.
func (s *webhookSite) reset(receivers []*receiver) {
	for _, r := range receivers {
		r.reset()
	}
	s.appends.reset()
}
