// Package drafts keeps orders that somebody is putting together, and places
// them. It promises that a draft comes to at most one order however often and
// by whomever it is placed, that nothing of it changes meanwhile, and that
// personal data is in the vault before an event refers to it. The order is
// found again after a crash anywhere, because the checkout's id follows from
// the draft. It must not know what an address looks like.
package drafts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/customers"
)

// attempts is how often something is decided while others win the race.
const attempts = 5

// Vault keeps personal data apart from the events.
type Vault interface {
	Put(ctx context.Context, subject, ref string, data any) error
	Get(ctx context.Context, ref string, data any) error
}

// Service keeps drafts and places them. It may be used by many goroutines.
type Service struct {
	Store     eventstore.Store
	Vault     Vault
	Checkouts *checkout.Service
	Now       func() time.Time
	// Patience is how long a placement may take to begin its checkout before it
	// counts as interrupted; 0 means a minute.
	Patience time.Duration
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Result is a draft after a command.
type Result = handlers.Result[draft.State]

// Personal is what the vault keeps of a draft: data of the person Subject names.
// Nil is none.
type Personal struct {
	Subject                 string
	Contact, ShipTo, BillTo any
}

// Open begins a draft, whose id follows from the command. It reports whether the
// request was made before, and refuses with [domain.ErrKeyReused] where the
// same key stood for something else.
func (s *Service) Open(ctx context.Context, meta eventstore.Metadata, command draft.OpenDraft, data Personal) (Result, bool, error) {
	id := eventstore.DeriveID("draft", meta.CommandID)
	if known, err := s.opened(ctx, id, meta.Fingerprint); err != nil || known.State.Status != "" {
		return known, true, err
	}
	command.DraftID, command.At = id, s.Now().UTC()
	if _, err := draft.Decider.Decide(draft.State{}, command); err != nil {
		return Result{}, false, err // nothing is kept of what is refused
	}
	if err := refuseMethod(command.Details.PaymentMethod); err != nil {
		return Result{}, false, err
	}
	if err := s.keep(ctx, id, meta, data, &command.Details); err != nil {
		return Result{}, false, err
	}
	if err := s.fault("kept"); err != nil {
		return Result{}, false, err
	}
	result, err := s.handle(ctx, id, meta, command)
	if err == nil && len(result.Events) == 0 { // somebody was faster, under the same key
		result, err = s.opened(ctx, id, meta.Fingerprint)
		return result, true, err
	}
	return result, false, err
}

// opened returns a draft that was opened before.
func (s *Service) opened(ctx context.Context, id, fingerprint string) (Result, error) {
	for r, err := range s.Store.ReadStream(ctx, draft.Decider.Stream(id), 0) {
		if err != nil {
			return Result{}, fmt.Errorf("read draft %s: %w", id, err)
		}
		meta, err := r.Metadata()
		if err != nil {
			return Result{}, err
		}
		if meta.Fingerprint != fingerprint {
			return Result{}, domain.ErrKeyReused
		}
		break
	}
	return s.load(ctx, id)
}

// keep puts personal data into the vault, under references that follow from the
// command. Other data under the same key is another entry: the first may be
// there although its event is not.
func (s *Service) keep(ctx context.Context, id string, meta eventstore.Metadata, data Personal, details *draft.Details) error {
	details.CustomerID = data.Subject
	for _, part := range []struct {
		kind string
		data any
		ref  *string
	}{
		{"draft-contact", data.Contact, &details.ContactRef},
		{"draft-ship-to", data.ShipTo, &details.ShipToRef},
		{"draft-bill-to", data.BillTo, &details.BillToRef},
	} {
		if part.data == nil {
			continue
		}
		*part.ref = eventstore.DeriveID(part.kind, id, meta.CommandID, meta.Fingerprint)
		if err := s.Vault.Put(ctx, data.Subject, *part.ref, part.data); err != nil {
			return customers.Ruled(err)
		}
	}
	return nil
}

// Get returns a draft, or [draft.ErrNotFound]. One that is being placed is
// brought to where its checkout is.
func (s *Service) Get(ctx context.Context, id string) (Result, error) {
	d, err := s.load(ctx, id)
	if err != nil || d.State.Status != draft.Placing {
		return d, unlessThere(d, err)
	}
	return s.settle(ctx, d, s.patience())
}

// Do changes a draft. The error is [draft.ErrNotFound], [handlers.ErrRevision]
// where the change was meant for another revision, or what a rule refused.
func (s *Service) Do(ctx context.Context, id string, meta eventstore.Metadata, expected *eventstore.Revision, command draft.Command) (Result, error) {
	d, err := s.load(ctx, id)
	if err := unlessThere(d, err); err != nil {
		return Result{}, err
	}
	if err := meant(expected, d); err != nil {
		return Result{}, err
	}
	if d.State.Status == draft.Placing {
		if d, err = s.settle(ctx, d, s.patience()); err != nil {
			return Result{}, err
		}
	}
	if expected == nil {
		return s.handle(ctx, id, meta, command)
	}
	meta.CorrelationID = id
	return s.handler().HandleAt(ctx, id, d.Revision, meta, command)
}

// SetDetails says who a draft is for. The personal data is kept first.
func (s *Service) SetDetails(
	ctx context.Context, id string, meta eventstore.Metadata, expected *eventstore.Revision, details draft.Details, data Personal,
) (Result, error) {
	d, err := s.load(ctx, id)
	if err := unlessThere(d, err); err != nil {
		return Result{}, err
	}
	if err := errors.Join(meant(expected, d), refuseMethod(details.PaymentMethod)); err != nil {
		return Result{}, err
	}
	if _, err := draft.Decider.Decide(d.State, draft.SetDetails{Details: details}); errors.Is(err, draft.ErrInvalid) {
		return Result{}, err // nothing is kept of what is refused
	}
	if err := s.keep(ctx, id, meta, data, &details); err != nil {
		return Result{}, err
	}
	if err := s.fault("kept"); err != nil {
		return Result{}, err
	}
	return s.Do(ctx, id, meta, expected, draft.SetDetails{Details: details, At: s.Now().UTC()})
}

// Forget discards a draft because its customer is being erased. Nobody may be
// placing it any more.
func (s *Service) Forget(ctx context.Context, id, causationID string) error {
	d, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if d.State.Status == draft.Placing {
		if d, err = s.settle(ctx, d, 0); err != nil {
			return err
		}
	}
	if d.State.Status != draft.Open {
		return nil
	}
	meta := process("draft-forgotten", id, causationID)
	_, err = s.handle(ctx, id, meta, draft.Discard{Reason: draft.CustomerErased, At: s.Now().UTC()})
	return err
}

// meant refuses what was meant for another revision.
func meant(expected *eventstore.Revision, d Result) error {
	if expected == nil || *expected == d.Revision {
		return nil
	}
	return handlers.ErrRevision.With("expected", int64(*expected)).With("revision", int64(d.Revision))
}

// refuseMethod refuses the number of a card before anything is stored.
func refuseMethod(method string) error {
	if method == "" {
		return nil
	}
	if wrong := domaincheckout.PayMistakes("", method, ""); len(wrong) > 0 {
		wrong[0].Pointer = "/payment_method"
		return draft.ErrInvalid.Because(wrong...)
	}
	return nil
}

func unlessThere(d Result, err error) error {
	if err == nil && d.State.Status == "" {
		return draft.ErrNotFound
	}
	return err
}

func (s *Service) load(ctx context.Context, id string) (Result, error) {
	state, revision, err := eventstore.Load(ctx, s.Store, draft.Decider, id)
	if err != nil {
		return Result{}, fmt.Errorf("read draft %s: %w", id, err)
	}
	return Result{State: state, Revision: revision}, nil
}

func (s *Service) handler() handlers.CommandHandler[draft.State, draft.Command, draft.Event] {
	return handlers.CommandHandler[draft.State, draft.Command, draft.Event]{Store: s.Store, Decider: draft.Decider}
}

func (s *Service) handle(ctx context.Context, id string, meta eventstore.Metadata, command draft.Command) (Result, error) {
	meta.CorrelationID = id
	return s.handler().Handle(ctx, id, meta, command)
}

// process is the metadata of what nobody asked for: its id follows from what it
// is about, so that whoever does it does the same.
func process(what string, parts ...string) eventstore.Metadata {
	return eventstore.Metadata{
		CommandID: eventstore.DeriveID(what, parts...), CausationID: parts[len(parts)-1], Actor: eventstore.Actor{Type: "process", ID: "drafts"},
	}
}

func (s *Service) patience() time.Duration {
	if s.Patience == 0 {
		return time.Minute
	}
	return s.Patience
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}
