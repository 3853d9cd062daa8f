package projections

import (
	"context"
	"database/sql"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/stock"
)

// reserve keeps the list of open reservations.
func reserve(ctx context.Context, tx *Tx, event domain.Event) error {
	switch e := event.(type) {
	case stock.StockReserved:
		return tx.Exec(ctx, `
			INSERT INTO reservations_open (sku, location, reservation_id, checkout_id, quantity, expires_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.SKU, e.Location, e.ReservationID, e.CheckoutID, e.Quantity, millis(e.ExpiresAt))
	case stock.StockReservationExtended:
		return tx.Exec(ctx, `UPDATE reservations_open SET expires_at = ? WHERE sku = ? AND location = ? AND reservation_id = ?`,
			millis(e.ExpiresAt), e.SKU, e.Location, e.ReservationID)
	case stock.StockReservationReleased:
		return closeReservation(ctx, tx, e.SKU, e.Location, e.ReservationID)
	case stock.StockCommitted:
		return closeReservation(ctx, tx, e.SKU, e.Location, e.ReservationID)
	}
	return nil
}

func closeReservation(ctx context.Context, tx *Tx, sku, location, id string) error {
	return tx.Exec(ctx, `DELETE FROM reservations_open WHERE sku = ? AND location = ? AND reservation_id = ?`, sku, location, id)
}

// ExpiredItem is an item with reservations whose time is over.
type ExpiredItem struct {
	SKU, Location string
	Reservations  int // among those looked at
}

const expiredItems = `
	SELECT sku, location, count(*) FROM (
		SELECT sku, location, expires_at FROM reservations_open WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) AS expired
	GROUP BY sku, location ORDER BY sku, location`

// Expired returns the items of the reservations that expired first, up to
// limit of them.
func (q StockQueries) Expired(ctx context.Context, now time.Time, limit int) ([]ExpiredItem, error) {
	rows, err := q.DB.QueryContext(ctx, expiredItems, millis(now), limit)
	return rowsOf(rows, err, func(rows *sql.Rows) (i ExpiredItem, err error) {
		err = rows.Scan(&i.SKU, &i.Location, &i.Reservations)
		return i, err
	})
}

// Expiring returns how many reservations end before a time, those that are
// over and not yet released included.
func (q StockQueries) Expiring(ctx context.Context, before time.Time) (n int, err error) {
	err = q.DB.QueryRowContext(ctx, `SELECT count(*) FROM reservations_open WHERE expires_at <= ?`, millis(before)).Scan(&n)
	return n, err
}

// OpenReservation is units of an item that a checkout keeps for itself.
type OpenReservation struct {
	SKU, Location, ReservationID string
	CheckoutID                   string
	Quantity                     int
	ExpiresAt                    time.Time
}

// ReservationFilter narrows a list of reservations; empty fields do not.
type ReservationFilter struct{ SKU, Location string }

func (f ReservationFilter) query(after *OpenReservation) (string, []any) {
	w := listing{
		columns: "sku, location, reservation_id, checkout_id, quantity, expires_at", from: "reservations_open",
		key: []string{"expires_at", "sku", "location", "reservation_id"}, ascending: true,
	}
	w.equal("sku", f.SKU)
	w.equal("location", f.Location)
	if after != nil {
		w.after(millis(after.ExpiresAt), after.SKU, after.Location, after.ReservationID)
	}
	return w.query()
}

// Reservations returns up to limit open reservations, those that expire first,
// that come after one; nil is the beginning.
func (q StockQueries) Reservations(ctx context.Context, filter ReservationFilter, after *OpenReservation, limit int) ([]OpenReservation, error) {
	query, args := filter.query(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (r OpenReservation, err error) {
		var expires int64
		err = rows.Scan(&r.SKU, &r.Location, &r.ReservationID, &r.CheckoutID, &r.Quantity, &expires)
		r.ExpiresAt = fromMillis(expires)
		return r, err
	})
}
