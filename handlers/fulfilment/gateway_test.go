package fulfilment_test

import (
	"context"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// once captures an authorisation a single time: those with a key that begins
// so.
type once struct {
	payment.Provider
	keys string
}

func (o once) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	a, err := o.Provider.Find(ctx, key)
	a.Once = strings.HasPrefix(key, o.keys)
	return a, err
}

// refusing declines what is authorised from some time on, or has the shopper
// confirm it.
type refusing struct {
	payment.Provider
	mu  sync.Mutex
	how payment.Status
}

func (r *refusing) from(how payment.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.how = how
}

func (r *refusing) Authorise(ctx context.Context, a payment.Authorise) (payment.Authorisation, error) {
	r.mu.Lock()
	how := r.how
	r.mu.Unlock()
	switch how {
	case "":
		return r.Provider.Authorise(ctx, a)
	case payment.ActionRequired:
		a.Method, a.ReturnURL = "sandbox:action", "https://shop.example/"
		return r.Provider.Authorise(ctx, a)
	default:
	}
	return payment.Authorisation{Ref: "no", Status: how, Amount: a.Amount, Code: "card-declined"}, nil
}

// declinesRefunds refuses so many refunds, after some others.
type declinesRefunds struct {
	payment.Provider
	mu    sync.Mutex
	first int
	left  int
}

func (d *declinesRefunds) after(first, left int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first, d.left = first, left
}

func (d *declinesRefunds) Refund(ctx context.Context, r payment.Refund) (payment.Movement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first--; d.first < 0 && d.left > 0 {
		d.left--
		return payment.Movement{Kind: payment.Refunds, ID: r.ID, Status: payment.Failed, Amount: r.Amount, Code: "refund-declined"}, nil
	}
	return d.Provider.Refund(ctx, r)
}

// away is known to be away.
type away struct{ payment.Provider }

func (away) Find(context.Context, string) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrNotSent
}

func (away) Authorise(context.Context, payment.Authorise) (payment.Authorisation, error) {
	return payment.Authorisation{}, payment.ErrNotSent
}
