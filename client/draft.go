package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// OpenDraft is the body of POST /v1/drafts.
type OpenDraft struct {
	Currency string      `json:"currency"`
	Lines    []DraftLine `json:"lines,omitempty"`

	DraftDetails
}

// DraftLine is how many units of a SKU are wanted. Discount and Tax are those of
// the whole line.
type DraftLine struct {
	SKU      string `json:"sku,omitempty"`
	Quantity int    `json:"quantity"`
	Discount *Money `json:"discount,omitempty"`
	Tax      *Money `json:"tax,omitempty"`
}

// DraftDetails is who a draft is for, how it will be paid, and what is taken and
// taken off beside its lines.
type DraftDetails struct {
	Customer      *Customer `json:"customer,omitempty"`
	ShipTo        *Address  `json:"ship_to,omitempty"`
	BillTo        *Address  `json:"bill_to,omitempty"`
	PaymentMethod string    `json:"payment_method,omitempty"`

	Channel   string     `json:"channel,omitempty"` // of sales; empty is the shop itself
	Shipping  *Shipping  `json:"shipping,omitempty"`
	Discounts []Discount `json:"discounts,omitempty"`
}

// Draft is an order that is put together.
type Draft struct {
	ID         string      `json:"id"`
	Status     string      `json:"status"`
	Currency   string      `json:"currency"`
	Lines      []DraftLine `json:"lines"`
	CustomerID string      `json:"customer_id"`
	CheckoutID string      `json:"checkout_id"`
	OrderID    string      `json:"order_id"`
	// Preview is what an order would cost at this moment, while it is open.
	Preview   *DraftPreview `json:"preview"`
	OpenedAt  time.Time     `json:"opened_at"`
	ChangedAt time.Time     `json:"changed_at"`
	ETag      string        `json:"-"`

	DraftDetails
}

// DraftPreview is what a draft would cost, or why it could not be placed.
type DraftPreview struct {
	Lines []struct {
		SKU       string `json:"sku"`
		Title     string `json:"title"`
		Quantity  int    `json:"quantity"`
		UnitPrice Money  `json:"unit_price"`
		Discount  Money  `json:"discount"`
		Tax       Money  `json:"tax"`
		Total     Money  `json:"total"`
		Available *int64 `json:"available"`
	} `json:"lines"`
	Totals *struct {
		Subtotal, Discount, Shipping, Tax, Grand Money
	} `json:"totals"`
	Errors []Mistake `json:"errors"`
}

// OpenDraft begins a draft; with a key, a repeat is the same one.
func (c *Client) OpenDraft(ctx context.Context, key string, in OpenDraft) (Draft, error) {
	return c.draft(ctx, http.MethodPost, "/v1/drafts", Change{Key: key}, in)
}

// Draft returns a draft, with present prices.
func (c *Client) Draft(ctx context.Context, id string) (Draft, error) {
	return c.draft(ctx, http.MethodGet, draftPath(id), Change{}, nil)
}

// DiscardDraft throws a draft away.
func (c *Client) DiscardDraft(ctx context.Context, id string, how Change) (Draft, error) {
	return c.draft(ctx, http.MethodDelete, draftPath(id), how, nil)
}

// SetDraftLine says how many units of a SKU are wanted.
func (c *Client) SetDraftLine(ctx context.Context, id string, how Change, line DraftLine) (Draft, error) {
	sku := line.SKU
	line.SKU = ""
	return c.draft(ctx, http.MethodPut, draftPath(id)+"/lines/"+url.PathEscape(sku), how, line)
}

// RemoveDraftLine takes a SKU out of a draft.
func (c *Client) RemoveDraftLine(ctx context.Context, id, sku string, how Change) (Draft, error) {
	return c.draft(ctx, http.MethodDelete, draftPath(id)+"/lines/"+url.PathEscape(sku), how, nil)
}

// SetDraftDetails replaces who a draft is for and how it will be paid.
func (c *Client) SetDraftDetails(ctx context.Context, id string, how Change, in DraftDetails) (Draft, error) {
	return c.draft(ctx, http.MethodPut, draftPath(id)+"/details", how, in)
}

// PlaceDraft places a draft as an order, once. Without a method it is paid as
// the draft says.
func (c *Client) PlaceDraft(ctx context.Context, id string, how Change, payment *Payment) (Placed, error) {
	var body struct {
		Payment *Payment `json:"payment,omitempty"`
	}
	body.Payment = payment
	return c.place(ctx, c.http.R().SetHeader("If-Match", how.match()), draftPath(id)+"/place", how.Key, body)
}

// DraftPage is one page of a list of drafts, of which not everything is told.
type DraftPage struct {
	Drafts []Draft `json:"items"`
	Next   string  `json:"next_cursor"`
}

// Drafts lists drafts by the query parameters of GET /v1/drafts.
func (c *Client) Drafts(ctx context.Context, query url.Values) (DraftPage, error) {
	var page DraftPage
	_, err := c.do(ctx, http.MethodGet, "/v1/drafts?"+query.Encode(), "", nil, &page)
	return page, err
}

func draftPath(id string) string { return "/v1/drafts/" + url.PathEscape(id) }

func (c *Client) draft(ctx context.Context, method, path string, how Change, in any) (Draft, error) {
	var draft Draft
	request := c.http.R()
	if method != http.MethodGet && method != http.MethodPost {
		request.SetHeader("If-Match", how.match())
	}
	response, err := c.send(ctx, request, method, path, how.Key, in, &draft)
	if err != nil {
		return draft, err
	}
	draft.ETag = response.Header().Get("ETag")
	return draft, nil
}

// match is the entity tag that a change is meant for, or any.
func (how Change) match() string {
	if how.IfMatch == "" {
		return "*"
	}
	return how.IfMatch
}
