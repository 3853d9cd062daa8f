package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/projections"
)

type listPaymentsRequest struct {
	Paging

	Status        string    `query:"status" enum:"requested,action_required,authorised,declined,unknown,not_found,void_requested,voided,expired" doc:"Of the authorisation. unknown lists payments whose outcome is looked into."`
	OrderID       string    `query:"order_id" doc:"Of the order it is for, which need not be placed." maxLength:"200"`
	Gateway       string    `query:"gateway" maxLength:"200" example:"sandbox"`
	RequestedFrom givenTime `query:"requested_from" format:"date-time" doc:"This time included."`
	RequestedTo   givenTime `query:"requested_to" format:"date-time" doc:"This time excluded."`
}

type listPaymentsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body paymentListBody
}

type paymentListBody struct {
	Items []listedPaymentBody `json:"items" nullable:"false"`
	Next  string              `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type listedPaymentBody struct {
	ID          string            `json:"id"`
	OrderID     string            `json:"order_id"`
	Status      string            `json:"status" example:"authorised"`
	Gateway     string            `json:"gateway" example:"sandbox"`
	Method      string            `json:"method" example:"sandbox:approved"`
	GatewayKey  string            `json:"gateway_key" doc:"What the gateway recognises a repeated request by."`
	GatewayRef  string            `json:"gateway_ref,omitempty" doc:"The gateway's name for it, once it is authorised."`
	Amounts     listedAmountsBody `json:"amounts"`
	Code        string            `json:"code,omitempty" doc:"Why it was declined, in the gateway's words."`
	VoidFailure string            `json:"void_failure,omitempty" doc:"Why the gateway did not let go of the money the last time, in its words."`
	RequestedAt time.Time         `json:"requested_at"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty" doc:"When the gateway lets go of what is not captured."`
	ChangedAt   time.Time         `json:"changed_at"`
}

type listedAmountsBody struct {
	Requested   money `json:"requested"`
	Authorised  money `json:"authorised" doc:"What was held, before captures."`
	Captured    money `json:"captured"`
	Refunded    money `json:"refunded"`
	ChargedBack money `json:"charged_back"`
}

type listMovementsRequest struct {
	Paging

	Status        string    `query:"status" enum:"requested,done,failed"`
	OrderID       string    `query:"order_id" maxLength:"200"`
	RequestedFrom givenTime `query:"requested_from" format:"date-time" doc:"This time included."`
	RequestedTo   givenTime `query:"requested_to" format:"date-time" doc:"This time excluded."`
}

type listMovementsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body movementListBody
}

type movementListBody struct {
	Items []listedMovementBody `json:"items" nullable:"false"`
	Next  string               `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type listedMovementBody struct {
	ID          string    `json:"id" doc:"Unique within its payment. A refund of an order that is paid out of several payments is the id of all its parts."`
	PaymentID   string    `json:"payment_id"`
	OrderID     string    `json:"order_id"`
	Status      string    `json:"status" enum:"requested,done,failed"`
	Amount      money     `json:"amount"`
	Final       bool      `json:"final,omitempty" doc:"Of a capture: what is left after it is let go."`
	GatewayRef  string    `json:"gateway_ref,omitempty" doc:"The gateway's name for it, once it is done."`
	Code        string    `json:"code,omitempty" doc:"Why it failed, in the gateway's words."`
	RequestedAt time.Time `json:"requested_at"`
	ChangedAt   time.Time `json:"changed_at"`
}

func (s *server) paymentListRoutes() {
	scopes := []apikey.Scope{apikey.OrdersRead, apikey.PaymentsWrite}
	refuses := []string{kindBadCursor, kindBehind}
	register(s, route{
		id: "listPayments", method: http.MethodGet, path: "/v1/payments", tag: "payments", scopes: scopes, status: http.StatusOK,
		summary: "List payments", about: "Those that were asked for last first, whatever became of the order. The last moment may be missing: GET /v1/payments/{id} never is behind.",
		refuses: refuses,
	}, s.listPayments)
	register(s, route{
		id: "listCaptures", method: http.MethodGet, path: "/v1/captures", tag: "payments", scopes: scopes, status: http.StatusOK,
		summary: "List captures of all payments", about: "Those that were asked for last first. The last moment may be missing.", refuses: refuses,
	}, func(ctx context.Context, in *listMovementsRequest) (*listMovementsAnswer, error) {
		return s.listMovements(ctx, in, "/v1/captures", projections.MovedCapture)
	})
	register(s, route{
		id: "listRefunds", method: http.MethodGet, path: "/v1/refunds", tag: "payments", scopes: scopes, status: http.StatusOK,
		summary: "List refunds of all payments", about: "Those that were asked for last first. The last moment may be missing.", refuses: refuses,
	}, func(ctx context.Context, in *listMovementsRequest) (*listMovementsAnswer, error) {
		return s.listMovements(ctx, in, "/v1/refunds", projections.MovedRefund)
	})
}

func (s *server) listPayments(ctx context.Context, in *listPaymentsRequest) (*listPaymentsAnswer, error) {
	filter := projections.PaymentFilter{Status: in.Status, OrderID: in.OrderID, Gateway: in.Gateway, From: in.RequestedFrom.Time, To: in.RequestedTo.Time}
	p, err := list[timePlace, projections.PaymentRow, listedPaymentBody]{
		pages: s.paged("/v1/payments", in.Paging, map[string]string{
			"status": in.Status, "order_id": in.OrderID, "gateway": in.Gateway,
			"requested_from": timeText(in.RequestedFrom.Time), "requested_to": timeText(in.RequestedTo.Time),
		}),
		model: s.api.Payments.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.PaymentRow, error) {
			key := keyOf(after, func(at timePlace) projections.PaymentKey {
				return projections.PaymentKey{RequestedAt: at.time(), PaymentID: at.IDs[0]}
			})
			return s.api.Payments.List(ctx, filter, key, limit)
		},
		place: func(r projections.PaymentRow) timePlace { return placeAt(r.RequestedAt, r.PaymentID) },
		body:  listedPaymentOf,
	}.read(ctx)
	return &listPaymentsAnswer{Reached: p.Reached, Link: p.Link, Body: paymentListBody(p.Body)}, err
}

func listedPaymentOf(r projections.PaymentRow) listedPaymentBody {
	return listedPaymentBody{
		ID: r.PaymentID, OrderID: r.OrderID, Status: string(r.Status), Gateway: r.Gateway, Method: r.Method, GatewayKey: r.GatewayKey,
		GatewayRef: r.GatewayRef, Code: r.Code, VoidFailure: r.VoidFailure,
		Amounts: listedAmountsBody{
			Requested: moneyOf(r.Requested), Authorised: moneyOf(r.Authorised), Captured: moneyOf(r.Captured),
			Refunded: moneyOf(r.Refunded), ChargedBack: moneyOf(r.ChargedBack),
		},
		RequestedAt: r.RequestedAt, ExpiresAt: timeOrNil(r.ExpiresAt), ChangedAt: r.ChangedAt,
	}
}

func (s *server) listMovements(ctx context.Context, in *listMovementsRequest, path, kind string) (*listMovementsAnswer, error) {
	filter := projections.MovementFilter{Kind: kind, Status: in.Status, OrderID: in.OrderID, From: in.RequestedFrom.Time, To: in.RequestedTo.Time}
	p, err := list[timePlace, projections.MovementRow, listedMovementBody]{
		pages: s.paged(path, in.Paging, map[string]string{
			"status": in.Status, "order_id": in.OrderID, "requested_from": timeText(in.RequestedFrom.Time), "requested_to": timeText(in.RequestedTo.Time),
		}),
		model: s.api.Payments.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.MovementRow, error) {
			key := keyOf(after, func(at timePlace) projections.MovementKey {
				return projections.MovementKey{RequestedAt: at.time(), PaymentID: at.IDs[0], MovementID: at.IDs[1]}
			})
			return s.api.Payments.Movements(ctx, filter, key, limit)
		},
		place: func(r projections.MovementRow) timePlace { return placeAt(r.RequestedAt, r.PaymentID, r.MovementID) },
		body:  listedMovementOf,
	}.read(ctx)
	return &listMovementsAnswer{Reached: p.Reached, Link: p.Link, Body: movementListBody(p.Body)}, err
}

func listedMovementOf(r projections.MovementRow) listedMovementBody {
	return listedMovementBody{
		ID: r.MovementID, PaymentID: r.PaymentID, OrderID: r.OrderID, Status: string(r.Status), Amount: moneyOf(r.Amount), Final: r.Final,
		GatewayRef: r.GatewayRef, Code: r.Code, RequestedAt: r.RequestedAt, ChangedAt: r.ChangedAt,
	}
}
