package webhooks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// Resend has an event sent to an endpoint again.
func (s *Endpoints) Resend(ctx context.Context, r Request, event endpoint.Chosen) (Changed, error) {
	return s.result(s.change(ctx, r, func(state endpoint.State) (endpoint.Command, error) {
		switch state.Status {
		case endpoint.StatusPaused:
			return nil, endpoint.ErrPaused
		case endpoint.StatusDisabled:
			return nil, endpoint.ErrDisabled
		case endpoint.StatusActive, endpoint.StatusDeleted: // the command judges
		}
		return endpoint.Resend{Chosen: event, At: s.Now()}, s.limits.take(s.Bounds.Resends, "resends "+state.TenantID, s.Now())
	}))
}

// Skip gives up an event that an endpoint has not got.
func (s *Endpoints) Skip(ctx context.Context, r Request, event endpoint.Chosen) (Changed, error) {
	return s.result(s.command(ctx, r, endpoint.Skip{Chosen: event, At: s.Now()}))
}

// isWish tells the events by which owners want something of single events.
func isWish(stored string) bool {
	return stored == endpoint.DeliveryResent{}.EventName() || stored == endpoint.DeliverySkipped{}.EventName()
}

func wishOf(_ context.Context, r eventstore.Recorded) (ledger.Change, error) {
	event, err := r.Decode()
	if err != nil {
		return ledger.Change{}, err
	}
	wish := &ledger.Wish{EndpointID: message.AggregateID(r.Stream), Revision: r.Revision}
	var chosen endpoint.Chosen
	switch e := event.(type) {
	case endpoint.DeliveryResent:
		chosen = e.Chosen
	case endpoint.DeliverySkipped:
		chosen, wish.Skip = e.Chosen, true
	default:
		return ledger.Change{}, fmt.Errorf("%s is no wish", r.Type)
	}
	wish.Event = delivery.Parked{
		Position: eventstore.Position(chosen.Position), Revision: eventstore.Revision(chosen.Revision), //nolint:gosec // far below
		Lane: chosen.Stream, ID: chosen.EventID,
	}
	return ledger.Change{Wish: wish, Position: r.Position}, nil
}

// grant tells couriers what the owners of their endpoints want. One that is
// busy is told the next time.
func (s *supervisor) grant(ctx context.Context) {
	wishes, err := s.d.Ledger.Wishes(ctx)
	if err != nil {
		s.complain(ctx, "webhooks cannot read what owners want", err)
		return
	}
	for endpointID, list := range wishes {
		r := s.couriers[ledger.Key{EndpointID: endpointID, RunID: ledger.Live}]
		if r == nil {
			continue
		}
		select {
		case <-r.wishes: // an older list
		default:
		}
		r.wishes <- list
	}
}

// granted are the wishes a courier knows of.
type granted struct {
	known map[eventstore.Revision]bool
	done  []eventstore.Revision // and not saved yet
	since time.Time             // the first of done
	later []ledger.Wish         // about events of which an attempt is under way
}

// grant does what is wanted, each wish once. It is saved with what follows from
// it: until then the wish stays in the ledger.
func (c *courier) grant(wishes []ledger.Wish, now time.Time) {
	c.granted.later = nil
	for _, wish := range wishes {
		if c.granted.known[wish.Revision] {
			continue
		}
		if c.granted.waits(wish) || !c.fulfil(wish, now) {
			c.granted.later = append(c.granted.later, wish)
			continue
		}
		if c.granted.known == nil {
			c.granted.known = map[eventstore.Revision]bool{}
		}
		c.granted.known[wish.Revision] = true
		if len(c.granted.done) == 0 {
			c.granted.since = now
		}
		c.granted.done = append(c.granted.done, wish.Revision)
	}
}

// waits says whether another wish about the same event has to come first.
func (g *granted) waits(wish ledger.Wish) bool {
	return slices.ContainsFunc(g.later, func(w ledger.Wish) bool { return w.Event.Position == wish.Event.Position })
}

// fulfil returns false when it is not the time for a wish.
func (c *courier) fulfil(wish ledger.Wish, now time.Time) bool {
	if wish.Skip {
		return c.plan.Skip(wish.Event)
	}
	return c.plan.Resend(wish.Event, now)
}
