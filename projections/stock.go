package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// Stock is the levels of all stock items, and the reservations that are open.
type Stock struct{}

// Name implements [Projection].
func (Stock) Name() string { return "stock" }

// Version implements [Projection].
func (Stock) Version() int { return 2 }

// Migrations implements [Projection].
func (Stock) Migrations() fs.FS { return schema("stock") }

// Prefixes implements [Projection].
func (Stock) Prefixes() []string { return []string{stock.Decider.Category + "-"} }

// Apply implements [Projection].
func (Stock) Apply(ctx context.Context, tx *Tx, r eventstore.Recorded) error {
	event, err := r.Decode()
	if err != nil {
		return err
	}
	m := movement{revision: int64(r.Revision)}
	switch e := event.(type) {
	case stock.StockItemRegistered:
		m.sku, m.location, m.limit = e.SKU, e.Location, e.BackorderLimit
	case stock.StockPolicyChanged:
		return setLimit(ctx, tx, e, m.revision)
	case stock.StockReceived:
		m.sku, m.location, m.onHand = e.SKU, e.Location, e.Quantity
	case stock.StockReserved:
		m.sku, m.location, m.reserved = e.SKU, e.Location, e.Quantity
	case stock.StockReservationExtended:
		m.sku, m.location = e.SKU, e.Location
	case stock.StockReservationReleased:
		m.sku, m.location = e.SKU, e.Location
		if e.Committed {
			m.committed = -e.Quantity
		} else {
			m.reserved = -e.Quantity
		}
	case stock.StockCommitted:
		m.sku, m.location, m.reserved, m.committed = e.SKU, e.Location, -e.Quantity, e.Quantity
	case stock.StockAdjusted:
		m.sku, m.location, m.onHand = e.SKU, e.Location, e.Delta
	case stock.StockShipped:
		m.sku, m.location, m.onHand, m.committed = e.SKU, e.Location, -e.Quantity, -e.Quantity
	case stock.StockReturned:
		m.sku, m.location, m.onHand = e.SKU, e.Location, e.Quantity
	case stock.StockShortfallDetected:
		m.sku, m.location = e.SKU, e.Location
	default:
		return fmt.Errorf("%T is no event of a stock item", event)
	}
	if err := m.apply(ctx, tx); err != nil {
		return err
	}
	return reserve(ctx, tx, event)
}

// movement is what one event changes of a level.
type movement struct {
	sku, location               string
	onHand, reserved, committed int
	limit                       int
	revision                    int64
}

func (m movement) apply(ctx context.Context, tx *Tx) error {
	return tx.Exec(ctx, `
		INSERT INTO stock_levels (sku, location, on_hand, reserved, committed, backorder_limit, revision)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (sku, location) DO UPDATE SET
			on_hand = stock_levels.on_hand + excluded.on_hand, reserved = stock_levels.reserved + excluded.reserved,
			committed = stock_levels.committed + excluded.committed,
			backorder_limit = stock_levels.backorder_limit + excluded.backorder_limit, revision = excluded.revision
		WHERE excluded.revision > stock_levels.revision`,
		m.sku, m.location, m.onHand, m.reserved, m.committed, m.limit, m.revision)
}

// setLimit changes how much may be promised of an item, which has a row.
func setLimit(ctx context.Context, tx *Tx, e stock.StockPolicyChanged, revision int64) error {
	return tx.Exec(ctx, `UPDATE stock_levels SET backorder_limit = ?, revision = ? WHERE sku = ? AND location = ? AND revision < ?`,
		e.BackorderLimit, revision, e.SKU, e.Location, revision)
}

// StockLevel is how much of a SKU a location has.
type StockLevel struct {
	SKU, Location               string
	OnHand, Reserved, Committed int64
	Available                   int64 // may be promised: on hand and backorder limit, less reserved and committed
	Revision                    eventstore.Revision
}

// StockQueries reads stock levels.
type StockQueries struct{ DB *sql.DB }

const stockColumns = `sku, location, on_hand, reserved, committed, on_hand + backorder_limit - reserved - committed, revision`

// Get returns the level of one item, or [ErrNotFound].
func (q StockQueries) Get(ctx context.Context, location, sku string) (StockLevel, error) {
	level, err := scanLevel(q.DB.QueryRowContext(ctx, `SELECT `+stockColumns+` FROM stock_levels WHERE sku = ? AND location = ?`, sku, location))
	if errors.Is(err, sql.ErrNoRows) {
		return level, ErrNotFound
	}
	return level, err
}

// List returns up to limit levels in the order of SKU and location, after one
// of them; empty is the beginning.
func (q StockQueries) List(ctx context.Context, afterSKU, afterLocation string, limit int) ([]StockLevel, error) {
	rows, err := q.DB.QueryContext(ctx, `SELECT `+stockColumns+` FROM stock_levels
		WHERE (sku, location) > (?, ?) ORDER BY sku, location LIMIT ?`, afterSKU, afterLocation, limit)
	return rowsOf(rows, err, scanLevel)
}

func scanLevel[R interface{ Scan(...any) error }](row R) (l StockLevel, err error) {
	err = row.Scan(&l.SKU, &l.Location, &l.OnHand, &l.Reserved, &l.Committed, &l.Available, &l.Revision)
	return l, err
}
