package webhooks

import (
	"context"
	"maps"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

// BacklogProcess is another process, with a dispatcher whose Config says
// BacklogOnly. Endpoints with much of the past to send, because they are far
// behind or have a replay, are set aside for it: what is live then shares its
// processors with none of that. An endpoint belongs to one process at a time,
// with its replays, as everywhere by its fenced lease.
type BacklogProcess interface {
	// Need says whether any endpoints are set aside. It returns at once, and is
	// called often.
	Need(needed bool)
}

const (
	asideAfter  = 250 * time.Millisecond // of sending the past; less is not worth the move
	asideSent   = 64                     // messages of the past that came meanwhile: the receiver is up
	asideEvery  = 250 * time.Millisecond // is how often it is looked who is set aside
	asideGrace  = 5 * time.Second        // in which the other process, or one of them, has to begin
	asideAgain  = time.Minute            // after it did not
	mostWaiting = 64                     // endpoints that are to be set aside
)

// aside is what a supervisor knows of the endpoints that are set aside.
type aside struct {
	ids      map[string]bool      // as the ledger says
	any      time.Time            // when there were any last
	unserved map[string]time.Time // since when nobody is known to serve them
	keep     map[string]time.Time // until then they are not set aside
	leaving  map[string]bool      // are given back once their couriers are home
}

func newAside() aside {
	return aside{unserved: map[string]time.Time{}, keep: map[string]time.Time{}, leaving: map[string]bool{}}
}

// sendsPast notes that an attempt of the past begins.
func (c *courier) sendsPast(now time.Time) {
	if c.past.IsZero() {
		c.past, c.pastSent = now, 0
	}
	if c.d.BacklogProcess == nil || c.d.cfg.BacklogOnly || now.Sub(c.past) < asideAfter || c.pastSent < asideSent {
		return
	}
	c.past = time.Time{}
	select {
	case c.d.tooFar <- c.to.ID:
	default: // there are others to see to, and it will ask again
	}
}

// setAside leaves an endpoint to the other process.
func (s *supervisor) setAside(ctx context.Context, id string) {
	if s.d.Now().Before(s.aside.keep[id]) {
		return
	}
	s.complain(ctx, "webhooks cannot set an endpoint aside", s.d.Ledger.SetAside(ctx, id))
}

// lookAside reads who is set aside, and sees to those who need not be.
func (s *supervisor) lookAside(ctx context.Context, active map[string]ledger.Endpoint, runs []ledger.Run) error {
	ids, err := s.d.Ledger.Aside(ctx)
	if err != nil {
		return err
	}
	s.aside.ids = ids
	now := s.d.Now()
	maps.DeleteFunc(s.aside.unserved, func(id string, _ time.Time) bool { return !ids[id] })
	maps.DeleteFunc(s.aside.leaving, func(id string, _ bool) bool { return !ids[id] })
	maps.DeleteFunc(s.aside.keep, func(_ string, until time.Time) bool { return !now.Before(until) })
	served := map[string]bool{}
	for _, run := range runs {
		if run.RunID == ledger.Live {
			served[run.EndpointID] = run.Served && !s.abandoned(run)
		}
	}
	for id := range ids {
		if s.aside.any = now; s.aside.unserved[id].IsZero() || served[id] {
			s.aside.unserved[id] = now
		}
		if _, ok := active[id]; !ok && !s.serves(id) {
			s.takeBack(ctx, id) // nothing is sent to it
		}
	}
	if s.d.cfg.BacklogOnly {
		s.giveBack(ctx, runs)
		return nil
	}
	s.takeOver(ctx, now)
	if s.d.BacklogProcess != nil {
		s.d.BacklogProcess.Need(len(s.aside.ids) > 0)
	}
	return nil
}

// looks says whether to look often who is set aside. What others set aside a
// process sees in time; but who is given back may for a moment still be served.
func (s *supervisor) looks() bool {
	return s.d.cfg.BacklogOnly || len(s.aside.ids) > 0 || s.d.Now().Sub(s.aside.any) < asideGrace
}

// mayHaveChanged says whether there is a reason to look.
func (s *supervisor) mayHaveChanged(ctx context.Context) bool {
	if !s.d.cfg.BacklogOnly {
		return true
	}
	if len(s.aside.ids) > 0 || len(s.couriers) > 0 {
		return true
	}
	ids, err := s.d.Ledger.Aside(ctx)
	s.complain(ctx, "webhooks cannot read what is set aside", err)
	return len(ids) > 0
}

// here says whether this process is the one to serve an endpoint.
func (s *supervisor) here(id string) bool {
	if s.d.cfg.BacklogOnly {
		return s.aside.ids[id] && !s.aside.leaving[id]
	}
	return !s.aside.ids[id]
}

// serves says whether an endpoint has a courier here.
func (s *supervisor) serves(id string) bool {
	for key := range s.couriers {
		if key.EndpointID == id {
			return true
		}
	}
	return false
}

// takeBack ends that an endpoint is set aside.
func (s *supervisor) takeBack(ctx context.Context, id string) {
	if err := s.d.Ledger.TakeBack(ctx, id); err != nil {
		s.complain(ctx, "webhooks cannot take an endpoint back", err)
		return
	}
	delete(s.aside.ids, id)
	delete(s.aside.unserved, id)
	delete(s.aside.leaving, id)
}

// takeOver takes back whom nobody serves, in a process that may set aside. Where
// there are several, each with such a process, one that ends leaves its endpoints
// to the others' first.
func (s *supervisor) takeOver(ctx context.Context, now time.Time) {
	for id := range s.aside.ids {
		if now.Sub(s.aside.unserved[id]) < asideGrace {
			continue
		}
		s.d.Logger.WarnContext(ctx, "nobody works off what an endpoint has missed, it is done in this process", "endpoint", id)
		s.aside.keep[id] = now.Add(asideAgain)
		s.takeBack(ctx, id)
	}
}

// giveBack gives up who has caught up, or is down, in the process of the past.
func (s *supervisor) giveBack(ctx context.Context, runs []ledger.Run) {
	busy, through := map[string]bool{}, map[string]eventstore.Position{}
	for _, run := range runs {
		switch {
		case run.RunID == ledger.Live:
			through[run.EndpointID] = run.Through
		case !IsPing(run.RunID):
			busy[run.EndpointID] = true
		}
	}
	for id := range s.aside.ids {
		budget := s.budgets[id]
		switch {
		case s.aside.leaving[id]:
			if !s.serves(id) {
				s.takeBack(ctx, id)
			}
		case budget == nil: // it has yet to begin
		case !budget.Up(), !busy[id] && s.d.hub.Load().covers(through[id]):
			s.aside.leaving[id] = true
		}
	}
}
