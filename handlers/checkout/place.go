package checkout

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// Place is a request to place an order.
type Place struct {
	// Credential and Key name the checkout: the same two name the same one for
	// ever.
	Credential, Key string
	// Fingerprint tells two requests under one key apart.
	Fingerprint string
	Actor       eventstore.Actor
	// Cart is what is asked for. Its references to what follows are set here.
	Cart checkout.Request
	// Contact, ShipTo and BillTo are personal data of the person Subject names,
	// to be kept apart from the events. Nil is none. Without a subject they are
	// those of a guest, see [customer.Guest].
	Subject                 string
	Contact, ShipTo, BillTo any
}

// ID returns the id of the checkout that a key of a credential names.
func ID(credential, key string) string { return eventstore.DeriveID("checkout", credential, key) }

// Place takes a checkout as far as it gets. A repeated request gets the answer
// of the first one, goes on with one that was interrupted, or is refused with
// ErrInProgress; another request under the same key is refused with
// [domain.ErrKeyReused].
//
// What is refused is in the outcome. The error is a failure, mostly
// [eventstore.ErrUnavailable]: the request may be repeated with its key. The
// work goes on when the caller's context ends.
func (s *Service) Place(ctx context.Context, request Place) (Outcome, error) {
	if refused := cardNumber(request.Cart.Method); refused != nil {
		return Outcome{Refused: refused}, nil
	}
	id := ID(request.Credential, request.Key)
	current, free := s.claim(id, request.Fingerprint)
	if !free {
		if current.fingerprint != "" && current.fingerprint != request.Fingerprint {
			return Outcome{Refused: domain.ErrKeyReused}, nil
		}
		return s.meanwhile(ctx, id, func(known checkout.State) bool { return known.Fingerprint == request.Fingerprint })
	}
	ctx, cancel := s.detach(ctx)
	defer cancel()
	outcome, err := s.place(ctx, id, request, current.interrupted)
	s.release(id, err)
	return outcome, err
}

// cardNumber refuses the number of a card before anything is stored.
func cardNumber(method string) *domain.RuleError {
	if !checkout.CardNumber(method) {
		return nil
	}
	return checkout.ErrCart.Because(checkout.PayMistakes("/payment", method, "")...)
}

// detach keeps the work going when the caller has gone.
func (s *Service) detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.Config.withDefaults().Budget)
}

// claim marks a checkout as worked on by this process. It returns what was
// known of it before, and false where it is worked on already.
func (s *Service) claim(id, fingerprint string) (work, bool) {
	mine := &work{fingerprint: fingerprint}
	for {
		known, there := s.working.LoadOrStore(id, mine)
		if !there {
			return work{}, true
		}
		w, _ := known.(*work)
		if !w.interrupted {
			return *w, false
		}
		if s.working.CompareAndSwap(id, known, mine) {
			return *w, true
		}
	}
}

// release ends the work. One that failed is remembered, so that a repeated
// request need not wait until it is known to be interrupted.
func (s *Service) release(id string, err error) {
	if err == nil {
		s.working.Delete(id)
		return
	}
	failed := &work{interrupted: true}
	s.working.Store(id, failed)
	// After that time everybody takes it for interrupted.
	time.AfterFunc(s.Config.withDefaults().Patience, func() { s.working.CompareAndDelete(id, failed) })
}

func (s *Service) place(ctx context.Context, id string, request Place, interrupted bool) (Outcome, error) {
	r := s.run(id, request.Actor)
	started, err := s.start(ctx, r, request)
	if err != nil {
		return Outcome{}, err
	}
	if started {
		return s.advance(ctx, r)
	}
	if err := s.load(ctx, r); err != nil {
		return Outcome{}, err
	}
	state := r.checkout.state
	if state.Fingerprint != request.Fingerprint {
		return Outcome{Refused: domain.ErrKeyReused}, nil
	}
	return s.again(ctx, r, interrupted)
}

// again answers a repeated request: it goes on with a checkout that was
// interrupted, and disturbs none that is not.
func (s *Service) again(ctx context.Context, r *run, interrupted bool) (Outcome, error) {
	state := r.checkout.state
	waits := !state.Step.Open() || state.Step == checkout.Declined || state.Step == checkout.Unknown || state.Step == checkout.ActionRequired
	quiet := s.Now().Sub(state.ChangedAt)
	if patience := s.Config.withDefaults().Patience; !waits && !interrupted && quiet < patience {
		return busy(state, patience-quiet), nil
	}
	if state.Step == checkout.ActionRequired {
		// Who asks again has the shopper back, perhaps.
		if err := s.reconcile(ctx, r); err != nil && !errors.Is(err, eventstore.ErrConflict) {
			return Outcome{}, err
		}
		if err := s.load(ctx, r); err != nil {
			return Outcome{}, err
		}
	}
	outcome, err := s.advance(ctx, r)
	outcome.Replayed = true
	return outcome, err
}

// meanwhile answers a request for a checkout that this process is at. One that
// is over in the log has its answer, whatever is still to be done with it here.
func (s *Service) meanwhile(ctx context.Context, id string, asks func(checkout.State) bool) (Outcome, error) {
	outcome, err := s.Get(ctx, id)
	state := outcome.Checkout
	if err != nil || state.Step == "" || state.Step.Open() || !asks(state) {
		return busy(checkout.State{CheckoutID: id}, time.Second), nil
	}
	outcome.Replayed = true
	return outcome, nil
}

// start prices the cart and begins the checkout. It reports false when there
// is one already. The command's id is new each time: a repeated request must
// not pass for the first one.
func (s *Service) start(ctx context.Context, r *run, request Place) (bool, error) {
	now := s.Now()
	command := checkout.Start{
		CheckoutID: r.id, OrderID: eventstore.DeriveIDAt(now, "order", r.id), Fingerprint: request.Fingerprint,
		Request: request.Cart, At: now,
	}
	priced, err := s.Pricer.Price(ctx, request.Cart)
	switch {
	case errors.As(err, &command.Refused):
	case err != nil:
		return s.unlessThere(ctx, r, err)
	default:
		if err := s.prepare(ctx, &command, priced, request); err != nil {
			return s.unlessThere(ctx, r, err)
		}
	}
	if err := s.fault("priced"); err != nil {
		return false, err
	}
	meta := r.meta("start")
	meta.CommandID = s.NewID()
	cause, err := r.checkout.do(ctx, s.Store, meta, command)
	if errors.Is(err, eventstore.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.cause, r.first = cause, true
	return true, s.fault("started")
}

// unlessThere lets a repeated request have its answer although what a new
// checkout needs is not to be had.
func (s *Service) unlessThere(ctx context.Context, r *run, err error) (bool, error) {
	if s.load(ctx, r) == nil && r.checkout.state.Step != "" {
		return false, nil
	}
	return false, err
}

// prepare gives the order its number, its lines their reservations, and puts
// the personal data away.
func (s *Service) prepare(ctx context.Context, command *checkout.Start, priced Priced, request Place) error {
	number, err := s.Numbers.Next(ctx)
	if err != nil {
		return err
	}
	command.Number, command.Totals = number, priced.Totals
	location := s.Config.withDefaults().Location
	command.Lines = slices.Clone(priced.Lines)
	for i := range command.Lines {
		line := &command.Lines[i]
		line.Location = location
		line.ReservationID = eventstore.DeriveID("reservation", command.CheckoutID, location, line.SKU)
	}
	return s.putAway(ctx, command, request)
}

// putAway keeps personal data where events only refer to it. All of it waits
// for the disk at the same time.
func (s *Service) putAway(ctx context.Context, command *checkout.Start, request Place) error {
	if s.Contacts == nil {
		return nil
	}
	subject := request.Subject
	if subject == "" {
		subject = customer.Guest(command.OrderID)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range []struct {
		kind string
		data any
		ref  *string
	}{
		{"contact", request.Contact, &command.Request.ContactRef},
		{"ship-to", request.ShipTo, &command.Request.ShipToRef},
		{"bill-to", request.BillTo, &command.Request.BillToRef},
	} {
		if part.data == nil {
			continue
		}
		ref := eventstore.DeriveIDBeside(command.OrderID, part.kind, request.Fingerprint)
		*part.ref = ref
		group.Go(func() error { return s.Contacts.Put(ctx, subject, ref, part.data) })
	}
	return group.Wait()
}

// Pay is a request to try another payment for a checkout whose last one was
// declined.
type Pay struct {
	CheckoutID string
	// RequestID names the request: the same one is the same attempt.
	RequestID string
	// Fingerprint tells two requests under one name apart.
	Fingerprint string
	Method      string
	ReturnURL   string // see [checkout.Request]
	Actor       eventstore.Actor
}

// Pay tries another payment while the stock of a declined checkout is kept.
// Outcome and error are as those of [Service.Place].
func (s *Service) Pay(ctx context.Context, request Pay) (Outcome, error) {
	if wrong := checkout.PayMistakes("", request.Method, request.ReturnURL); len(wrong) > 0 {
		return Outcome{Refused: checkout.ErrCart.Because(wrong...)}, nil
	}
	current, free := s.claim(request.CheckoutID, "")
	if !free {
		return s.meanwhile(ctx, request.CheckoutID, func(known checkout.State) bool {
			asked, before := known.AskedBy(request.RequestID)
			return before && asked.Same(request.Fingerprint, request.Method)
		})
	}
	ctx, cancel := s.detach(ctx)
	defer cancel()
	outcome, err := s.pay(ctx, request, current.interrupted)
	s.release(request.CheckoutID, err)
	return outcome, err
}

func (s *Service) pay(ctx context.Context, request Pay, interrupted bool) (Outcome, error) {
	r := s.run(request.CheckoutID, request.Actor)
	if err := s.load(ctx, r); err != nil {
		return Outcome{}, err
	}
	state := r.checkout.state
	asked, before := state.AskedBy(request.RequestID)
	switch {
	case state.Step == "":
		return Outcome{Refused: ErrNotFound.With("checkout_id", request.CheckoutID)}, nil
	case before && !asked.Same(request.Fingerprint, request.Method):
		return Outcome{Checkout: state, Refused: domain.ErrKeyReused}, nil
	case before:
		return s.again(ctx, r, interrupted)
	case state.Step == checkout.Declined && !s.Now().Before(state.RetryUntil):
		return Outcome{Checkout: state, Refused: stock.ErrExpired}, nil
	}
	err := s.record(ctx, r, "pay "+request.RequestID, checkout.RequestPayment{
		PaymentID: r.paymentID(state.Attempt + 1), Method: request.Method, ReturnURL: request.ReturnURL,
		RequestID: request.RequestID, Fingerprint: request.Fingerprint, At: s.Now(),
	})
	var refused *domain.RuleError
	switch {
	case errors.As(err, &refused):
		return Outcome{Checkout: state, Refused: refused}, nil
	case errors.Is(err, eventstore.ErrConflict):
		return busy(state, time.Second), nil
	case err != nil:
		return Outcome{}, err
	}
	r.asked = false
	if err := s.fault("payment requested"); err != nil {
		return Outcome{}, err
	}
	return s.advance(ctx, r)
}
