package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type paymentStateBody struct {
	ID          string              `json:"id"`
	OrderID     string              `json:"order_id" doc:"Of the order it is for, which need not be placed yet."`
	Status      string              `json:"status" enum:"requested,action_required,authorised,declined,unknown,not_found,void_requested,voided,expired" doc:"Of the authorisation. What was captured and refunded is told by the amounts. unknown is looked into by itself; not_found says that the gateway never heard of it." example:"authorised"`
	Method      string              `json:"method" example:"sandbox:approved"`
	Gateway     string              `json:"gateway" example:"sandbox"`
	GatewayRef  string              `json:"gateway_ref,omitempty" doc:"The gateway's name for it, once it is authorised."`
	RequestedAt time.Time           `json:"requested_at"`
	ExpiresAt   *time.Time          `json:"expires_at,omitempty" doc:"When the gateway lets go of what is not captured."`
	Amounts     paymentAmountsBody  `json:"amounts"`
	Action      *paymentActionBody  `json:"action,omitempty" doc:"What the shopper has to do, while that is required."`
	Decline     *paymentDeclineBody `json:"decline,omitempty"`
	VoidFailure string              `json:"void_failure,omitempty" doc:"Why the gateway did not let go of the money the last time, in its words."`
	Captures    []movementBody      `json:"captures" nullable:"false" doc:"In the order they were asked for."`
	Refunds     []movementBody      `json:"refunds" nullable:"false" doc:"In the order they were asked for."`
	Chargebacks []chargebackBody    `json:"chargebacks" nullable:"false"`
}

type paymentAmountsBody struct {
	Requested   money `json:"requested"`
	Authorised  money `json:"authorised" doc:"What was held, before captures."`
	Captured    money `json:"captured"`
	Capturable  money `json:"capturable" doc:"What may be captured beyond what was asked for already."`
	Refunded    money `json:"refunded"`
	Refundable  money `json:"refundable" doc:"What may be refunded beyond what was asked for already."`
	ChargedBack money `json:"charged_back" doc:"What banks took back."`
}

type paymentActionBody struct {
	URL       string     `json:"url" doc:"Send the shopper there."`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

type paymentDeclineBody struct {
	Code      string `json:"code" doc:"In the gateway's words."`
	Message   string `json:"message,omitempty"`
	Retryable bool   `json:"retryable" doc:"Another method may succeed."`
}

type movementBody struct {
	ID         string `json:"id"`
	Status     string `json:"status" enum:"requested,done,failed" example:"done"`
	Amount     money  `json:"amount"`
	Final      bool   `json:"final,omitempty" doc:"Of a capture: what is left after it is let go."`
	GatewayRef string `json:"gateway_ref,omitempty" doc:"The gateway's name for it, once it is done."`
	Code       string `json:"code,omitempty" doc:"Why it failed, in the gateway's words."`
}

type chargebackBody struct {
	CaseRef string `json:"case_ref" doc:"The gateway's name for the case."`
	Amount  money  `json:"amount"`
}

type paymentRequest struct {
	ID          string `path:"id" doc:"Id of the payment."`
	IfNoneMatch string `header:"If-None-Match"`
}

type paymentAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"Of the payment."`
	Body   paymentStateBody
}

type orderPaymentsRequest struct {
	ID string `path:"id" doc:"Id of the order."`
}

type orderPaymentsAnswer struct {
	Body struct {
		Items []paymentStateBody `json:"items" nullable:"false"`
	}
}

func (s *server) paymentRoutes() {
	scopes := []apikey.Scope{apikey.OrdersRead, apikey.PaymentsWrite}
	register(s, route{
		id: "getPayment", method: http.MethodGet, path: "/v1/payments/{id}", tag: "payments", scopes: scopes, status: http.StatusOK,
		summary: "Show a payment", about: "From the log itself: never behind. A capture or a refund that was asked for is followed here.",
		refuses: []string{kindNotFound}, more: notModified(),
	}, s.getPayment)
	register(s, route{
		id: "listOrderPayments", method: http.MethodGet, path: "/v1/orders/{id}/payments", tag: "payments", scopes: scopes, status: http.StatusOK,
		summary: "List the payments of an order",
		about:   "The one it was placed with first, then those that followed, those that came to nothing included, each as it is now.",
		refuses: []string{orders.ErrNotFound.Code},
	}, s.listOrderPayments)
}

func (s *server) getPayment(ctx context.Context, in *paymentRequest) (*paymentAnswer, error) {
	state, revision, err := eventstore.Load(ctx, s.api.Store, payment.Decider, in.ID)
	if err != nil {
		return nil, err
	}
	if state.Status == "" {
		return nil, s.refuse(kindNotFound, "there is no payment with this id")
	}
	answer := &paymentAnswer{Status: http.StatusOK, ETag: etag(revision), Body: paymentStateBodyOf(state)}
	if noneMatch(in.IfNoneMatch, answer.ETag) {
		answer.Status = http.StatusNotModified
	}
	return answer, nil
}

func (s *server) listOrderPayments(ctx context.Context, in *orderPaymentsRequest) (*orderPaymentsAnswer, error) {
	all, err := s.api.Payer.Payments(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	answer := &orderPaymentsAnswer{}
	answer.Body.Items = each(all, paymentStateBodyOf)
	return answer, nil
}

func paymentStateBodyOf(p payment.State) paymentStateBody {
	body := paymentStateBody{
		ID: p.PaymentID, OrderID: p.OrderID, Status: string(p.Status), Method: p.Method, Gateway: p.Gateway, GatewayRef: p.GatewayRef,
		RequestedAt: p.RequestedAt, ExpiresAt: timeOrNil(p.ExpiresAt), Amounts: paymentAmountsOf(p), VoidFailure: p.VoidFailure,
		Captures: each(p.Captures, movementBodyOf), Refunds: each(p.Refunds, movementBodyOf),
		Chargebacks: each(p.Chargebacks, func(c payment.Chargeback) chargebackBody { return chargebackBody{c.CaseRef, moneyOf(c.Amount)} }),
	}
	switch p.Status { //nolint:exhaustive // the others have nothing to add
	case payment.StatusActionRequired:
		body.Action = &paymentActionBody{URL: p.ActionURL, ExpiresAt: timeOrNil(p.ActionExpiresAt)}
	case payment.StatusDeclined:
		body.Decline = &paymentDeclineBody{Code: p.Code, Message: p.Message, Retryable: p.Retryable}
	}
	return body
}

// paymentAmountsOf gives every amount the currency that was asked for: of what
// is not authorised the state knows none.
func paymentAmountsOf(p payment.State) paymentAmountsBody {
	amount := func(m domain.Money) money { return money{Amount: m.Amount, Currency: p.Amount.Currency} }
	return paymentAmountsBody{
		Requested: amount(p.Amount), Authorised: amount(p.Authorised), Captured: amount(p.Captured()), Capturable: amount(p.Capturable()),
		Refunded: amount(p.Refunded()), Refundable: amount(p.Refundable()), ChargedBack: amount(p.ChargedBack()),
	}
}

func movementBodyOf(m payment.Movement) movementBody {
	return movementBody{ID: m.ID, Status: string(m.Status), Amount: moneyOf(m.Amount), Final: m.Final, GatewayRef: m.GatewayRef, Code: m.Code}
}
