package drafts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/checkout"
)

// withdrawn is the fingerprint of a checkout that nobody may begin any more.
const withdrawn = "withdrawn"

// settle brings a draft that is being placed to where its checkout is. A
// placement that did not get as far as a checkout is withdrawn after a while.
func (s *Service) settle(ctx context.Context, d Result, patience time.Duration) (Result, error) {
	o, err := s.Checkouts.Get(ctx, d.State.Last().CheckoutID)
	if err != nil {
		return d, err
	}
	if o.Checkout.Step == "" {
		if s.Now().Sub(d.State.Last().BegunAt) < patience {
			return d, nil
		}
		if o, err = s.withdraw(ctx, d.State); err != nil {
			return d, err
		}
	}
	if err := s.fault("looked"); err != nil {
		return d, err
	}
	result, err := s.record(ctx, d.State, o)
	if errors.Is(err, eventstore.ErrConflict) {
		return s.load(ctx, d.State.DraftID)
	}
	return result, err
}

// withdraw takes the place of a checkout that was not begun, with an empty cart,
// which is refused. Whoever comes later finds the place taken; where somebody
// was faster after all, the checkout is theirs.
func (s *Service) withdraw(ctx context.Context, d draft.State) (checkout.Outcome, error) {
	_, err := s.Checkouts.Place(ctx, checkout.Place{
		Credential: credential, Key: key(d.DraftID, strconv.Itoa(len(d.Attempts))), Fingerprint: withdrawn,
		Actor: eventstore.Actor{Type: "process", ID: "drafts"},
	})
	if err != nil {
		return checkout.Outcome{}, err
	}
	return s.Checkouts.Get(ctx, d.Last().CheckoutID)
}

// List is the list of drafts. It may lag.
type List interface {
	// Placing returns ids of drafts that are being placed and did not change
	// since a time, the longest waiting first.
	Placing(ctx context.Context, before time.Time) ([]string, error)
}

// Recovery brings drafts to where their checkouts are that got there by
// themselves. Several processes may do so at once.
type Recovery struct {
	Service  *Service
	List     List
	Logger   *slog.Logger
	Interval time.Duration // between two rounds; 0 means 5 s
}

// Run recovers until the context ends.
func (r *Recovery) Run(ctx context.Context) error {
	return handlers.Rounds(ctx, cmp.Or(r.Interval, 5*time.Second), r.Logger, "recovery of drafts", r.Round)
}

// Round works once through the list. It returns all failures.
func (r *Recovery) Round(ctx context.Context) error {
	ids, err := r.List.Placing(ctx, r.Service.Now())
	if err != nil {
		return fmt.Errorf("list drafts: %w", err)
	}
	return handlers.ForEach(ids, 1, func(id string) error {
		if _, err := r.Service.Get(ctx, id); err != nil {
			return fmt.Errorf("draft %s: %w", id, err)
		}
		return nil
	})
}
