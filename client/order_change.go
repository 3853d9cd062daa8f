package client

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Change says how a change of an order is asked for.
type Change struct {
	// Key makes a repeat harmless. Where goods or money move it is required.
	Key string
	// IfMatch is the order's ETag that the change was decided on; empty is
	// whatever it is now.
	IfMatch string
}

// Changed is what there is after a change.
type Changed struct {
	// Order is as it was right after the change.
	Order Order
	// ID is that of what was made, where something was.
	ID string
	// ETag is the order's, for the next change.
	ETag string
	// Position is that of the change in the log, for lists; 0 if nothing was to
	// be done.
	Position uint64
	// Accepted says that what was asked for is still to be done.
	Accepted bool
	// Replayed says that the key was used before: this is the first answer.
	Replayed bool
}

// HoldOrder is the body of POST /v1/orders/{id}/hold.
type HoldOrder struct {
	ID     string    `json:"id,omitempty"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until,omitzero"`
	Note   string    `json:"note,omitempty"`
}

// Note is something written down about an order.
type Note struct {
	ID         string `json:"id,omitempty"`
	Text       string `json:"text"`
	Visibility string `json:"visibility,omitempty"`
}

// Tags are added and removed.
type Tags struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// Units are a number of units of one line.
type Units struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
}

// RequestFulfilment asks a warehouse for units; none are all that are left.
type RequestFulfilment struct {
	ID       string  `json:"id,omitempty"`
	Location string  `json:"location,omitempty"`
	Lines    []Units `json:"lines,omitempty"`
}

// ShipOrder is a parcel that has left; no lines are all that is left.
type ShipOrder struct {
	ID        string    `json:"id,omitempty"`
	Lines     []Units   `json:"lines,omitempty"`
	Carrier   string    `json:"carrier,omitempty"`
	Tracking  string    `json:"tracking,omitempty"`
	ShippedAt time.Time `json:"shipped_at,omitzero"`
}

// RequestReturn asks for goods to come back.
type RequestReturn struct {
	ID    string          `json:"id,omitempty"`
	Kind  string          `json:"kind,omitempty"`
	Lines []ReturnedUnits `json:"lines"`
	// External is of a return that came about elsewhere.
	External *External `json:"external,omitempty"`
}

// ReturnedUnits are units of one line that come back, and why.
type ReturnedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Reason   string `json:"reason"`
}

// ReceiveReturn is what came back; no lines are all that was asked back.
type ReceiveReturn struct {
	Lines []ReceivedUnits `json:"lines,omitempty"`
}

// ReceivedUnits are units of one line that came back.
type ReceivedUnits struct {
	LineID   string `json:"line_id"`
	Quantity int    `json:"quantity"`
	Restock  bool   `json:"restock"`
}

// Refund is money to be given back; no amount is all there is.
type Refund struct {
	ID     string  `json:"id,omitempty"`
	Amount *Money  `json:"amount,omitempty"`
	Reason string  `json:"reason,omitempty"`
	Lines  []Units `json:"lines,omitempty"`
}

// CaptureOrder is money to be taken by hand; no amount is all that is left.
type CaptureOrder struct {
	ID        string `json:"id,omitempty"`
	PaymentID string `json:"payment_id,omitempty"`
	Amount    *Money `json:"amount,omitempty"`
	Final     bool   `json:"final,omitempty"`
}

// EditOrder is what becomes of lines.
type EditOrder struct {
	ID    string     `json:"id,omitempty"`
	Lines []EditLine `json:"lines"`
}

// EditLine is a line as it shall be, or without a LineID a new one.
type EditLine struct {
	LineID    string `json:"line_id,omitempty"`
	Quantity  int    `json:"quantity"`
	SKU       string `json:"sku,omitempty"`
	Location  string `json:"location,omitempty"`
	UnitPrice *Money `json:"unit_price,omitempty"`
	Discount  *Money `json:"discount,omitempty"` // of a new line, as Tax
	Tax       *Money `json:"tax,omitempty"`
}

// HoldOrder stops an order.
func (c *Client) HoldOrder(ctx context.Context, id string, how Change, in HoldOrder) (Changed, error) {
	return c.change(ctx, id, how, in, "hold")
}

// ReleaseOrder lets a held order go on.
func (c *Client) ReleaseOrder(ctx context.Context, id string, how Change, note string) (Changed, error) {
	return c.change(ctx, id, how, map[string]string{"note": note}, "release")
}

// AddNote writes something down about an order.
func (c *Client) AddNote(ctx context.Context, id string, how Change, in Note) (Changed, error) {
	return c.change(ctx, id, how, in, "notes")
}

// TagOrder adds and removes tags.
func (c *Client) TagOrder(ctx context.Context, id string, how Change, in Tags) (Changed, error) {
	return c.change(ctx, id, how, in, "tags")
}

// ChangeAddress sends what is not yet shipped elsewhere.
func (c *Client) ChangeAddress(ctx context.Context, id string, how Change, in Address) (Changed, error) {
	return c.change(ctx, id, how, in, "address")
}

// CancelOrder asks for what is not shipped to be cancelled. The reason is a
// word without spaces.
func (c *Client) CancelOrder(ctx context.Context, id string, how Change, reason string) (Changed, error) {
	in := map[string]string{}
	if reason != "" {
		in["reason"] = reason
	}
	changed, err := c.change(ctx, id, how, in, "cancel")
	changed.ID = ""
	return changed, err
}

// RequestFulfilment asks a warehouse for units.
func (c *Client) RequestFulfilment(ctx context.Context, id string, how Change, in RequestFulfilment) (Changed, error) {
	return c.change(ctx, id, how, in, "fulfilments")
}

// ShipOrder records that a parcel has left.
func (c *Client) ShipOrder(ctx context.Context, id string, how Change, in ShipOrder) (Changed, error) {
	return c.change(ctx, id, how, in, "shipments")
}

// MarkDelivered records that a parcel has arrived; the zero time is now.
func (c *Client) MarkDelivered(ctx context.Context, id, shipment string, how Change, at time.Time) (Changed, error) {
	in := struct {
		At time.Time `json:"at,omitzero"`
	}{at}
	return c.change(ctx, id, how, in, "shipments", shipment, "delivered")
}

// FailShipment records that a parcel could not be delivered.
func (c *Client) FailShipment(ctx context.Context, id, shipment string, how Change, reason string) (Changed, error) {
	return c.change(ctx, id, how, map[string]string{"reason": reason}, "shipments", shipment, "failed")
}

// RequestReturn asks for goods to come back.
func (c *Client) RequestReturn(ctx context.Context, id string, how Change, in RequestReturn) (Changed, error) {
	return c.change(ctx, id, how, in, "returns")
}

// ReceiveReturn records which goods came back.
func (c *Client) ReceiveReturn(ctx context.Context, id, returnID string, how Change, in ReceiveReturn) (Changed, error) {
	return c.change(ctx, id, how, in, "returns", returnID, "receive")
}

// RejectReturn ends a return whose goods are not taken back.
func (c *Client) RejectReturn(ctx context.Context, id, returnID string, how Change, reason string) (Changed, error) {
	return c.change(ctx, id, how, map[string]string{"reason": reason}, "returns", returnID, "reject")
}

// RefundOrder asks for money to be given back. The order of the answer has no
// more than its id: [Client.RefundStatus] tells what comes of it.
func (c *Client) RefundOrder(ctx context.Context, id string, how Change, in Refund) (Changed, error) {
	changed, err := c.change(ctx, id, how, in, "refunds")
	changed.Order = Order{ID: id}
	return changed, err
}

// CaptureOrder asks for held money to be taken. As with [Client.RefundOrder],
// the answer has no order: [Client.CaptureStatus] tells what comes of it. A
// [Problem] with status 402 says that the gateway refused.
func (c *Client) CaptureOrder(ctx context.Context, id string, how Change, in CaptureOrder) (Changed, error) {
	changed, err := c.change(ctx, id, how, in, "captures")
	changed.Order = Order{ID: id}
	return changed, err
}

// EditOrder changes the lines of an order.
func (c *Client) EditOrder(ctx context.Context, id string, how Change, in EditOrder) (Changed, error) {
	return c.change(ctx, id, how, in, "edits")
}

// CaptureStatus returns where a capture stands: requested, done or failed.
func (c *Client) CaptureStatus(ctx context.Context, id, capture string) (string, error) {
	return c.status(ctx, id, "captures", capture)
}

// RefundStatus returns where a refund stands: requested, refunded or failed.
func (c *Client) RefundStatus(ctx context.Context, id, refund string) (string, error) {
	return c.status(ctx, id, "refunds", refund)
}

func (c *Client) status(ctx context.Context, id, kind, part string) (string, error) {
	var body struct {
		Status string `json:"status"`
	}
	_, err := c.do(ctx, http.MethodGet, orderPath(id, kind, part), "", nil, &body)
	return body.Status, err
}

// Order returns an order and its ETag.
func (c *Client) Order(ctx context.Context, id string) (Order, string, error) {
	var order Order
	response, err := c.do(ctx, http.MethodGet, orderPath(id), "", nil, &order)
	if err != nil {
		return Order{}, "", err
	}
	return order, response.Header().Get("ETag"), nil
}

func orderPath(id string, parts ...string) string {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return strings.Join(append([]string{"/v1/orders", url.PathEscape(id)}, escaped...), "/")
}

func (c *Client) change(ctx context.Context, id string, how Change, in any, parts ...string) (Changed, error) {
	var changed Changed
	match := how.IfMatch
	if match == "" {
		match = "*"
	}
	request := c.http.R().SetHeader("If-Match", match)
	response, err := c.send(ctx, request, http.MethodPost, orderPath(id, parts...), how.Key, in, &changed.Order)
	if err != nil {
		return changed, err
	}
	header := response.Header()
	changed.ETag, changed.Accepted = header.Get("ETag"), response.StatusCode() == http.StatusAccepted
	changed.Replayed = header.Get("Idempotency-Replayed") == "true"
	changed.Position, _ = strconv.ParseUint(header.Get("X-Write-Position"), 10, 64)
	if location := header.Get("Location"); location != "" {
		changed.ID, _ = url.PathUnescape(path.Base(location))
	}
	return changed, nil
}
