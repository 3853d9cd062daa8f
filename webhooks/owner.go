package webhooks

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Private is what settings have of an endpoint's owner without saying it: nil
// lets that be, and what is empty takes it away.
type Private struct {
	Credentials *credentials.Credentials
	Contact     *string // an e-mail address
}

// Change replaces an endpoint's settings by those that are made of its present
// ones.
func (s *Endpoints) Change(
	ctx context.Context, r Request, revise func(endpoint.Settings) (endpoint.Settings, error), private Private,
) (Changed, error) {
	contact := ""
	done, err := s.change(ctx, r, func(state endpoint.State) (endpoint.Command, error) {
		contact = state.ContactRef
		settings, err := revise(state.Settings)
		if err != nil {
			return nil, err
		}
		settings, limits, err := s.prove(settings, state.TenantID, r.ID, private.Credentials)
		if err != nil {
			return nil, err
		}
		if err := s.mayMove(ctx, state, settings.URL); err != nil {
			return nil, err
		}
		change := endpoint.Change{Settings: settings, Ping: s.ping(state.TenantID), At: s.Now(), Limits: limits}
		if _, err := endpoint.Decider.Decide(state, change); private.Contact == nil || err != nil {
			return change, err
		}
		change.ContactRef, err = s.keepContact(ctx, r.ID, settings, *private.Contact, r.Meta.CommandID)
		return change, err
	})
	if err == nil {
		s.forgetContact(ctx, contact, done.state.ContactRef)
	}
	return s.result(done, err)
}

// Pause stops deliveries until they are resumed; nothing is lost meanwhile.
func (s *Endpoints) Pause(ctx context.Context, r Request) (Changed, error) {
	return s.result(s.command(ctx, r, endpoint.Pause{At: s.Now()}))
}

// Resume lets deliveries go on: where they stopped (nil), or after a position.
func (s *Endpoints) Resume(ctx context.Context, r Request, from *eventstore.Position) (Changed, error) {
	resume := endpoint.Resume{At: s.Now()}
	if from != nil {
		resume.From = new(uint64(*from))
	}
	return s.result(s.command(ctx, r, resume))
}

// Turn enables or disables an endpoint as its owner wishes.
func (s *Endpoints) Turn(ctx context.Context, r Request, on bool) (Changed, error) {
	if on {
		return s.result(s.command(ctx, r, endpoint.Enable{At: s.Now()}))
	}
	return s.result(s.command(ctx, r, endpoint.Disable{Reason: endpoint.ReasonRequested, At: s.Now()}))
}

// DeleteOwn stops deliveries to an endpoint for good.
func (s *Endpoints) DeleteOwn(ctx context.Context, r Request) error {
	done, err := s.command(ctx, r, endpoint.Delete{At: s.Now()})
	if err == nil {
		s.forgetContact(ctx, done.state.ContactRef, "")
	}
	return err
}

// TestOwn sends a message of type endpoint.test to an endpoint and returns the
// message's id. The command's id names the test.
func (s *Endpoints) TestOwn(ctx context.Context, r Request) (string, error) {
	done, err := s.change(ctx, r, func(state endpoint.State) (endpoint.Command, error) {
		test := endpoint.Test{TestID: r.Meta.CommandID, Verified: s.Verify.Of(state.TenantID), At: s.Now()}
		if state.LastTest == test.TestID || !state.Exists() {
			return test, nil // a repeat uses up nothing
		}
		return test, s.limits.take(s.Bounds.Tests, "tests "+state.TenantID, test.At)
	})
	if done.first == (uuid.UUID{}) { // a repeat without a key
		done.first = eventstore.EventID(endpoint.Decider.Stream(r.ID), r.Meta.CommandID, 0)
	}
	return done.first.String(), err
}

// ErrSecretEnded says that a secret cannot be shown again.
var ErrSecretEnded = domain.Rule("secret-ended", "the secret that this request made signs no more, and cannot be shown again; another one needs another Idempotency-Key")

// Rotated is an endpoint's new secret: this is the only place it is shown.
type Rotated struct {
	Changed
	Secret   signing.Secret
	Version  int
	OldUntil time.Time
}

// Rotate gives an endpoint another secret. The one before signs as well for as
// long as overlap.
func (s *Endpoints) Rotate(ctx context.Context, r Request, overlap time.Duration) (Rotated, error) {
	c, err := s.change(ctx, r, func(state endpoint.State) (endpoint.Command, error) {
		return s.rotation(r.ID, state, overlap)
	})
	if err != nil {
		return Rotated{}, err
	}
	changed, _ := s.result(c, nil)
	newest := c.state.Secret()
	secret, err := s.rotated(ctx, c, newest)
	rotated := Rotated{Changed: changed, Secret: secret, Version: newest.Version}
	for _, before := range c.state.Secrets {
		if before.Version == newest.Version-1 {
			rotated.OldUntil = before.NotAfter
		}
	}
	return rotated, err
}

// rotated opens the secret that a command made. A repeat finds the event of
// then, whose seal may be of a master key that is gone: what still signs was
// sealed anew, and what signs no more is not kept.
func (s *Endpoints) rotated(ctx context.Context, c changed, made endpoint.Secret) (signing.Secret, error) {
	secret, err := open(s.Sealer, made.Sealed, c.state.TenantID, c.state.ID, made.Version)
	if err == nil || !c.done {
		return secret, err
	}
	now, _, loading := eventstore.Load(ctx, s.Store, endpoint.Decider, c.state.ID)
	if loading != nil {
		return secret, loading
	}
	for _, kept := range now.Secrets {
		if kept.Version == made.Version && kept.Live(s.Now()) {
			return open(s.Sealer, kept.Sealed, c.state.TenantID, c.state.ID, kept.Version)
		}
	}
	return secret, ErrSecretEnded
}

func (s *Endpoints) rotation(id string, state endpoint.State, overlap time.Duration) (endpoint.Command, error) {
	fresh, err := signing.NewSecret(s.Random)
	if err != nil {
		return nil, err
	}
	version := state.Secret().Version + 1
	sealed, err := seal(s.Sealer, fresh, state.TenantID, id, version)
	if err != nil {
		return nil, err
	}
	return endpoint.Rotate{Secret: endpoint.Secret{Version: version, Sealed: sealed}, Overlap: overlap, At: s.Now()}, nil
}

// SetChannels tells an endpoint which sales channels its partner has.
func (s *Endpoints) SetChannels(ctx context.Context, r Request, channels []string) error {
	_, err := s.command(ctx, r, endpoint.SetChannels{Channels: channels, At: s.Now()})
	return err
}

// Own returns an endpoint as it is, [endpoint.ErrNotFound] if there is none or
// it is somebody else's.
func (s *Endpoints) Own(ctx context.Context, id string, tenant *string) (Endpoint, error) {
	found, err := s.Get(ctx, id)
	if err == nil && tenant != nil && found.TenantID != *tenant {
		return Endpoint{}, endpoint.ErrNotFound
	}
	return found, err
}

// Entry is one event of an endpoint's life, for its owner.
type Entry struct {
	ID       string // of the event
	Type     string // stored name
	Revision eventstore.Revision
	At       time.Time
	Actor    eventstore.Actor
	TraceID  string
	Event    endpoint.Event
}

// History returns the events of an endpoint's life after a revision, oldest
// first, also of one that was deleted.
func (s *Endpoints) History(ctx context.Context, id string, tenant *string, after eventstore.Revision, limit int) ([]Entry, error) {
	var list []Entry
	for r, err := range s.Store.ReadStream(ctx, endpoint.Decider.Stream(id), 0) {
		if err != nil {
			return nil, fmt.Errorf("read endpoint %s: %w", id, err)
		}
		entry, err := entryOf(r)
		if err != nil {
			return nil, fmt.Errorf("read event %d of endpoint %s: %w", r.Revision, id, err)
		}
		if created, ok := entry.Event.(endpoint.Created); ok && tenant != nil && created.TenantID != *tenant {
			return nil, endpoint.ErrNotFound
		}
		if r.Revision > after {
			list = append(list, entry)
		}
		if len(list) == limit {
			return list, nil
		}
	}
	if len(list) == 0 && after == eventstore.NoStream {
		return nil, endpoint.ErrNotFound
	}
	return list, nil
}

func entryOf(r eventstore.Recorded) (Entry, error) {
	event, err := r.Decode()
	if err != nil {
		return Entry{}, err
	}
	own, ok := event.(endpoint.Event)
	if !ok {
		return Entry{}, fmt.Errorf("%s is no event of an endpoint", r.Type)
	}
	meta, err := r.Metadata()
	return Entry{
		ID: r.ID.String(), Type: r.Type, Revision: r.Revision, At: r.Created, Actor: meta.Actor, TraceID: meta.TraceID, Event: own,
	}, err
}
