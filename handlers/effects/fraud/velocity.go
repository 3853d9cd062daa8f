package fraud

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/gateways/fraud"
)

// velocity notes an order and returns those that are one too many, which may be
// later ones: orders do not come here in the order they were placed in, and
// the outcome must not depend on that. Recent counts the customer's orders of
// the window before this one.
func (s *Service) velocity(ctx context.Context, o order.OrderPlaced) (tooMany []string, recent int, err error) {
	if o.CustomerID == "" || s.Config.Orders == 0 && s.Checker == nil {
		return nil, 0, nil
	}
	window := s.Config.Window
	if window == 0 {
		window = time.Hour
	}
	at := o.PlacedAt.UnixMilli()
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO fraud_orders (order_id, customer_id, placed_at) VALUES (?, ?, ?) ON CONFLICT (order_id) DO NOTHING`, o.OrderID, o.CustomerID, at)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("note order %s: %w", o.OrderID, err)
	}
	// Read after the order is there for everybody: of two that come at once,
	// at least the later one to look sees both.
	placed, err := s.around(ctx, o.CustomerID, at, window)
	if err != nil {
		return nil, 0, err
	}
	for i, p := range placed {
		before := 0
		for _, other := range placed[:i] {
			if other.at > p.at-window.Milliseconds() {
				before++
			}
		}
		if p.id == o.OrderID {
			recent = before
		}
		if s.Config.Orders > 0 && before >= s.Config.Orders && p.at >= at {
			tooMany = append(tooMany, p.id)
		}
	}
	return tooMany, recent, nil
}

type placement struct {
	id string
	at int64
}

// around returns a customer's orders of a window before and after a time, in
// order: whom this order counts for, and who counts for them.
func (s *Service) around(ctx context.Context, customer string, at int64, window time.Duration) ([]placement, error) {
	rows, err := s.DB.Write.QueryContext(ctx, `SELECT order_id, placed_at FROM fraud_orders WHERE customer_id = ? AND placed_at > ? AND placed_at < ? ORDER BY placed_at, order_id`,
		customer, at-window.Milliseconds(), at+window.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("look up recent orders: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	var all []placement
	for rows.Next() {
		var p placement
		if err := rows.Scan(&p.id, &p.at); err != nil {
			return nil, fmt.Errorf("look up recent orders: %w", err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// verdict is the one that was given; empty is none.
func (s *Service) verdict(ctx context.Context, orderID string) (fraud.Decision, error) {
	var decision string
	err := s.DB.Write.QueryRowContext(ctx, `SELECT decision FROM fraud_verdicts WHERE order_id = ?`, orderID).Scan(&decision)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up the verdict about order %s: %w", orderID, err)
	}
	return fraud.Decision(decision), nil
}

// Prune forgets orders placed before a time: no window reaches back to them.
func (s *Service) Prune(ctx context.Context, before time.Time) error {
	if _, err := s.DB.Write.ExecContext(ctx, `DELETE FROM fraud_orders WHERE placed_at < ?`, before.UnixMilli()); err != nil {
		return fmt.Errorf("forget old orders: %w", err)
	}
	return nil
}
