package projections

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// Stock is the levels of all stock items, and the reservations that are open.
type Stock struct{}

// Name implements [Projection].
func (Stock) Name() string { return "stock" }

// Version implements [Projection].
func (Stock) Version() int { return 3 }

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
	if e, changed := event.(stock.StockPolicyChanged); changed {
		return setPolicy(ctx, tx, e, int64(r.Revision))
	}
	m, err := movementOf(event, int64(r.Revision))
	if err != nil {
		return err
	}
	if err := m.apply(ctx, tx); err != nil {
		return err
	}
	return reserve(ctx, tx, event)
}

// movement is what one event changes of a level, or what some do together.
type movement struct {
	sku, location               string
	onHand, reserved, committed int
	policy                      stock.Policy // of a new item
	limit                       int
	first, revision             int64 // of the events
}

func movementOf(event domain.Event, revision int64) (movement, error) {
	m := movement{first: revision, revision: revision}
	switch e := event.(type) {
	case stock.StockItemRegistered:
		m.sku, m.location, m.policy, m.limit = e.SKU, e.Location, e.Policy, e.BackorderLimit
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
		return m, fmt.Errorf("%T is no event of a stock item", event)
	}
	return m, nil
}

func (m movement) apply(ctx context.Context, tx *Tx) error {
	_, err := m.changes(ctx, tx)
	return err
}

// changes applies the movement, unless one of its events was applied before,
// and reports whether it did.
func (m movement) changes(ctx context.Context, tx *Tx) (bool, error) {
	return tx.Changes(ctx, `
		INSERT INTO stock_levels (sku, location, on_hand, reserved, committed, policy, backorder_limit, revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (sku, location) DO UPDATE SET
			on_hand = stock_levels.on_hand + excluded.on_hand, reserved = stock_levels.reserved + excluded.reserved,
			committed = stock_levels.committed + excluded.committed,
			backorder_limit = stock_levels.backorder_limit + excluded.backorder_limit, revision = excluded.revision
		WHERE stock_levels.revision < ?`,
		m.sku, m.location, m.onHand, m.reserved, m.committed, string(cmp.Or(m.policy, stock.Deny)), m.limit, m.revision, m.first)
}

// setPolicy changes how much may be promised of an item, which has a row.
func setPolicy(ctx context.Context, tx *Tx, e stock.StockPolicyChanged, revision int64) error {
	return tx.Exec(ctx, `UPDATE stock_levels SET policy = ?, backorder_limit = ?, revision = ? WHERE sku = ? AND location = ? AND revision < ?`,
		string(e.Policy), e.BackorderLimit, revision, e.SKU, e.Location, revision)
}

// StockLevel is how much of a SKU a location has.
type StockLevel struct {
	SKU, Location               string
	OnHand, Reserved, Committed int64
	Policy                      stock.Policy
	BackorderLimit              int64
	Available                   int64 // may be promised: on hand and backorder limit, less reserved and committed
	Revision                    eventstore.Revision
}

// StockQueries reads stock levels.
type StockQueries struct{ DB *sql.DB }

const stockColumns = `sku, location, on_hand, reserved, committed, policy, backorder_limit, on_hand + backorder_limit - reserved - committed, revision`

// Get returns the level of one item, or [ErrNotFound].
func (q StockQueries) Get(ctx context.Context, location, sku string) (StockLevel, error) {
	level, err := scanLevel(q.DB.QueryRowContext(ctx, `SELECT `+stockColumns+` FROM stock_levels WHERE sku = ? AND location = ?`, sku, location))
	if errors.Is(err, sql.ErrNoRows) {
		return level, ErrNotFound
	}
	return level, err
}

// StockFilter narrows a list of levels; what is empty does not.
type StockFilter struct{ SKU, Location string }

// query orders by SKU and location. Each filter has an index that is in this
// order behind it.
func (f StockFilter) query(afterSKU, afterLocation string) (string, []any) {
	query := `SELECT ` + stockColumns + ` FROM stock_levels WHERE `
	const rest = ` ORDER BY sku, location LIMIT ?`
	switch {
	case f.SKU != "" && f.Location != "":
		return query + `sku = ? AND location = ? AND (sku, location) > (?, ?)` + rest, []any{f.SKU, f.Location, afterSKU, afterLocation}
	case f.SKU != "":
		return query + `sku = ? AND location > ?` + rest, []any{f.SKU, afterLocation}
	case f.Location != "":
		return query + `location = ? AND sku > ?` + rest, []any{f.Location, afterSKU}
	}
	return query + `(sku, location) > (?, ?)` + rest, []any{afterSKU, afterLocation}
}

// List returns up to limit levels in the order of SKU and location, after one
// of those the filter lets through; empty is the beginning.
func (q StockQueries) List(ctx context.Context, filter StockFilter, afterSKU, afterLocation string, limit int) ([]StockLevel, error) {
	query, args := filter.query(afterSKU, afterLocation)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, scanLevel)
}

func scanLevel[R database.Row](row R) (l StockLevel, err error) {
	err = row.Scan(&l.SKU, &l.Location, &l.OnHand, &l.Reserved, &l.Committed, &l.Policy, &l.BackorderLimit, &l.Available, &l.Revision)
	return l, err
}
