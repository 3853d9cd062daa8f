package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
)

type orderRequest struct {
	ID          string `path:"id" doc:"Id of the order."`
	IfNoneMatch string `header:"If-None-Match"`
}

type numberedOrderRequest struct {
	Number      string `path:"number" doc:"Number of the order." example:"100017"`
	IfNoneMatch string `header:"If-None-Match"`
}

type orderAnswer struct {
	Status int
	ETag   string `header:"ETag"`
	Body   orderBody
}

type checkoutRequest struct {
	ID string `path:"id" doc:"Id of the checkout."`
}

type checkoutAnswer struct {
	Body checkoutBody
}

func (s *server) orderReadRoutes() {
	scopes := []apikey.Scope{apikey.OrdersRead}
	register(s, route{
		id: "getOrder", method: http.MethodGet, path: "/v1/orders/{id}", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Show an order", about: "From the log itself: never behind.", refuses: []string{kindNotFound}, more: notModified(),
	}, func(ctx context.Context, in *orderRequest) (*orderAnswer, error) {
		return s.order(ctx, in.ID, in.IfNoneMatch)
	})
	register(s, route{
		id: "getOrderByNumber", method: http.MethodGet, path: "/v1/orders/by-number/{number}", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Show the order with a number", about: "An order of this moment may not be found yet.", refuses: []string{kindNotFound}, more: notModified(),
	}, s.numberedOrder)
	register(s, route{
		id: "getCheckout", method: http.MethodGet, path: "/v1/checkouts/{id}", tag: "checkouts",
		scopes: []apikey.Scope{apikey.OrdersRead, apikey.OrdersWrite, apikey.OrdersImport}, status: http.StatusOK,
		summary: "Show where a checkout stands", refuses: []string{checkouts.ErrNotFound.Code},
	}, s.getCheckout)
}

func (s *server) order(ctx context.Context, id, match string) (*orderAnswer, error) {
	state, revision, err := eventstore.Load(ctx, s.api.Store, order.Decider, id)
	if err != nil {
		return nil, err
	}
	if state.Status == "" {
		return nil, s.refuse(kindNotFound, "there is no order with this id")
	}
	answer := &orderAnswer{Status: http.StatusOK, ETag: etag(revision), Body: orderBodyOf(state)}
	if noneMatch(match, answer.ETag) {
		answer.Status = http.StatusNotModified
	}
	return answer, nil
}

func (s *server) numberedOrder(ctx context.Context, in *numberedOrderRequest) (*orderAnswer, error) {
	row, err := s.api.Orders.ByNumber(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return s.order(ctx, row.OrderID, in.IfNoneMatch)
}

func (s *server) getCheckout(ctx context.Context, in *checkoutRequest) (*checkoutAnswer, error) {
	outcome, err := s.api.Checkouts.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if outcome.Checkout.CheckoutID == "" {
		return nil, outcome.Refused
	}
	return &checkoutAnswer{Body: checkoutBodyOf(outcome.Checkout)}, nil
}
