package checkout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/stock"
	writer "github.com/waybill-dev/waybill/handlers/stock"
)

// stockWorkers is how many items of one checkout are asked at once.
const stockWorkers = 64

// each lets every item of the checkout decide a command, in the order of their
// names, and waits for all. It returns who refused, by place, and otherwise
// the first failure.
func (s *Service) each(
	ctx context.Context, r *run, step string, command func(checkout.Reservation) stock.Command,
) ([]checkout.Reservation, []*domain.RuleError, error) {
	all := r.checkout.state.Reservations()
	refusals := make([]*domain.RuleError, len(all))
	ask := func(i int) error {
		meta := r.meta(step + " " + all[i].ReservationID)
		item := writer.Item{Location: all[i].Location, SKU: all[i].SKU}
		_, err := s.Stock.Handle(ctx, meta, item, command(all[i]))
		if errors.As(err, &refusals[i]) {
			return nil
		}
		return err
	}
	if len(all) == 1 {
		return all, refusals, ask(0)
	}
	var group errgroup.Group
	group.SetLimit(stockWorkers)
	for i := range all {
		group.Go(func() error { return ask(i) })
	}
	return all, refusals, group.Wait()
}

// begin sets stock aside for a checkout of which nothing is known but that it
// was started. A run that is not the first looks first whether another one got
// further than it came to record.
func (s *Service) begin(ctx context.Context, r *run) error {
	if !r.first {
		announced, err := s.announced(ctx, r)
		if err != nil {
			return err
		}
		if announced {
			return s.record(ctx, r, "reserved", s.reserved(r)...)
		}
	}
	return s.reserve(ctx, r)
}

// reserved is what is recorded when all stock is set aside.
func (s *Service) reserved(r *run) []checkout.Command {
	expires := r.checkout.state.StartedAt.Add(s.Config.withDefaults().Hold)
	commands := []checkout.Command{checkout.ReserveStock{ExpiresAt: expires, At: s.Now()}}
	if !r.checkout.state.Free() {
		commands = append(commands, s.firstPayment(r))
	}
	return commands
}

// reserve sets all stock aside, and says that the payment is next. The first
// run records that with what it learns next: the payment is announced in a
// stream of its own, and whoever comes later looks there.
func (s *Service) reserve(ctx context.Context, r *run) error {
	state, now := r.checkout.state, s.Now()
	expires := state.StartedAt.Add(s.Config.withDefaults().Hold)
	all, refusals, err := s.each(ctx, r, "reserve", func(u checkout.Reservation) stock.Command {
		return stock.Reserve{
			Location: u.Location, SKU: u.SKU, ReservationID: u.ReservationID, CheckoutID: r.id,
			Quantity: u.Quantity, ExpiresAt: expires, At: now,
		}
	})
	if err != nil {
		return err
	}
	if err := s.fault("stock reserved"); err != nil {
		return err
	}
	var shortages []checkout.Shortage
	for i, refused := range refusals {
		switch {
		case refused == nil:
		case errors.Is(refused, stock.ErrOutOfStock):
			available, _ := refused.Details["available"].(int)
			shortages = append(shortages, checkout.Shortage{
				SKU: all[i].SKU, Location: all[i].Location, Requested: all[i].Quantity, Available: available,
			})
		default:
			return s.compensate(ctx, r, refused)
		}
	}
	if len(shortages) > 0 {
		return s.refuse(ctx, r, shortages)
	}
	if !r.first {
		return s.record(ctx, r, "reserved", s.reserved(r)...)
	}
	cause, err := r.checkout.later(r.meta("reserved"), s.reserved(r)...)
	if err != nil {
		return err
	}
	r.cause, r.asked = cause, false
	return nil
}

// refuse ends a checkout for which there is not enough stock. Where nothing is
// to be released that takes a single append.
func (s *Service) refuse(ctx context.Context, r *run, shortages []checkout.Shortage) error {
	commands := []checkout.Command{checkout.RefuseStock{Shortages: shortages, At: s.Now()}}
	if len(shortages) == len(r.checkout.state.Reservations()) {
		commands = append(commands, checkout.Fail{At: s.Now()})
	}
	if err := s.record(ctx, r, fmt.Sprint("refused ", len(shortages)), commands...); err != nil {
		return err
	}
	return s.fault("stock refused")
}

func (s *Service) firstPayment(r *run) checkout.RequestPayment {
	request := r.checkout.state.Request
	return checkout.RequestPayment{PaymentID: r.paymentID(1), Method: request.Method, ReturnURL: request.ReturnURL, At: s.Now()}
}

// requestPayment goes on where stock was reserved and nothing else done.
func (s *Service) requestPayment(ctx context.Context, r *run) error {
	return s.record(ctx, r, "requested", s.firstPayment(r))
}

// extend keeps all stock until a time. It reports false when some is lost.
func (s *Service) extend(ctx context.Context, r *run, until time.Time) (bool, error) {
	now := s.Now()
	_, refusals, err := s.each(ctx, r, "extend "+until.UTC().Format(time.RFC3339Nano), func(u checkout.Reservation) stock.Command {
		return stock.Extend{ReservationID: u.ReservationID, ExpiresAt: until, At: now}
	})
	return first(refusals) == nil, err
}

// commit gives all stock to the order. It reports false when some is lost.
func (s *Service) commit(ctx context.Context, r *run) (bool, error) {
	now := s.Now()
	_, refusals, err := s.each(ctx, r, "commit", func(u checkout.Reservation) stock.Command {
		return stock.Commit{ReservationID: u.ReservationID, OrderID: r.checkout.state.OrderID, At: now}
	})
	return first(refusals) == nil, err
}

// giveBack releases all stock, and returns the reservations.
func (s *Service) giveBack(ctx context.Context, r *run, reason stock.Reason) ([]string, error) {
	all, _, err := s.each(ctx, r, "release", func(u checkout.Reservation) stock.Command {
		return stock.Release{ReservationID: u.ReservationID, Reason: reason}
	})
	ids := make([]string, len(all))
	for i, u := range all {
		ids[i] = u.ReservationID
	}
	return ids, err
}

func first(refusals []*domain.RuleError) *domain.RuleError {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}
