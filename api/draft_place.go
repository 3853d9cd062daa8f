package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/draft"
	"github.com/waybill-dev/waybill/handlers"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/drafts"
)

type placeDraftRequest struct {
	ID string `path:"id" doc:"Id of the draft."`
	ChangeHeaders

	Body *placeDraftBody `required:"false"`
}

type placeDraftBody struct {
	Payment *payBody `json:"payment,omitempty" doc:"The draft's payment_method if missing."`
}

func (s *server) draftPlaceRoutes() {
	register(s, route{
		id: "placeDraft", method: http.MethodPost, path: "/v1/drafts/{id}/place", tag: "drafts", scopes: []apikey.Scope{apikey.OrdersWrite}, status: http.StatusCreated,
		summary: "Make an order of a draft",
		about: "Answers as placing an order does. A draft comes to one order at most: one that was placed is answered with it. " +
			"While a declined payment's goods are kept, this tries another payment; meanwhile the draft cannot be changed. If nothing comes of it the draft is open again.",
		more:   map[int]string{http.StatusAccepted: "The payment's outcome is not known yet, or the shopper has to confirm the payment: the checkout at Location tells."},
		bodies: map[int]any{http.StatusCreated: orderBody{}, http.StatusAccepted: checkoutBody{}},
		refuses: []string{
			kindPrecondition, handlers.ErrRevision.Code, kindConflict, kindKeyMissing, kindKeyInvalid, domain.ErrKeyReused.Code, checkouts.ErrInProgress.Code,
			draft.ErrNotFound.Code, draft.ErrInvalid.Code, draft.ErrDiscarded.Code, draft.ErrPlacing.Code, draft.ErrPlaced.Code, customer.ErrErased.Code, customer.ErrErasing.Code,
			checkout.ErrCart.Code, domain.ErrCurrencyMismatch.Code, checkout.ErrOutOfStock.Code, checkout.ErrDeclined.Code, checkout.ErrTooManyPayments.Code,
			checkout.ErrStockLost.Code, checkout.ErrUnresolved.Code, checkout.ErrAbandoned.Code, checkout.ErrTransition.Code, "reservation-expired",
		},
		example: map[string]any{"payment": map[string]any{"method": "sandbox:approved"}},
	}, s.placeDraft)
}

func (s *server) placeDraft(ctx context.Context, in *placeDraftRequest) (*placedAnswer, error) {
	expected, _, err := s.meantFor(ctx, DraftHeaders{IfMatch: in.IfMatch})
	if err != nil {
		return nil, err
	}
	place := drafts.Place{DraftID: in.ID, Expected: expected}
	if place.Meta, err = s.keyed(ctx, "POST "+draftPath(in.ID)+"/place", in.IdempotencyKey); err != nil {
		return nil, err
	}
	if in.Body != nil && in.Body.Payment != nil {
		place.Method, place.ReturnURL = in.Body.Payment.Method, in.Body.Payment.ReturnURL
	}
	outcome, err := s.api.Drafts.Place(ctx, place)
	if err != nil {
		return nil, s.unchanged(err)
	}
	return s.placedOrder(outcome, nil)
}
