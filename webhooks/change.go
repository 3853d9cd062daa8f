package webhooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/requestkey"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// Request is what all changes of an endpoint have in common.
type Request struct {
	ID string
	// Tenant is whose endpoint it must be, nil whoever's: to everybody else
	// there is no such endpoint.
	Tenant *string
	// Expected is the revision the change was decided on; nil takes any.
	Expected *eventstore.Revision
	// Meta names the command. With a fingerprint in it the command has a key of
	// the caller's: it takes effect once and is answered the same for ever.
	Meta eventstore.Metadata
}

// Changed is what there is after a change.
type Changed struct {
	Endpoint
	Replayed bool // an earlier request did it
	Position eventstore.Position
}

// Rules a request may be refused by, whatever it wants.
var (
	ErrRevision = domain.Rule("revision-mismatch", "it was changed since it was read")
)

// changed is an endpoint after a command, and what the log says of it.
type changed struct {
	state    endpoint.State
	Revision eventstore.Revision
	position eventstore.Position
	first    uuid.UUID // event of the command; none where it caused none
	// done reports that the command was in the log: then the state is that
	// right after it.
	done        bool
	fingerprint string
}

// races is how often a change may meet another one at the same endpoint.
const races = 8

// change reads an endpoint, lets it decide about the command that is made for
// its state, and appends what it decided.
func (s *Endpoints) change(
	ctx context.Context, r Request, wish func(endpoint.State) (endpoint.Command, error),
) (c changed, err error) {
	for range races {
		c, err = s.try(ctx, r, wish)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return c, err
}

func (s *Endpoints) try(
	ctx context.Context, r Request, wish func(endpoint.State) (endpoint.Command, error),
) (changed, error) {
	now, err := s.read(ctx, r)
	if err != nil || now.done {
		return now, err
	}
	if r.Expected != nil && *r.Expected != now.Revision {
		return now, ErrRevision.With("expected", int64(*r.Expected)).With("revision", int64(now.Revision))
	}
	command, err := wish(now.state)
	if err != nil {
		return now, err
	}
	events, err := endpoint.Decider.Decide(now.state, command)
	if err != nil {
		return now, err
	}
	if len(events) == 0 {
		return now, s.nothing(ctx, r, now.Revision)
	}
	stream := endpoint.Decider.Stream(r.ID)
	appends := newEvents(stream, r.Meta, events)
	appended, err := s.Store.Append(ctx, stream, now.Revision, appends...)
	if err != nil {
		return now, fmt.Errorf("append to %s after %d: %w", stream, now.Revision, err)
	}
	return changed{
		state: endpoint.Decider.Fold(now.state, events...), Revision: appended.Revision, position: appended.Position, first: appends[0].ID,
	}, nil
}

// newEvents gives the events of a command their ids. Under a key of the
// caller's two processes may decide at once, and each another secret: the ids
// follow from that as well, so that the second is no repetition of the first,
// meets a conflict, and answers what is in the log.
func newEvents(stream string, meta eventstore.Metadata, events []endpoint.Event) []eventstore.NewEvent {
	all := eventstore.NewEvents(stream, meta, events...)
	if meta.Fingerprint == "" {
		for i := range all {
			all[i].ID = eventstore.EventID(stream, meta.CommandID, i)
		}
	}
	return all
}

// nothing keeps under the caller's key that a request had nothing to change.
// Where the same request of the same moment found another revision, it is a
// conflict, and answered as that one was.
func (s *Endpoints) nothing(ctx context.Context, r Request, at eventstore.Revision) error {
	kept, err := requestkey.KeepUnchanged(ctx, s.Store, r.Meta, at)
	if err == nil && kept != at {
		err = eventstore.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("keep the key of what endpoint %s was asked for: %w", r.ID, err)
	}
	return nil
}

// read folds an endpoint. It ends after a command that a caller's key names, if
// that is in the log, or where the command found nothing to change: so what is
// answered the second time is what was answered the first time.
func (s *Endpoints) read(ctx context.Context, r Request) (changed, error) {
	at, unchanged, reused := requestkey.Unchanged(ctx, s.Store, r.Meta)
	c := changed{Revision: eventstore.NoStream}
	for recorded, err := range s.Store.ReadStream(ctx, endpoint.Decider.Stream(r.ID), 0) {
		if err != nil {
			return c, fmt.Errorf("read endpoint %s: %w", r.ID, err)
		}
		ended, err := c.take(recorded, r.Meta)
		if err != nil {
			return c, fmt.Errorf("read event %d of endpoint %s: %w", recorded.Revision, r.ID, err)
		}
		if ended || unchanged && recorded.Revision == at {
			break
		}
	}
	if unchanged {
		c.done, c.fingerprint = true, r.Meta.Fingerprint
	}
	switch {
	case r.Tenant != nil && (c.state.Status == "" || c.state.TenantID != *r.Tenant):
		return c, endpoint.ErrNotFound
	case c.done && c.fingerprint != r.Meta.Fingerprint:
		return c, domain.ErrKeyReused
	case !c.done:
		return c, reused
	}
	return c, nil
}

// take folds one event, or says that it comes after the command that is looked
// for.
func (c *changed) take(r eventstore.Recorded, meta eventstore.Metadata) (ended bool, err error) {
	if meta.Fingerprint != "" {
		of, err := r.Metadata()
		if err != nil {
			return false, err
		}
		if ours := of.CommandID == meta.CommandID; ours {
			if !c.done {
				c.first = r.ID
			}
			c.done, c.fingerprint, c.position = true, of.Fingerprint, r.Position
		} else if c.done {
			return true, nil
		}
	}
	event, err := r.Decode()
	if err != nil {
		return false, err
	}
	own, ok := event.(endpoint.Event)
	if !ok {
		return false, fmt.Errorf("%s is no event of an endpoint", r.Type)
	}
	c.state, c.Revision = endpoint.Decider.Evolve(c.state, own), r.Revision
	return false, nil
}

// command is [Endpoints.change] for a command that does not depend on the
// state.
func (s *Endpoints) command(ctx context.Context, r Request, cmd endpoint.Command) (changed, error) {
	return s.change(ctx, r, func(endpoint.State) (endpoint.Command, error) { return cmd, nil })
}

// result is what the caller gets to see of a change.
func (s *Endpoints) result(c changed, err error) (Changed, error) {
	if err != nil {
		return Changed{}, err
	}
	return Changed{Endpoint: s.view(c.state, c.Revision), Replayed: c.done, Position: c.position}, nil
}

// handle is [Endpoints.change] for what the dispatcher itself wants.
func (s *Endpoints) handle(ctx context.Context, id string, meta eventstore.Metadata, cmd endpoint.Command) (endpoint.State, eventstore.Revision, error) {
	c, err := s.command(ctx, Request{ID: id, Meta: meta}, cmd)
	return c.state, c.Revision, err
}
