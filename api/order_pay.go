package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/handlers/fulfilment"
)

func (s *server) orderPayRoutes() {
	registerChange(s, route{
		id: "payOrder", path: "payments", tag: "payments", status: http.StatusCreated, summary: "Pay an order by another payment",
		scopes: []apikey.Scope{apikey.PaymentsWrite},
		about: "For an order whose authorisation ran out, or is about to and could not be renewed, which is on hold because of that: " +
			"authorises what it costs and nobody has paid or promised. Then the hold ends, if there is no other, and what was shipped is captured. " +
			"202 says that the outcome is not known yet, or that the shopper has to confirm the payment at action.url: the payment at Location goes on by itself. " +
			"What is not confirmed in 15 minutes is declined.",
		more:   map[int]string{http.StatusAccepted: "The outcome is not known yet, or the shopper has to confirm the payment: the payment at Location tells."},
		bodies: map[int]any{http.StatusCreated: paymentStateBody{}, http.StatusAccepted: paymentStateBody{}},
		refuses: transitions(kindKeyMissing, fulfilment.ErrPending.Code, fulfilment.ErrPaid.Code, fulfilment.ErrTooMany.Code,
			checkout.ErrDeclined.Code, kindGatewayAway),
		example: map[string]any{"method": "sandbox:approved", "return_url": "https://shop.example/thanks"},
	}, s.payOrder)
}

func (s *server) payOrder(ctx context.Context, a asked, in payBody) (*changeAnswer, error) {
	paid, err := s.api.Payer.Pay(ctx, a.Request, fulfilment.Payment{Method: in.Method, ReturnURL: in.ReturnURL})
	if err != nil {
		return nil, err
	}
	answer := &changeAnswer{
		Status: http.StatusCreated, ETag: etag(paid.Revision), Location: "/v1/payments/" + url.PathEscape(paid.Payment.PaymentID),
		Position: positionText(paid.Position), Body: paymentStateBodyOf(paid.Payment),
	}
	if paid.Replayed {
		answer.Replayed = replayed
	}
	switch p := paid.Payment; {
	case !p.Settled():
		answer.Status = http.StatusAccepted
	case p.Authorised.Currency == "": // nothing was ever held
		problem := s.refusal(fulfilment.Refusal(p))
		if paid.Replayed {
			problem.Header = http.Header{"Idempotency-Replayed": {replayed}}
		}
		return nil, problem
	}
	return answer, nil
}
