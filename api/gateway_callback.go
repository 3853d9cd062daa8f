package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	callbacks "github.com/waybill-dev/waybill/handlers/gatewaycallbacks"
	"github.com/waybill-dev/waybill/projections"
)

type gatewayCallbackRequest struct {
	Gateway string `path:"gateway" doc:"Name of the payment gateway." example:"stripe" maxLength:"64"`
	RawBody []byte `contentType:"application/json" doc:"As the gateway signs it."`
}

type listGatewayCallbacksRequest struct {
	Paging

	Status string `query:"status" default:"unclaimed" enum:"waiting,unclaimed" doc:"waiting are tried again; unclaimed were given up after a day, or contradict what is recorded."`
}

type listGatewayCallbacksAnswer struct {
	Reached

	Link string `header:"Link"`
	Body gatewayCallbackListBody
}

type gatewayCallbackListBody struct {
	Items []gatewayCallbackBody `json:"items" nullable:"false"`
	Next  string                `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type gatewayCallbackBody struct {
	ID         string    `json:"id"`
	Gateway    string    `json:"gateway" example:"stripe"`
	CallbackID string    `json:"callback_id" doc:"The gateway's name for it." example:"evt_1"`
	Kind       string    `json:"kind" enum:"authorisation,movement,chargeback,other,unseen" doc:"unseen: a payment that came to nothing, and is looked at until the gateway is known to hold nothing."`
	PaymentID  string    `json:"payment_id"`
	Status     string    `json:"status" enum:"waiting,unclaimed"`
	Reason     string    `json:"reason,omitempty" doc:"Why nobody claims it." example:"payment-unknown"`
	ReceivedAt time.Time `json:"received_at"`
}

func (s *server) gatewayCallbackRoutes() {
	register(s, route{
		id: "receiveGatewayCallback", method: http.MethodPost, path: "/v1/gateway-callbacks/{gateway}", tag: "payments", status: http.StatusNoContent,
		summary: "Take a callback of a payment gateway",
		about: "For the gateway, which signs it: the secret is a setting. It is stored before it is answered, also when its payment is not known, " +
			"and a repeat changes nothing. What is recorded already is not stored again.",
		refuses: []string{callbacks.ErrSignature.Code, callbacks.ErrUnreadable.Code, callbacks.ErrGateway.Code, kindUnavailable},
		signed:  true,
		example: map[string]any{"id": "evt_1", "type": "payment_intent.succeeded"},
	}, s.receiveGatewayCallback)
	register(s, route{
		id: "listGatewayCallbacks", method: http.MethodGet, path: "/v1/gateway-callbacks", tag: "payments", scopes: []apikey.Scope{apikey.OrdersRead}, status: http.StatusOK,
		summary: "List callbacks of payment gateways that were not applied", about: "The oldest first.", refuses: []string{kindBadCursor, kindBehind},
	}, s.listGatewayCallbacks)
}

func (s *server) receiveGatewayCallback(ctx context.Context, in *gatewayCallbackRequest) (*struct{}, error) {
	_, err := s.api.GatewayCallbacks.Receive(ctx, in.Gateway, callOf(ctx).request.Header, in.RawBody)
	return nil, err
}

func (s *server) listGatewayCallbacks(ctx context.Context, in *listGatewayCallbacksRequest) (*listGatewayCallbacksAnswer, error) {
	p, err := list[timePlace, projections.GatewayCallback, gatewayCallbackBody]{
		pages: s.paged("/v1/gateway-callbacks", in.Paging, map[string]string{"status": in.Status}),
		model: s.api.CallbackList.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.GatewayCallback, error) {
			key := keyOf(after, func(at timePlace) projections.GatewayCallbackKey {
				return projections.GatewayCallbackKey{ReceivedAt: at.time(), ID: at.IDs[0]}
			})
			return s.api.CallbackList.List(ctx, in.Status, key, limit)
		},
		place: func(r projections.GatewayCallback) timePlace { return placeAt(r.ReceivedAt, r.ID) },
		body:  func(r projections.GatewayCallback) gatewayCallbackBody { return gatewayCallbackBody(r) },
	}.read(ctx)
	return &listGatewayCallbacksAnswer{Reached: p.Reached, Link: p.Link, Body: gatewayCallbackListBody(p.Body)}, err
}
