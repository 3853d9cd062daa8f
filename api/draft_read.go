package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/domain/order"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/drafts"
	"github.com/waybill-dev/waybill/projections"
)

// draftBody is a draft as it stands.
type draftBody struct {
	ID            string          `json:"id"`
	Status        string          `json:"status" enum:"open,placing,placed,discarded" doc:"placing: a checkout of it is under way, and it cannot be changed."`
	Currency      string          `json:"currency" example:"EUR"`
	Lines         []draftLineBody `json:"lines" nullable:"false"`
	CustomerID    string          `json:"customer_id,omitempty"`
	Customer      *contact        `json:"customer,omitempty" doc:"For the scopes customers:read and customers:write. [erased] stands for what was erased."`
	ShipTo        *address        `json:"ship_to,omitempty" doc:"For the scopes customers:read and customers:write."`
	BillTo        *address        `json:"bill_to,omitempty" doc:"For the scopes customers:read and customers:write."`
	PaymentMethod string          `json:"payment_method,omitempty"`
	Channel       string          `json:"channel,omitempty" doc:"The sales channel; missing for the shop itself." example:"web"`
	Shipping      *shippingBody   `json:"shipping,omitempty"`
	Discounts     []discountBody  `json:"discounts,omitempty" nullable:"false"`
	CheckoutID    string          `json:"checkout_id,omitempty" doc:"The last one that was made of it."`
	OrderID       string          `json:"order_id,omitempty" doc:"Once it is placed."`
	Preview       *draftPreview   `json:"preview,omitempty" doc:"While it is open: what an order would cost at this moment."`
	OpenedAt      time.Time       `json:"opened_at"`
	ChangedAt     time.Time       `json:"changed_at"`
}

// draftPreview is a draft with present prices. Nothing of it is kept.
type draftPreview struct {
	Lines  []draftPriceBody `json:"lines,omitempty" doc:"Missing where errors are."`
	Totals *totalsBody      `json:"totals,omitempty"`
	Errors []mistake        `json:"errors,omitempty" doc:"Why it could not be placed as it is."`
}

type draftPriceBody struct {
	SKU       string `json:"sku" example:"MUG-1"`
	Title     string `json:"title"`
	Quantity  int    `json:"quantity"`
	UnitPrice money  `json:"unit_price"`
	Discount  money  `json:"discount" doc:"With its share of the discounts of the whole order."`
	Tax       money  `json:"tax"`
	Total     money  `json:"total"`
	Available *int64 `json:"available,omitempty" doc:"How many units may be ordered, a moment ago; for the first 100 lines."`
}

// shownDraft answers with a draft.
func (s *server) shownDraft(ctx context.Context, result drafts.Result, err error) (*draftAnswer, error) {
	if err != nil {
		return nil, s.unchanged(err)
	}
	d := result.State
	body := draftBody{
		ID: d.DraftID, Status: string(d.Status), Currency: d.Currency, CustomerID: d.Details.CustomerID, PaymentMethod: d.Details.PaymentMethod,
		Lines: each(d.Lines, draftLineBodyOf), Channel: d.Details.Channel, Shipping: shippingBodyOf(order.Shipping(d.Details.Shipping)),
		Discounts:  each(d.Details.Discounts, func(d draft.Discount) discountBody { return discountBodyOf(order.Discount(d)) }),
		CheckoutID: d.Last().CheckoutID, OrderID: d.OrderID, OpenedAt: d.OpenedAt, ChangedAt: d.ChangedAt,
	}
	if callOf(ctx).credential.May(apikey.CustomersRead, apikey.CustomersWrite) {
		if body.Customer, err = s.contactAt(ctx, d.Details.ContactRef, ""); err != nil {
			return nil, err
		}
		if body.ShipTo, err = s.addressAt(ctx, d.Details.ShipToRef, ""); err != nil {
			return nil, err
		}
		if body.BillTo, err = s.addressAt(ctx, d.Details.BillToRef, ""); err != nil {
			return nil, err
		}
	}
	if d.Status == draft.Open {
		if body.Preview, err = s.preview(ctx, d); err != nil {
			return nil, err
		}
	}
	return &draftAnswer{Status: http.StatusOK, ETag: etag(result.Revision), Body: body}, nil
}

// levelsShown is for how many lines of a draft the stock is looked up.
const levelsShown = 100

// preview prices a draft as an order of this moment would be.
func (s *server) preview(ctx context.Context, d draft.State) (*draftPreview, error) {
	cart := drafts.Cart(d)
	cart.Method = cmp.Or(cart.Method, "none")
	priced, err := checkouts.Prices{Products: s.api.Catalogue}.Price(ctx, cart)
	if refused := (*domain.RuleError)(nil); errors.As(err, &refused) {
		return &draftPreview{Errors: each(refused.Mistakes, func(m domain.Mistake) mistake {
			return mistake{Pointer: m.Pointer, Code: m.Code, Detail: m.Detail}
		})}, nil
	}
	if err != nil {
		return nil, err
	}
	totals := totalsBodyOf(order.Totals(priced.Totals))
	preview := &draftPreview{Totals: &totals}
	for i, line := range priced.Lines {
		body := draftPriceBody{
			SKU: line.SKU, Title: line.Title, Quantity: line.Quantity, UnitPrice: moneyOf(line.UnitPrice),
			Discount: moneyOf(line.Discount), Tax: moneyOf(line.Tax), Total: moneyOf(line.Total),
		}
		if i < levelsShown {
			level, err := s.api.Levels.Get(ctx, cmp.Or(s.api.Checkouts.Config.Location, "main"), line.SKU)
			if err != nil && !errors.Is(err, projections.ErrNotFound) {
				return nil, err
			}
			body.Available = &level.Available
		}
		preview.Lines = append(preview.Lines, body)
	}
	return preview, nil
}

type listDraftsRequest struct {
	Paging

	Status     string `query:"status" default:"open" enum:"open,placing,placed,discarded"`
	CustomerID string `query:"customer_id" maxLength:"200"`
}

type listDraftsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body draftListBody
}

type draftListBody struct {
	Items []draftSummaryBody `json:"items" nullable:"false"`
	Next  string             `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type draftSummaryBody struct {
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	Currency   string    `json:"currency" example:"EUR"`
	CustomerID string    `json:"customer_id,omitempty"`
	OrderID    string    `json:"order_id,omitempty"`
	OpenedAt   time.Time `json:"opened_at"`
	ChangedAt  time.Time `json:"changed_at"`
}

func (s *server) draftListRoutes() {
	register(s, route{
		id: "listDrafts", method: http.MethodGet, path: "/v1/drafts", tag: "drafts", scopes: []apikey.Scope{apikey.OrdersRead, apikey.OrdersWrite}, status: http.StatusOK,
		summary: "List drafts", about: "Newest first. One of this moment may be missing, unless min_position waits for it.", refuses: []string{kindBadCursor, kindBehind},
	}, s.listDrafts)
}

func (s *server) listDrafts(ctx context.Context, in *listDraftsRequest) (*listDraftsAnswer, error) {
	p, err := list[timePlace, projections.DraftRow, draftSummaryBody]{
		pages: s.paged("/v1/drafts", in.Paging, map[string]string{"status": in.Status, "customer_id": in.CustomerID}),
		model: s.api.DraftList.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.DraftRow, error) {
			key := keyOf(after, func(at timePlace) projections.DraftKey {
				return projections.DraftKey{OpenedAt: at.time(), DraftID: at.IDs[0]}
			})
			return s.api.DraftList.List(ctx, draft.Status(in.Status), in.CustomerID, key, limit)
		},
		place: func(r projections.DraftRow) timePlace { return placeAt(r.OpenedAt, r.DraftID) },
		body: func(r projections.DraftRow) draftSummaryBody {
			return draftSummaryBody{
				ID: r.DraftID, Status: string(r.Status), Currency: r.Currency, CustomerID: r.CustomerID, OrderID: r.OrderID,
				OpenedAt: r.OpenedAt, ChangedAt: r.ChangedAt,
			}
		},
	}.read(ctx)
	return &listDraftsAnswer{Reached: p.Reached, Link: p.Link, Body: draftListBody(p.Body)}, err
}
