// Package customers looks after personal data: it registers customers, puts
// together what is known of one, and lets one be forgotten. It promises that
// nobody is forgotten while goods or money are still under way, and that what
// was begun is finished after a crash. It must not know what an address looks
// like.
package customers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/requestkey"
	"github.com/waybill-dev/waybill/vault"
)

// List is what belongs to each customer. It may lag; Reached tells how far.
type List interface {
	// Open returns ids of orders and of checkouts that may not be over, the
	// oldest first: all that are not are among them.
	Open(ctx context.Context, customerID string, limit int) (orders, checkouts []string, err error)
	// Orders returns ids of all orders, newest first.
	Orders(ctx context.Context, customerID string, limit int) ([]string, error)
	// Drafts returns ids of drafts that are not over.
	Drafts(ctx context.Context, customerID string) ([]string, error)
	// Reached returns the revision of the customer's stream up to which the log
	// is known.
	Reached(ctx context.Context, customerID string) (eventstore.Revision, error)
}

// Drafts discards drafts of somebody who is being erased.
type Drafts interface {
	Forget(ctx context.Context, draftID, causationID string) error
}

// Service looks after personal data.
type Service struct {
	Store eventstore.Store
	Vault *vault.Vault
	List  List
	// Drafts discards those of somebody who is erased: nothing of them is
	// reserved or paid, so they do not hold up the erasure.
	Drafts Drafts
	Now    func() time.Time
	// Settle is how long a request that places an order may take: one that was
	// let in before the data was closed is on record when it is over.
	Settle time.Duration
	// Returns is how long after a parcel arrived a return may come of an order
	// whose rest was cancelled: 14 days, if it is 0. Others are completed then.
	Returns time.Duration
	// Fault, if set, is called between every two steps; its error stops the
	// work there, as the end of the process would. Only tests set it.
	Fault func(step string) error
}

// Result is a customer after a command.
type Result = handlers.Result[customer.State]

// Register keeps how a customer can be reached, under a reference that follows
// from the request. One that was made before changes nothing, whatever was said
// since, and is refused with [domain.ErrKeyReused] where its key stands for
// something else.
func (s *Service) Register(ctx context.Context, meta eventstore.Metadata, customerID string, contact any) (Result, error) {
	if before, err := s.registered(ctx, meta, customerID); before || err != nil {
		state, revision, loadErr := eventstore.Load(ctx, s.Store, customer.Decider, customerID)
		return Result{State: state, Revision: revision}, errors.Join(err, loadErr)
	}
	ref := eventstore.DeriveID("customer-contact", customerID, meta.CommandID, meta.Fingerprint)
	register := customer.Register{CustomerID: customerID, ContactRef: ref, At: s.Now().UTC()}
	if err := s.useKey(ctx, meta, customerID, register); err != nil {
		return Result{}, err
	}
	if err := s.Vault.Put(ctx, customerID, ref, contact); err != nil {
		return Result{}, Ruled(err)
	}
	return s.handle(ctx, meta, customerID, register)
}

// useKey takes the key of a request that is not refused: the customer follows
// from the address, so that the same key with another one is another customer.
func (s *Service) useKey(ctx context.Context, meta eventstore.Metadata, customerID string, register customer.Register) error {
	if _, err := requestkey.Used(ctx, s.Store, meta); err != nil {
		return err
	}
	state, _, err := eventstore.Load(ctx, s.Store, customer.Decider, customerID)
	if err != nil {
		return err
	}
	if _, err := customer.Decider.Decide(state, register); err != nil {
		return err
	}
	meta.CorrelationID = customerID
	return requestkey.Use(ctx, s.Store, meta)
}

// registered looks for a request that was made before, under a caller's key.
func (s *Service) registered(ctx context.Context, meta eventstore.Metadata, customerID string) (bool, error) {
	if meta.Fingerprint == "" {
		return false, nil
	}
	stream := customer.Decider.Stream(customerID)
	for r, err := range s.Store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return false, fmt.Errorf("read %s: %w", stream, err)
		}
		of, err := r.Metadata()
		switch {
		case err != nil:
			return false, err
		case of.CommandID != meta.CommandID:
		case of.Fingerprint != "" && of.Fingerprint != meta.Fingerprint: // none was kept once
			return false, domain.ErrKeyReused
		default:
			return true, nil
		}
	}
	return false, nil
}

// View is a customer as the log and the vault know one.
type View struct {
	Customer customer.State
	Revision eventstore.Revision // NoStream for somebody who only ordered
	// ContactRef leads to how the customer was reached last.
	ContactRef string
	Orders     []string // newest first, at most some
}

// mostOrders is how many orders of a customer are shown.
const mostOrders = 200

// Get returns a customer, or [customer.ErrNotFound].
func (s *Service) Get(ctx context.Context, customerID string) (View, error) {
	state, revision, err := eventstore.Load(ctx, s.Store, customer.Decider, customerID)
	if err != nil {
		return View{}, err
	}
	view := View{Customer: state, Revision: revision, ContactRef: state.ContactRef}
	view.Customer.CustomerID = customerID
	known, erased, err := s.Vault.Known(ctx, customerID)
	if err != nil {
		return View{}, err
	}
	if view.Orders, err = s.ordersOf(ctx, customerID, mostOrders); err != nil {
		return View{}, err
	}
	if revision == eventstore.NoStream && !known && len(view.Orders) == 0 {
		return View{}, customer.ErrNotFound.With("customer_id", customerID)
	}
	if erased {
		view.Customer.Status = customer.Erased
	}
	if view.ContactRef == "" && len(view.Orders) > 0 {
		last, _, err := eventstore.Load(ctx, s.Store, order.Decider, view.Orders[0])
		if err != nil {
			return View{}, err
		}
		view.ContactRef = last.ContactRef
	}
	return view, nil
}

// ordersOf returns ids of a customer's orders, newest first. A guest is known by
// one, which no list has under the guest's id; others replace its goods.
func (s *Service) ordersOf(ctx context.Context, customerID string, limit int) ([]string, error) {
	ids, err := s.List.Orders(ctx, customerID, limit)
	first, guest := customer.GuestOf(customerID)
	if err != nil || !guest {
		return ids, err
	}
	state, _, err := eventstore.Load(ctx, s.Store, order.Decider, first)
	if state.Status == "" {
		return ids, err
	}
	return append(ids, first), err
}

// mostOpen is how many orders are looked at first, and how many open ones are
// named.
const mostOpen = 100

// Open returns ids of the customer's orders and checkouts that are not over:
// those of the list that the log agrees with. A refusal names them.
func (s *Service) Open(ctx context.Context, customerID string) (orders, checkouts []string, err error) {
	for limit := mostOpen; ; limit *= 4 {
		listed, started, err := s.List.Open(ctx, customerID, limit)
		if err != nil {
			return nil, nil, err
		}
		all := len(listed) < limit
		if first, guest := customer.GuestOf(customerID); guest {
			listed = append(listed, first)
		}
		if orders, err = open(ctx, listed, s.orderOver); err != nil {
			return nil, nil, err
		}
		if checkouts, err = open(ctx, started, s.checkoutOver); err != nil || all || len(orders)+len(checkouts) > 0 {
			return orders, checkouts, err
		}
	}
}

// open leaves out what is over.
func open(ctx context.Context, ids []string, over func(context.Context, string) (bool, error)) ([]string, error) {
	left := []string{}
	for _, id := range ids {
		is, err := over(ctx, id)
		if err != nil {
			return nil, err
		}
		if !is {
			left = append(left, id)
		}
	}
	return left, nil
}

func (s *Service) checkoutOver(ctx context.Context, id string) (bool, error) {
	state, _, err := eventstore.Load(ctx, s.Store, checkout.Decider, id)
	return !state.Step.Open(), err
}

// orderOver reports whether nothing more is expected of an order. One of which
// something was shipped before the rest was cancelled is never completed: it is
// over as others are completed, when its parcels have arrived and nobody has
// returned anything for a while, or all of it has come back.
func (s *Service) orderOver(ctx context.Context, id string) (bool, error) {
	state, moved, err := s.order(ctx, id)
	switch {
	case err != nil:
		return false, err
	case state.Status == "" || state.Status == order.StatusCompleted:
		return true, nil
	case state.Status != order.StatusCancelled || state.Underway():
		return false, nil
	}
	return !state.Returnable() || s.Now().Sub(moved) >= cmp.Or(s.Returns, 14*24*time.Hour), nil
}

// order reads an order, and when its goods or money moved last.
func (s *Service) order(ctx context.Context, id string) (state order.State, moved time.Time, err error) {
	for own, err := range eventstore.Events(ctx, s.Store, order.Decider, id, 0) {
		if err != nil {
			return state, moved, fmt.Errorf("read %s: %w", order.Decider.Stream(id), err)
		}
		state = order.Decider.Evolve(state, own.Event)
		switch own.Event.(type) {
		case order.OrderDelivered, order.OrderReturnReceived, order.OrderReturnRejected, order.OrderRefunded, order.OrderRefundFailed:
			moved = own.Created
		default: // neither goods nor money moved
		}
	}
	return state, moved, nil
}

// Erasable refuses with [customer.ErrOpenOrders] while the customer has orders
// or checkouts that are not over, as far as is known yet.
func (s *Service) Erasable(ctx context.Context, customerID string) error {
	orders, checkouts, err := s.Open(ctx, customerID)
	if err != nil || len(orders)+len(checkouts) == 0 {
		return err
	}
	return customer.ErrOpenOrders.With("order_ids", orders).With("checkout_ids", checkouts)
}

func (s *Service) handle(ctx context.Context, meta eventstore.Metadata, customerID string, command customer.Command) (Result, error) {
	meta.CorrelationID = customerID
	h := handlers.CommandHandler[customer.State, customer.Command, customer.Event]{Store: s.Store, Decider: customer.Decider}
	return h.Handle(ctx, customerID, meta, command)
}

// Ruled says in the domain's words why the vault refuses.
func Ruled(err error) error {
	switch {
	case errors.Is(err, vault.ErrErased):
		return customer.ErrErased
	case errors.Is(err, vault.ErrRetired):
		return customer.ErrErasing
	}
	return err
}

func (s *Service) fault(step string) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(step)
}
