package fulfilment

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	domaincheckout "github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/handlers/process"
)

// Rules that refuse a payment of an order.
var (
	// ErrPending has the detail payment_id.
	ErrPending = domain.Rule("payment-pending", "another payment of the order has no outcome yet")
	ErrPaid    = domain.Rule("nothing-to-pay", "what the order costs is paid or promised")
	// ErrTooMany has the details payments and retry_at.
	ErrTooMany = domain.Rule("too-many-payments", "too many payments of the order came to nothing in the last hour")
)

// MaxPayments is how many payments of an order may come to nothing in an hour.
const MaxPayments = 5

// Payment is how an order is to be paid.
type Payment struct {
	Method    string
	ReturnURL string // where the shopper comes back to; see [gateway.Authorise]
}

// Paid is a payment that somebody asked for, as it is by now.
type Paid struct {
	Payment  payment.State
	Revision eventstore.Revision // of the order
	Position eventstore.Position // of the request in the log
	Replayed bool
}

// Pay authorises another payment for what an order costs and nobody has paid or
// promised: mostly because an authorisation ran out, or is about to and was not
// renewed. Such a one counts for nothing, and is let go once there is another.
//
// The same request again is the same payment. Its outcome may not be known when
// Pay returns: then the task of kind [process.Pay] goes on. The error is as that
// of [orders.Service.Do], or one of the rules above, or
// [checkout.ErrGatewayAway]: the same request goes on where it stopped.
func (s *Service) Pay(ctx context.Context, request orders.Request, wanted Payment) (Paid, error) {
	if wrong := domaincheckout.PayMistakes("", wanted.Method, wanted.ReturnURL); len(wrong) > 0 {
		return Paid{}, order.ErrInvalid.Because(wrong...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Config.withDefaults().Budget)
	defer cancel()
	done, err := s.announce(ctx, request, wanted)
	if err != nil {
		return Paid{}, err
	}
	id, look := done.Payment.PaymentID, done.Replayed
	failure := s.handle(func(r *run, ctx context.Context) error {
		defer func() { look = true }() // before it is asked again
		return r.pursue(ctx, true, look)
	})(ctx, process.Task{OrderID: request.OrderID, Kind: process.Pay, Ref: id, Cause: request.Meta.CommandID, OpenedAt: s.Now()})
	if done.Payment, _, err = eventstore.Load(ctx, s.Store, payment.Decider, id); err != nil {
		return Paid{}, err
	}
	if _, done.Revision, err = eventstore.Load(ctx, s.Store, order.Decider, request.OrderID); err != nil {
		return Paid{}, err
	}
	// What could not be done the task does, so that its failure is none of the
	// request's, unless nobody was asked for the money.
	if waits, _ := errors.AsType[*process.NotYetError](failure); failure == nil || waits != nil || done.Payment.Status != payment.StatusRequested {
		return done, nil
	}
	if errors.Is(failure, gateway.ErrNotSent) {
		failure = errors.Join(checkout.ErrGatewayAway, failure)
	}
	return done, failure
}

// Payments returns all payments of an order, the one it was placed with first.
// The error is [orders.ErrNotFound] if there is none with the id.
func (s *Service) Payments(ctx context.Context, orderID string) ([]payment.State, error) {
	r, err := s.begin(ctx, process.Task{OrderID: orderID})
	if err == nil && r.order.Status == "" {
		err = orders.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	all, err := r.payments(ctx)
	var states []payment.State
	for _, p := range all {
		if p.state.Status != "" {
			states = append(states, p.state)
		}
	}
	return states, err
}

// Refusal is the refusal of a request whose payment came to nothing.
func Refusal(p payment.State) *domain.RuleError {
	code := cmp.Or(p.Code, strings.ReplaceAll(string(p.Status), "_", "-")) // not-found, voided
	refusal := domaincheckout.ErrDeclined.With("decline_code", code).With("decline_message", p.Message)
	if p.PaymentID == "" {
		return refusal
	}
	return refusal.With("payment_id", p.PaymentID)
}

// announce records what is about to be asked of a gateway, unless the request
// did so before.
func (s *Service) announce(ctx context.Context, request orders.Request, wanted Payment) (done Paid, err error) {
	request.Meta.CorrelationID = request.OrderID
	for range attempts {
		var r *run
		if r, err = s.begin(ctx, process.Task{OrderID: request.OrderID, Kind: process.Pay}); err != nil {
			return done, err
		}
		if done, err = r.announce(ctx, request, wanted); !errors.Is(err, eventstore.ErrConflict) {
			break
		}
	}
	return done, err
}

func (r *run) announce(ctx context.Context, request orders.Request, wanted Payment) (Paid, error) {
	if r.order.Status == "" {
		return Paid{}, orders.ErrNotFound
	}
	all, next, err := r.chain(ctx)
	if err != nil {
		return Paid{}, err
	}
	if before, err := asked(all, request.Meta); err != nil || before != nil {
		return repeated(before), err
	}
	if e := request.Expected; e != nil && *e != r.revision {
		return Paid{}, handlers.ErrRevision.With("expected", int64(*e)).With("revision", int64(r.revision))
	}
	amount, err := r.payable(all)
	if err != nil {
		return Paid{}, err
	}
	if _, err := r.Gateways.Provider(registry.Of(wanted.Method)); err != nil {
		return Paid{}, Refusal(payment.State{Code: checkout.CodeUnsupported, Message: checkout.Unsupported, Retryable: true})
	}
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: r.Store, Decider: payment.Decider}
	result, err := h.HandleAt(ctx, next.id, eventstore.NoStream, request.Meta, payment.Request{
		PaymentID: next.id, OrderID: r.task.OrderID, Amount: r.money(amount), Method: wanted.Method, Gateway: registry.Of(wanted.Method),
		Key: next.id, At: r.Now(), ByHand: true, ReturnURL: wanted.ReturnURL,
	})
	if errors.Is(err, handlers.ErrRevision) { // somebody else was faster
		err = eventstore.ErrConflict
	}
	if err != nil {
		return Paid{}, err
	}
	return Paid{Payment: result.State, Position: result.Position}, r.step("payment announced")
}

// asked finds the payment that a request asked for before.
func asked(all []*paid, meta eventstore.Metadata) (*paid, error) {
	for _, p := range all {
		if !p.state.ByHand {
			continue
		}
		of, err := p.request.Metadata()
		switch {
		case err != nil:
			return nil, err
		case of.CommandID != meta.CommandID:
		case of.Fingerprint != meta.Fingerprint:
			return nil, domain.ErrKeyReused
		default:
			return p, nil
		}
	}
	return nil, nil //nolint:nilnil // no payment is an answer here
}

func repeated(p *paid) Paid {
	if p == nil {
		return Paid{}
	}
	return Paid{Payment: p.state, Position: p.request.Position, Replayed: true}
}

// payable is how much a payment of the order may be of.
func (r *run) payable(all []*paid) (int64, error) {
	if r.order.Status == order.StatusCancelling {
		return 0, order.ErrTransition.With("state", string(r.order.Status)).With("command", "pay").With("allowed", []string{})
	}
	for _, p := range all {
		if !p.state.Settled() {
			return 0, ErrPending.With("payment_id", p.id)
		}
	}
	amount := r.unpaid(all)
	if amount <= 0 {
		return 0, ErrPaid
	}
	return amount, r.tooMany(all)
}

// unpaid is what the order costs and nobody has paid, is about to, or has
// promised for long enough.
func (r *run) unpaid(all []*paid) int64 {
	left := r.price() - r.kept(all)
	for i, p := range all {
		for _, m := range p.state.Captures {
			if m.Status == payment.MovementRequested {
				left -= m.Amount.Amount
			}
		}
		if !r.runsOut(p, all[i+1:]) {
			left -= p.state.Capturable().Amount
		}
	}
	return left
}

// runsOut reports whether what a payment holds has run out, or is about to and
// its renewal, one of those that came later, was refused.
func (r *run) runsOut(p *paid, later []*paid) bool {
	left := p.state.ExpiresAt.Sub(r.Now())
	return !p.state.ExpiresAt.IsZero() && (left <= 0 || left <= payment.RenewBefore && slices.ContainsFunc(later, func(p *paid) bool {
		return !p.state.ByHand && p.state.Status == payment.StatusDeclined
	}))
}

// tooMany refuses to try one card after another: gateways count.
func (r *run) tooMany(all []*paid) error {
	recent := slices.DeleteFunc(slices.Clone(all), func(p *paid) bool {
		return !p.inVain() || r.Now().Sub(p.state.RequestedAt) >= time.Hour
	})
	if len(recent) < MaxPayments {
		return nil
	}
	return ErrTooMany.With("payments", len(recent)).With("retry_at", recent[len(recent)-MaxPayments].state.RequestedAt.Add(time.Hour))
}
