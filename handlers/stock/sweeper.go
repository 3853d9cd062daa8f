package stock

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// ExpiredItems lists items with open reservations whose time is over. It may
// lag: what it says is checked against the log.
type ExpiredItems interface {
	Expired(ctx context.Context, now time.Time) ([]Item, error)
}

// Sweeper releases reservations whose time is over, so that their units can be
// had without somebody asking for them first. Any number of processes may run
// one.
type Sweeper struct {
	Stock    *Writer
	Expired  ExpiredItems
	Now      func() time.Time
	Logger   *slog.Logger
	Interval time.Duration // between two rounds; 0 means 1 s
}

// sweepers is how many items are swept at once.
const sweepers = 8

// Run sweeps until the context ends.
func (s *Sweeper) Run(ctx context.Context) error {
	return handlers.Rounds(ctx, s.Interval, s.Logger, "expired reservations", s.Round)
}

// Round sweeps every item that is listed. It returns all failures; what they
// belong to stays on the list.
func (s *Sweeper) Round(ctx context.Context) error {
	now := s.Now()
	items, err := s.Expired.Expired(ctx, now)
	if err != nil {
		return fmt.Errorf("list expired reservations: %w", err)
	}
	return handlers.ForEach(items, sweepers, func(item Item) error { return s.sweep(ctx, item, now) })
}

// sweep releases what has expired of one item, as many at once as one append
// takes.
func (s *Sweeper) sweep(ctx context.Context, item Item, now time.Time) error {
	for n := 0; ctx.Err() == nil; n++ {
		meta := eventstore.Metadata{
			Actor:     eventstore.Actor{Type: "process", ID: "sweeper"},
			CommandID: eventstore.DeriveID("sweep", item.Location, item.SKU, now.Format(time.RFC3339Nano), strconv.Itoa(n)),
		}
		receipt, err := s.Stock.Handle(ctx, meta, item, stock.Sweep{At: now})
		if err != nil {
			return fmt.Errorf("sweep stock of %s at %s: %w", item.SKU, item.Location, err)
		}
		if receipt.Position == 0 || !receipt.State.Expired(now) {
			return nil
		}
	}
	return ctx.Err()
}
