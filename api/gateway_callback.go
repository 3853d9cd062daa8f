package api

import (
	"context"
	"net/http"
	"net/url"
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
	Fresh

	Status string `query:"status" default:"unclaimed" enum:"waiting,unclaimed" doc:"waiting are tried again; unclaimed were given up after a day, or contradict what is recorded."`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before, with the same status." maxLength:"500"`
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
	Kind       string    `json:"kind" enum:"authorisation,movement,chargeback,other"`
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

// callbackPlace is where a page of callbacks ended.
type callbackPlace struct {
	At int64  `json:"at"` // milliseconds since 1970
	ID string `json:"id"`
}

func (s *server) listGatewayCallbacks(ctx context.Context, in *listGatewayCallbacksRequest) (*listGatewayCallbacksAnswer, error) {
	scope := "gateway-callbacks?status=" + in.Status
	var after *projections.GatewayCallbackKey
	if in.Cursor != "" {
		var place callbackPlace
		if err := s.cursors.decode(in.Cursor, scope, &place); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
		after = &projections.GatewayCallbackKey{ReceivedAt: time.UnixMilli(place.At), ID: place.ID}
	}
	reached, err := s.await(ctx, s.api.CallbackList.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.CallbackList.List(ctx, in.Status, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listGatewayCallbacksAnswer{Reached: reached}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		last := rows[in.Limit-1]
		if answer.Body.Next, err = s.cursors.encode(scope, callbackPlace{At: last.ReceivedAt.UnixMilli(), ID: last.ID}); err != nil {
			return nil, err
		}
		answer.Link = nextLink("/v1/gateway-callbacks", url.Values{"status": {in.Status}}, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(rows, func(row projections.GatewayCallback) gatewayCallbackBody {
		return gatewayCallbackBody(row)
	})
	return answer, nil
}
