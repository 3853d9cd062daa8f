package webhooks

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// settling is one courier's wish to save something; the answer says whether
// the cursor is still its own.
type settling struct {
	ledger.Settlement
	saved chan<- bool
}

// settler saves for all couriers: what came together goes into one
// transaction.
type settler struct {
	ledger *ledger.Ledger
	logger *slog.Logger
	meter  Meter
	now    func() time.Time
	in     chan settling
	last   atomic.Int64 // when it saved last, Unix nanoseconds
}

// due returns when something is to be saved that came first at a time: soon
// after a time of rest, else together with what comes until a moment that is
// the same for all, at most so much later.
func (s *settler) due(first time.Time, most time.Duration) time.Time {
	const soon = 4 // times sooner than most
	at := first.Truncate(most / soon).Add(most / soon)
	if rested := time.Unix(0, s.last.Load()).Add(most); rested.After(at) {
		at = rested
	}
	if last := first.Truncate(most).Add(most); at.After(last) {
		return last
	}
	return at
}

const (
	mostSettled = 256                  // couriers in one transaction
	together    = 2 * time.Millisecond // couriers save at the same times, but for so much
)

// run returns when the context ends. Nobody is answered then.
func (s *settler) run(ctx context.Context) {
	for {
		select {
		case first := <-s.in:
			s.last.Store(s.now().UnixNano())
			pause(ctx, together)
			s.save(ctx, s.gather(first))
		case <-ctx.Done():
			return
		}
	}
}

func (s *settler) gather(first settling) []settling {
	all := []settling{first}
	for len(all) < mostSettled {
		select {
		case next := <-s.in:
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

// save tries until it succeeds: the couriers wait meanwhile, and nothing more
// than their windows is unsaved.
func (s *settler) save(ctx context.Context, all []settling) {
	settlements := make([]ledger.Settlement, len(all))
	for i, one := range all {
		settlements[i] = one.Settlement
	}
	for wait := 10 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		saved, err := s.ledger.Settle(ctx, settlements)
		if err == nil {
			s.note(settlements, saved)
			for i, one := range all {
				one.saved <- saved[i]
			}
			return
		}
		if ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "webhooks cannot save results", "error", err, "wait", wait)
		}
		pause(ctx, wait)
	}
}

func (s *settler) note(settlements []ledger.Settlement, saved []bool) {
	attempts := 0
	for i, ours := range saved {
		if ours {
			attempts += len(settlements[i].Attempts)
		}
	}
	if s.meter.Settled != nil && attempts > 0 {
		s.meter.Settled(attempts)
	}
}
