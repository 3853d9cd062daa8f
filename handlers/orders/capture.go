package orders

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/requestkey"
)

// Capture is money to be taken by hand.
type Capture struct {
	CaptureID string
	PaymentID string        // empty is the first payment of which enough is left
	Amount    *domain.Money // nil is what is left of the payment, as far as the order still costs it
	Final     bool          // lets go of what is left
}

// Captured is a capture that was asked for, and how far it is.
type Captured struct {
	Payment  payment.State
	Movement payment.Movement
	Revision eventstore.Revision // of the order
	Position eventstore.Position // of the request in the log; 0 where it was there before under the caller's name
	Replayed bool
}

// Capture asks for money to be taken, and waits for the gateway where that is
// possible. The payment decides how much may be taken, and the order whether
// any, and that it is not more than it costs. The two are asked one after the
// other: a hold of the same moment comes too late, and what an edit of the same
// moment makes too much is given back. Of captures of several payments at the
// same moment those that are too much are withdrawn before a gateway is asked.
//
// The error is as that of [Service.Do], and what a payment refuses.
func (s *Service) Capture(ctx context.Context, r Request, wanted Capture) (Captured, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Config.withDefaults().Budget)
	defer cancel()
	r.Meta.CorrelationID = r.OrderID
	state, revision, err := s.At(ctx, r.OrderID, Moment{})
	if err != nil {
		return Captured{}, err
	}
	done, err := s.captured(ctx, r, state, wanted.CaptureID)
	if err == nil && done == nil {
		if done, err = s.capture(ctx, r, state, revision, wanted); err == nil {
			err = s.collect(ctx, r, done, wanted.CaptureID)
		}
	}
	if err != nil {
		return Captured{}, err
	}
	done.Revision = revision
	done.Movement, _ = find(done.Payment.Captures, wanted.CaptureID)
	if done.Movement.Code == payment.CodeExceedsOrder {
		return Captured{}, s.exceeds(ctx, state, done.Movement)
	}
	return *done, nil
}

// exceeds refuses a capture that was withdrawn, the first time and whenever it
// is asked for again.
func (s *Service) exceeds(ctx context.Context, state order.State, m payment.Movement) error {
	all, err := s.payments(ctx, state)
	if err != nil {
		return err
	}
	return order.ErrExceedsAuthorised.With("requested", m.Amount.String()).With("available", owed(state, all, m.ID).String())
}

// captured looks for a capture that was asked for before, under the same key.
func (s *Service) captured(ctx context.Context, r Request, state order.State, captureID string) (*Captured, error) {
	if r.Meta.Fingerprint == "" {
		return nil, nil
	}
	_, unchanged, reused := requestkey.Unchanged(ctx, s.Store, r.Meta)
	if unchanged { // it was there already, and still is
		known, err := s.Captured(ctx, r.OrderID, captureID)
		known.Replayed = true
		return &known, err
	}
	for _, p := range state.Payments {
		known, err := read(ctx, s.Store, payment.Decider, p.PaymentID, r.Meta)
		switch {
		case err != nil:
			return nil, err
		case known.done && known.fingerprint != r.Meta.Fingerprint:
			return nil, domain.ErrKeyReused
		case known.done: // what came of it since is of interest
			latest, _, err := eventstore.Load(ctx, s.Store, payment.Decider, p.PaymentID)
			return &Captured{Payment: latest, Position: known.position, Replayed: true}, err
		}
	}
	return nil, reused
}

// capture lets a payment decide, where the order allows it.
func (s *Service) capture(ctx context.Context, r Request, state order.State, revision eventstore.Revision, wanted Capture) (*Captured, error) {
	if r.Expected != nil && *r.Expected != revision {
		return nil, handlers.ErrRevision.With("expected", int64(*r.Expected)).With("revision", int64(revision))
	}
	if err := state.MayCapture(); err != nil {
		return nil, err
	}
	for range attempts {
		done, err := s.captureNow(ctx, r, state, wanted)
		if err == nil && done.Position == 0 {
			_, err = requestkey.KeepUnchanged(ctx, s.Store, r.Meta, revision)
		}
		if !errors.Is(err, handlers.ErrRevision) {
			return done, err
		}
	}
	return nil, fmt.Errorf("capture of order %s: %w", r.OrderID, eventstore.ErrConflict)
}

// paid is a payment as it was read.
type paid struct {
	state    payment.State
	revision eventstore.Revision
}

// captureNow lets a payment decide, unless that changed since it was read: what
// another capture of the same moment takes is not owed any more.
func (s *Service) captureNow(ctx context.Context, r Request, state order.State, wanted Capture) (*Captured, error) {
	all, err := s.payments(ctx, state)
	if err != nil {
		return nil, err
	}
	if wanted, err = where(all, wanted); err != nil {
		return nil, err
	}
	owed := owed(state, all, wanted.CaptureID)
	var refusal error = order.ErrUnknown.With("payment_id", wanted.PaymentID)
	for _, p := range all {
		if wanted.PaymentID != "" && wanted.PaymentID != p.state.PaymentID {
			continue
		}
		done, err := s.captureOf(ctx, r, p, wanted, owed)
		var rule *domain.RuleError
		if err == nil || errors.Is(err, handlers.ErrRevision) || !errors.As(err, &rule) {
			return done, err
		}
		refusal = err
	}
	return nil, refusal
}

func (s *Service) payments(ctx context.Context, state order.State) ([]paid, error) {
	all := make([]paid, 0, len(state.Payments))
	for _, p := range state.Payments {
		known, revision, err := eventstore.Load(ctx, s.Store, payment.Decider, p.PaymentID)
		if err != nil {
			return nil, err
		}
		all = append(all, paid{known, revision})
	}
	return all, nil
}

// where names the payment of a capture that there is already: its id is the
// order's, and not once more that of another payment.
func where(all []paid, wanted Capture) (Capture, error) {
	for _, p := range all {
		if _, there := find(p.state.Captures, wanted.CaptureID); !there {
			continue
		}
		if wanted.PaymentID != "" && wanted.PaymentID != p.state.PaymentID {
			return wanted, payment.ErrIDReused.With("capture_id", wanted.CaptureID)
		}
		wanted.PaymentID = p.state.PaymentID
	}
	return wanted, nil
}

// owed is what an order costs and was neither captured yet nor is about to be,
// other than by one capture: an edit may have left less than is authorised, and
// what was given back for an edit may be owed again since another one.
func owed(state order.State, all []paid, captureID string) domain.Money {
	owed := state.Totals.Grand
	owed.Amount += Corrected(state)
	for _, p := range all {
		for _, m := range p.state.Captures {
			if m.Status != payment.MovementFailed && m.ID != captureID {
				owed.Amount -= m.Amount.Amount
			}
		}
	}
	owed.Amount = max(owed.Amount, 0)
	return owed
}

func (s *Service) captureOf(ctx context.Context, r Request, p paid, wanted Capture, owed domain.Money) (*Captured, error) {
	command := payment.RequestCapture{CaptureID: wanted.CaptureID, Final: wanted.Final}
	if wanted.Amount != nil {
		if command.Amount = *wanted.Amount; command.Amount.Currency == owed.Currency && command.Amount.Amount > owed.Amount {
			return nil, order.ErrExceedsAuthorised.With("requested", command.Amount.String()).With("available", owed.String())
		}
	} else {
		known, there := find(p.state.Captures, wanted.CaptureID)
		command.Amount = p.state.Capturable()
		command.Amount.Amount = min(command.Amount.Amount, owed.Amount)
		switch {
		case there:
			command.Amount = known.Amount
		case command.Amount.Amount == 0:
			return nil, payment.ErrExceedsAuthorised.With("authorised", p.state.Authorised).With("taken", p.state.Captured())
		}
	}
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: s.Store, Decider: payment.Decider}
	result, err := h.HandleAt(ctx, p.state.PaymentID, p.revision, r.Meta, command)
	if err != nil {
		return nil, err
	}
	return &Captured{Payment: result.State, Position: result.Position}, nil
}

// collect takes the money at once, where that is possible. What it could not do
// the task does, so its failure is none of the request.
func (s *Service) collect(ctx context.Context, r Request, done *Captured, captureID string) error {
	if err := s.fault("capture requested"); err != nil {
		return err
	}
	if s.Collect == nil {
		return nil
	}
	if s.Collect(ctx, r.OrderID, done.Payment.PaymentID, captureID) != nil {
		return nil
	}
	latest, _, err := eventstore.Load(ctx, s.Store, payment.Decider, done.Payment.PaymentID)
	if err != nil {
		return fmt.Errorf("read what became of capture %s: %w", captureID, err)
	}
	done.Payment = latest
	return nil
}

// Captured returns where a capture of an order stands.
func (s *Service) Captured(ctx context.Context, orderID, captureID string) (Captured, error) {
	state, revision, err := s.At(ctx, orderID, Moment{})
	if err != nil {
		return Captured{}, err
	}
	for _, p := range state.Payments {
		latest, _, err := eventstore.Load(ctx, s.Store, payment.Decider, p.PaymentID)
		if err != nil {
			return Captured{}, err
		}
		if m, known := find(latest.Captures, captureID); known {
			return Captured{Payment: latest, Movement: m, Revision: revision}, nil
		}
	}
	return Captured{}, order.ErrUnknown.With("capture_id", captureID)
}

func find(movements []payment.Movement, id string) (payment.Movement, bool) {
	for _, m := range movements {
		if m.ID == id {
			return m, true
		}
	}
	return payment.Movement{}, false
}
