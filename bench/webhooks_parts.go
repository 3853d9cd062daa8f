package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// sustained records events at once and measures how fast they are delivered.
func (s *webhookSite) sustained(ctx context.Context, endpoints int) (*Sustained, error) {
	for range endpoints {
		if _, err := s.subscribe(ctx, pastType); err != nil {
			return nil, err
		}
	}
	if err := s.warm(ctx); err != nil {
		return nil, err
	}
	before, err := s.platform.processorTimes()
	if err != nil {
		return nil, err
	}
	statements, err := s.statements(ctx)
	if err != nil {
		return nil, err
	}
	events := max(s.o.Amount/endpoints, 1)
	if err := s.record(ctx, events); err != nil {
		return nil, err
	}
	s.missing += await(ctx, func() (int, int) { return s.total(), events * endpoints })
	report := &Sustained{Endpoints: endpoints, Deliveries: s.total()}
	first, last := s.spanOfAll()
	report.PerSecond = float64(report.Deliveries) / last.Sub(first).Seconds()
	time.Sleep(500 * time.Millisecond) // the last results are saved
	after, err := s.platform.processorTimes()
	if err != nil {
		return nil, err
	}
	report.Processor = (after.platform - before.platform) / time.Duration(max(report.Deliveries, 1))
	used, err := s.statements(ctx)
	if err != nil {
		return nil, err
	}
	report.Statements = (used - statements) / float64(max(report.Deliveries, 1))
	report.Memory, err = s.platform.Memory()
	return report, err
}

// warm lets every endpoint have some events, so that connections are open.
func (s *webhookSite) warm(ctx context.Context) error {
	const events = 20
	if err := s.record(ctx, events); err != nil {
		return err
	}
	if missing := await(ctx, func() (int, int) { return s.total(), events * len(s.receivers) }); missing > 0 {
		return fmt.Errorf("%d of the first deliveries never came", missing)
	}
	time.Sleep(time.Second)
	for _, r := range s.receivers {
		r.reset()
	}
	return nil
}

func (s *webhookSite) total() (n int) {
	for _, r := range s.receivers {
		count, others := r.counts()
		n += count + others
	}
	return n
}

func (s *webhookSite) spanOfAll() (first, last time.Time) {
	for _, r := range s.receivers {
		from, to := r.span()
		if first.IsZero() || from.Before(first) {
			first = from
		}
		if to.After(last) {
			last = to
		}
	}
	return first, last
}

// latencies measures one endpoint at each rate.
func (s *webhookSite) latencies(ctx context.Context) (list []WebhookLatency, err error) {
	r, err := s.subscribe(ctx, liveType)
	if err != nil {
		return nil, err
	}
	r.live = liveType
	for _, rate := range s.o.Rates {
		one, err := s.measure(ctx, []*receiver{r}, rate, s.o.Duration)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

const (
	neighbours    = 9
	neighbourRate = 50 // events per second
)

// nine subscribes nine endpoints to live traffic.
func (s *webhookSite) nine(ctx context.Context, types ...string) ([]*receiver, error) {
	for range neighbours {
		r, err := s.subscribe(ctx, types...)
		if err != nil {
			return nil, err
		}
		r.live = types[0]
	}
	return s.receivers[:neighbours], nil
}

// hanging measures a burst at nine endpoints while the tenth is well, and
// while it hangs.
func (s *webhookSite) hanging(ctx context.Context) (*Neighbours, error) {
	nine, err := s.nine(ctx, pastType)
	if err != nil {
		return nil, err
	}
	tenth, err := s.subscribe(ctx, pastType)
	if err != nil {
		return nil, err
	}
	report := &Neighbours{}
	if err := s.warm(ctx); err != nil {
		return nil, err
	}
	for _, run := range []struct {
		answer time.Duration
		into   *WebhookLatency
	}{{s.o.Answer, &report.Alone}, {s.o.Hang, &report.Beside}} {
		tenth.answer.Store(int64(run.answer))
		for _, r := range s.receivers {
			r.reset()
		}
		if err := s.record(ctx, s.o.Burst); err != nil {
			return nil, err
		}
		took, err := s.gather(ctx, nine, s.o.Burst)
		if *run.into = took.latency(0); err != nil {
			return nil, err
		}
		if run.answer == s.o.Answer {
			await(ctx, func() (int, int) { n, _ := tenth.counts(); return n, s.o.Burst })
		}
	}
	return report, nil
}

// behind measures live traffic at nine endpoints alone, and while a tenth
// works off what it has missed while it was down.
func (s *webhookSite) behind(ctx context.Context) (*Neighbours, error) {
	nine, err := s.nine(ctx, liveType)
	if err != nil {
		return nil, err
	}
	tenth, _, err := s.subscribeElsewhere(ctx, pastType)
	if err != nil {
		return nil, err
	}
	alone, err := s.alone(ctx, nine)
	if err != nil {
		return nil, err
	}
	tenth.goDown(true)
	s.o.Say(fmt.Sprintf("recording %d events while the tenth endpoint is down", s.o.Behind))
	if err := s.record(ctx, s.o.Behind); err != nil {
		return nil, err
	}
	tenth.goDown(false)
	report := &Neighbours{Backlog: s.o.Behind}
	if err := s.beside(ctx, nine, tenth, report); err != nil {
		return report, err
	}
	return report, s.aloneAgain(ctx, nine, alone, report)
}

// aloneAgain adds to what was measured alone before.
func (s *webhookSite) aloneAgain(ctx context.Context, nine []*receiver, before tally, report *Neighbours) error {
	again, err := s.alone(ctx, nine)
	before.add(again)
	report.Alone = before.latency(neighbourRate)
	return err
}

// beside measures nine endpoints for as long as the tenth has something to
// work off, and how fast it does that.
func (s *webhookSite) beside(ctx context.Context, nine []*receiver, tenth *elsewhere, report *Neighbours) error {
	if missing := await(ctx, func() (int, int) { return tenth.received(), min(100, report.Backlog) }); missing > 0 {
		return fmt.Errorf("the tenth endpoint does not catch up")
	}
	s.reset(nine)
	working, stop := context.WithCancel(ctx)
	defer stop()
	sent := 0
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for working.Err() == nil {
			n, err := s.traffic(ctx, neighbourRate, 500*time.Millisecond)
			if sent += n; err != nil {
				return err
			}
		}
		return nil
	})
	s.missing += await(ctx, func() (int, int) { return tenth.received(), report.Backlog })
	stop()
	if err := group.Wait(); err != nil {
		return err
	}
	first, last := tenth.span()
	report.PerSecond = float64(tenth.received()) / last.Sub(first).Seconds()
	var err error
	if report.Memory, err = s.platform.Memory(); err != nil {
		return err
	}
	took, err := s.gather(context.WithoutCancel(ctx), nine, sent)
	report.Beside = took.latency(neighbourRate)
	return err
}

// backfill measures live traffic at nine endpoints alone, and while a new one
// is sent everything from the first event on.
func (s *webhookSite) backfill(ctx context.Context) (*Neighbours, error) {
	nine, err := s.nine(ctx, liveType)
	if err != nil {
		return nil, err
	}
	s.o.Say(fmt.Sprintf("recording %d events", s.o.Backfill))
	if err := s.record(ctx, s.o.Backfill); err != nil {
		return nil, err
	}
	alone, err := s.alone(ctx, nine)
	if err != nil {
		return nil, err
	}
	report := &Neighbours{Backlog: s.o.Backfill}
	fresh, endpoint, err := s.subscribeElsewhere(ctx, pastType)
	if err != nil {
		return nil, err
	}
	replay, err := s.replay(ctx, endpoint.ID)
	if err != nil {
		return nil, err
	}
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		report.Replay, err = s.progressOf(both, replay, fresh)
		return err
	})
	group.Go(func() error { return s.beside(both, nine, fresh, report) })
	if err := group.Wait(); err != nil {
		return report, err
	}
	return report, s.aloneAgain(ctx, nine, alone, report)
}
