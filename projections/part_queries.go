package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/domain/order"
)

// ShipmentRow is one parcel of the list.
type ShipmentRow struct {
	OrderID, ShipmentID  string
	Status               string // one of Shipment…
	Carrier, Tracking    string
	Units                int
	Lines                []order.Units
	Failure              string // why it did not arrive, of one that failed
	ShippedAt, ChangedAt time.Time
	DeliveredAt          time.Time // zero until it is
}

// ReturnRow is one return of the list.
type ReturnRow struct {
	OrderID, ReturnID      string
	Status                 order.ReturnStatus
	Kind                   order.ReturnKind
	Units, Received        int
	Lines                  []order.ReturnedUnits
	Reason                 string // why it was rejected
	RequestedAt, ChangedAt time.Time
}

// PartFilter narrows a list of parts of orders; empty fields do not.
type PartFilter struct {
	OrderID, Status   string
	Carrier, Tracking string    // of shipments
	From, To          time.Time // of when it began: from inclusive, to exclusive
}

// PartKey is the place of a part in its list.
type PartKey struct {
	At          time.Time
	OrderID, ID string
}

// narrow adds what a filter says to a list that is sorted by when a part began.
func (f PartFilter) narrow(w *listing, after *PartKey) {
	w.equal("order_id", f.OrderID)
	w.equal("status", f.Status)
	if after == nil {
		w.stretch(f.From, f.To)
		return
	}
	w.stretch(f.From, f.To, millis(after.At), after.OrderID, after.ID)
}

func (f PartFilter) shipments(after *PartKey) (string, []any) {
	w := listing{
		columns: "order_id, shipment_id, status, carrier, tracking, units, lines, failure, shipped_at, delivered_at, changed_at",
		from:    "shipments", key: []string{"shipped_at", "order_id", "shipment_id"},
	}
	f.narrow(&w, after)
	w.equal("carrier", f.Carrier)
	w.equal("tracking", f.Tracking)
	if f.Tracking != "" {
		w.where("tracking <> ''") // lets the partial index serve
	}
	return w.query()
}

func (f PartFilter) returns(after *PartKey) (string, []any) {
	w := listing{
		columns: "order_id, return_id, status, kind, units, received, lines, reason, requested_at, changed_at",
		from:    "returns", key: []string{"requested_at", "order_id", "return_id"},
	}
	f.narrow(&w, after)
	return w.query()
}

// Shipments returns up to limit parcels, those that left last first, that come
// after a place in the list; nil is its beginning.
func (q OrderQueries) Shipments(ctx context.Context, filter PartFilter, after *PartKey, limit int) ([]ShipmentRow, error) {
	query, args := filter.shipments(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (s ShipmentRow, err error) {
		var lines string
		var shipped, delivered, changed int64
		err = rows.Scan(&s.OrderID, &s.ShipmentID, &s.Status, &s.Carrier, &s.Tracking, &s.Units, &lines, &s.Failure, &shipped, &delivered, &changed)
		if err == nil {
			err = json.Unmarshal([]byte(lines), &s.Lines)
		}
		s.ShippedAt, s.DeliveredAt, s.ChangedAt = fromMillis(shipped), fromMillis(delivered), fromMillis(changed)
		return s, err
	})
}

// Returns returns up to limit returns, those that were asked for last first,
// that come after a place in the list; nil is its beginning.
func (q OrderQueries) Returns(ctx context.Context, filter PartFilter, after *PartKey, limit int) ([]ReturnRow, error) {
	query, args := filter.returns(after)
	rows, err := q.DB.QueryContext(ctx, query, append(args, limit)...)
	return rowsOf(rows, err, func(rows *sql.Rows) (r ReturnRow, err error) {
		var lines string
		var requested, changed int64
		err = rows.Scan(&r.OrderID, &r.ReturnID, &r.Status, &r.Kind, &r.Units, &r.Received, &lines, &r.Reason, &requested, &changed)
		if err == nil {
			err = json.Unmarshal([]byte(lines), &r.Lines)
		}
		r.RequestedAt, r.ChangedAt = fromMillis(requested), fromMillis(changed)
		return r, err
	})
}
