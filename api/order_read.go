package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	checkouts "github.com/waybill-dev/waybill/handlers/checkout"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type orderRequest struct {
	ID          string    `path:"id" doc:"Id of the order."`
	Revision    string    `query:"revision" pattern:"^[0-9]{1,18}$" doc:"The order as it was at this revision: the number in its ETag then."`
	AsOf        givenTime `query:"as_of" format:"date-time" doc:"The order as it was at this time."`
	MinRevision string    `header:"Min-Revision" pattern:"^[0-9]{1,18}$|^\"[0-9]{1,18}\"$" doc:"The ETag of a change, or the number in it: no older order is answered."`
	IfNoneMatch string    `header:"If-None-Match"`
}

// moment is when the order is to be shown.
func (in *orderRequest) moment() orders.Moment {
	m := orders.Moment{Time: in.AsOf.Time}
	if n, err := strconv.ParseInt(in.Revision, 10, 64); err == nil {
		revision := eventstore.Revision(n)
		m.Revision = &revision
	}
	return m
}

type numberedOrderRequest struct {
	Fresh

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
		summary: "Show an order", about: "From the log itself: never behind. revision and as_of show it as it was.",
		refuses: []string{orders.ErrNotFound.Code, orders.ErrFuture.Code, kindBehind}, more: notModified(),
	}, s.getOrder)
	register(s, route{
		id: "getOrderByNumber", method: http.MethodGet, path: "/v1/orders/by-number/{number}", tag: "orders", scopes: scopes, status: http.StatusOK,
		summary: "Show the order with a number", about: "An order of this moment may not be found yet, unless min_position waits for it.",
		refuses: []string{kindNotFound, kindBehind}, more: notModified(),
	}, s.numberedOrder)
	register(s, route{
		id: "getCheckout", method: http.MethodGet, path: "/v1/checkouts/{id}", tag: "checkouts",
		scopes: []apikey.Scope{apikey.OrdersRead, apikey.OrdersWrite, apikey.OrdersImport}, status: http.StatusOK,
		summary: "Show where a checkout stands", refuses: []string{checkouts.ErrNotFound.Code},
	}, s.getCheckout)
}

// getOrder never answers what is older than the caller knows. The log is read
// itself, so that there is nothing to wait for.
func (s *server) getOrder(ctx context.Context, in *orderRequest) (*orderAnswer, error) {
	if in.Revision != "" && !in.AsOf.IsZero() {
		return nil, s.wrongParameter("query.as_of", "revision says already when")
	}
	answer, err := s.order(ctx, in.ID, in.moment(), in.IfNoneMatch)
	if err != nil || in.MinRevision == "" {
		return answer, err
	}
	wanted, err := strconv.ParseInt(strings.Trim(in.MinRevision, `"`), 10, 64)
	if present, _ := ifMatch(answer.ETag); err != nil || int64(present) < wanted {
		return nil, s.refuse(kindBehind, "the order has not come so far").with("revision", int64(present))
	}
	return answer, nil
}

func (s *server) wrongParameter(name, detail string) *Problem {
	problem := s.refuse(kindInvalid, "the request has a mistake")
	problem.Errors = []mistake{{Parameter: name, Code: "invalid", Detail: detail}}
	return problem
}

func (s *server) order(ctx context.Context, id string, when orders.Moment, match string) (*orderAnswer, error) {
	state, revision, err := s.api.Changes.At(ctx, id, when)
	if err != nil {
		return nil, err
	}
	answer := &orderAnswer{Status: http.StatusOK, ETag: etag(revision), Body: orderBodyOf(state)}
	if noneMatch(match, answer.ETag) {
		answer.Status = http.StatusNotModified
	}
	return answer, nil
}

func (s *server) numberedOrder(ctx context.Context, in *numberedOrderRequest) (*orderAnswer, error) {
	if _, err := s.await(ctx, s.api.Orders.DB, in.Fresh); err != nil {
		return nil, err
	}
	row, err := s.api.Orders.ByNumber(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return s.order(ctx, row.OrderID, orders.Moment{}, in.IfNoneMatch)
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
