package drafts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/customers"
)

// credential stands for drafts where a checkout is named by a credential and a
// key: no API key is called so.
const credential = "drafts"

// Place is a request to place a draft.
type Place struct {
	DraftID string
	// Meta names the request and has its fingerprint: the same one is answered
	// the same for ever.
	Meta eventstore.Metadata
	// Expected is the revision the request is meant for; nil is any.
	Expected *eventstore.Revision
	// Method is how it is paid: that of the draft if empty.
	Method, ReturnURL string
}

// Place takes a draft to an order, as far as it gets. While its checkout waits
// for another payment, this is that payment; after it failed, another checkout
// is begun. A draft that was placed is answered with its order. Outcome and
// error are as those of [checkout.Service.Place].
func (s *Service) Place(ctx context.Context, r Place) (outcome checkout.Outcome, err error) {
	for range attempts {
		outcome, err = s.place(ctx, r)
		if !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return outcome, err
}

func (s *Service) place(ctx context.Context, r Place) (checkout.Outcome, error) {
	d, err := s.load(ctx, r.DraftID)
	if err := unlessThere(d, err); err != nil {
		return checkout.Outcome{}, err
	}
	if outcome, known, err := s.asked(ctx, d, r); known || err != nil {
		return outcome, err
	}
	if d.State.Status == draft.Placed {
		return s.replay(ctx, d.State.Last().CheckoutID)
	}
	if err := meant(r.Expected, d); err != nil {
		return checkout.Outcome{}, err
	}
	r.Method = cmp.Or(r.Method, d.State.Details.PaymentMethod)
	if wrong := domaincheckout.PayMistakes("/payment", r.Method, r.ReturnURL); len(wrong) > 0 {
		return checkout.Outcome{Refused: domaincheckout.ErrCart.Because(wrong...)}, nil
	}
	if d.State.Status == draft.Placing {
		if d, err = s.settle(ctx, d, s.patience()); err != nil {
			return checkout.Outcome{}, err
		}
	}
	if d.State.Status == draft.Placing || d.State.Status == draft.Placed {
		return s.goOn(ctx, d, r)
	}
	return s.begin(ctx, d, r)
}

// asked answers a request that was made before.
func (s *Service) asked(ctx context.Context, d Result, r Place) (checkout.Outcome, bool, error) {
	for i, attempt := range d.State.Attempts {
		under := d.State.Status == draft.Placing && i == len(d.State.Attempts)-1
		if attempt.RequestID == r.Meta.CommandID {
			if attempt.Fingerprint != r.Meta.Fingerprint {
				return checkout.Outcome{Refused: domain.ErrKeyReused}, true, nil
			}
			if under {
				outcome, err := s.run(ctx, d, r.Meta.Actor)
				return outcome, true, err
			}
			outcome, err := s.replay(ctx, attempt.CheckoutID)
			return outcome, true, err
		}
		o, err := s.Checkouts.Get(ctx, attempt.CheckoutID)
		if err != nil {
			return checkout.Outcome{}, false, err
		}
		before, paid := o.Checkout.AskedBy(r.Meta.CommandID)
		switch {
		case !paid:
			continue
		case !before.Same(r.Meta.Fingerprint, cmp.Or(r.Method, d.State.Details.PaymentMethod)):
			return checkout.Outcome{Refused: domain.ErrKeyReused}, true, nil
		}
		if under {
			outcome, err := s.pay(ctx, d, r)
			return outcome, true, err
		}
		outcome, err := s.replay(ctx, attempt.CheckoutID)
		return outcome, true, err
	}
	return checkout.Outcome{}, false, nil
}

// replay answers with what a checkout came to.
func (s *Service) replay(ctx context.Context, checkoutID string) (checkout.Outcome, error) {
	outcome, err := s.Checkouts.Get(ctx, checkoutID)
	outcome.Replayed = true
	if outcome.Checkout.Fingerprint == withdrawn {
		outcome.Refused = domaincheckout.ErrAbandoned
	}
	return outcome, err
}

// begin closes the draft and makes a checkout of it.
func (s *Service) begin(ctx context.Context, d Result, r Place) (checkout.Outcome, error) {
	if d.State.Status == draft.Open && d.State.Details.ContactRef == "" {
		return checkout.Outcome{}, draft.ErrInvalid.Because(domain.Mistake{
			Pointer: "/customer/email", Code: "required", Detail: "an order needs the customer's e-mail address: say who the draft is for",
		})
	}
	n := strconv.Itoa(len(d.State.Attempts) + 1)
	r.Meta.CorrelationID = r.DraftID
	begun, err := s.handler().HandleAt(ctx, r.DraftID, d.Revision, r.Meta, draft.BeginPlacement{Attempt: draft.Attempt{
		CheckoutID: checkout.ID(credential, key(r.DraftID, n)), RequestID: r.Meta.CommandID, Fingerprint: r.Meta.Fingerprint,
		PaymentMethod: r.Method, ReturnURL: r.ReturnURL, BegunAt: s.Now().UTC(),
	}})
	if errors.Is(err, handlers.ErrRevision) {
		return checkout.Outcome{}, eventstore.ErrConflict // perhaps by the same request, sent twice
	}
	if err != nil {
		return checkout.Outcome{}, err
	}
	if err := s.fault("begun"); err != nil {
		return checkout.Outcome{}, err
	}
	return s.run(ctx, begun, r.Meta.Actor)
}

// key names the checkout of an attempt.
func key(draftID, n string) string { return draftID + "#" + n }

// run makes the checkout of the last attempt, or goes on with it.
func (s *Service) run(ctx context.Context, d Result, actor eventstore.Actor) (checkout.Outcome, error) {
	state, attempt := d.State, d.State.Last()
	request := checkout.Place{
		Credential: credential, Key: key(state.DraftID, strconv.Itoa(len(state.Attempts))), Fingerprint: attempt.Fingerprint,
		Actor: actor, Subject: state.Details.CustomerID,
		Cart: Cart(state),
	}
	request.Cart.Method, request.Cart.ReturnURL = attempt.PaymentMethod, attempt.ReturnURL
	if err := s.read(ctx, state.Details, &request); err != nil {
		return checkout.Outcome{}, customers.Ruled(err)
	}
	outcome, err := s.Checkouts.Place(ctx, request)
	if err != nil {
		return outcome, customers.Ruled(err)
	}
	if outcome.Refused != nil && errors.Is(outcome.Refused, domain.ErrKeyReused) {
		return outcome, eventstore.ErrConflict // somebody withdrew it meanwhile
	}
	return s.finish(ctx, state, outcome)
}

// read fetches the personal data of a draft, as it is kept: the order gets its
// own.
func (s *Service) read(ctx context.Context, d draft.Details, request *checkout.Place) error {
	for _, part := range []struct {
		ref string
		to  *any
	}{{d.ContactRef, &request.Contact}, {d.ShipToRef, &request.ShipTo}, {d.BillToRef, &request.BillTo}} {
		if part.ref == "" {
			continue
		}
		var data json.RawMessage
		if err := s.Vault.Get(ctx, part.ref, &data); err != nil {
			return err
		}
		*part.to = data
	}
	return nil
}

// goOn answers with the checkout that is under way: a payment where it waits
// for one.
func (s *Service) goOn(ctx context.Context, d Result, r Place) (checkout.Outcome, error) {
	o, err := s.Checkouts.Get(ctx, d.State.Last().CheckoutID)
	switch {
	case err != nil:
		return o, err
	case o.Checkout.Step == domaincheckout.Declined:
		return s.pay(ctx, d, r)
	case o.Checkout.Step == "":
		return inProgress(), nil
	case o.Checkout.Step == domaincheckout.Completed:
		return s.replay(ctx, o.Checkout.CheckoutID)
	}
	return s.run(ctx, d, r.Meta.Actor)
}

func inProgress() checkout.Outcome {
	return checkout.Outcome{Refused: checkout.ErrInProgress.With("retry_after", 1), RetryAfter: time.Second}
}

func (s *Service) pay(ctx context.Context, d Result, r Place) (checkout.Outcome, error) {
	outcome, err := s.Checkouts.Pay(ctx, checkout.Pay{
		CheckoutID: d.State.Last().CheckoutID, RequestID: r.Meta.CommandID, Fingerprint: r.Meta.Fingerprint,
		Method: cmp.Or(r.Method, d.State.Details.PaymentMethod), ReturnURL: r.ReturnURL, Actor: r.Meta.Actor,
	})
	if err != nil {
		return outcome, err
	}
	return s.finish(ctx, d.State, outcome)
}

// finish records what a checkout came to, once it came to something.
func (s *Service) finish(ctx context.Context, d draft.State, o checkout.Outcome) (checkout.Outcome, error) {
	if err := s.fault("checked out"); err != nil {
		return o, err
	}
	_, err := s.record(ctx, d, o)
	return o, err
}

func (s *Service) record(ctx context.Context, d draft.State, o checkout.Outcome) (Result, error) {
	id, now := o.Checkout.CheckoutID, s.Now().UTC()
	switch o.Checkout.Step {
	case domaincheckout.Completed:
		return s.handle(ctx, d.DraftID, process("draft-placed", d.DraftID, id), draft.Place{CheckoutID: id, OrderID: o.Checkout.OrderID, At: now})
	case domaincheckout.Failed, domaincheckout.Abandoned:
		reason := domaincheckout.ErrAbandoned.Code
		if o.Refused != nil && o.Checkout.Fingerprint != withdrawn {
			reason = o.Refused.Code
		}
		return s.handle(ctx, d.DraftID, process("draft-not-placed", d.DraftID, id), draft.EndPlacement{CheckoutID: id, Reason: reason, At: now})
	default: // is not over
		return s.load(ctx, d.DraftID)
	}
}
