package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type captureBody struct {
	ID        string `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	PaymentID string `json:"payment_id,omitempty" doc:"Without it, the first payment of which so much is left." maxLength:"200"`
	Amount    *money `json:"amount,omitempty" doc:"Everything that is left of the payment, if missing."`
	Final     bool   `json:"final,omitempty" doc:"Lets go of what is left after it."`
}

type capturePart struct {
	ID        string `json:"id"`
	OrderID   string `json:"order_id"`
	PaymentID string `json:"payment_id"`
	Status    string `json:"status" enum:"requested,done,failed" example:"requested"`
	Amount    money  `json:"amount"`
	Final     bool   `json:"final,omitempty" doc:"What is left after it is let go."`
	Code      string `json:"code,omitempty" doc:"Why it failed, in the gateway's words."`
}

func capturePartOf(orderID string, c orders.Captured) capturePart {
	return capturePart{
		ID: c.Movement.ID, OrderID: orderID, PaymentID: c.Payment.PaymentID, Status: string(c.Movement.Status), Amount: moneyOf(c.Movement.Amount),
		Final: c.Movement.Final, Code: c.Movement.Code,
	}
}

func (s *server) orderCaptureRoutes() {
	registerChange(s, route{
		id: "captureOrder", path: "captures", status: http.StatusAccepted, summary: "Take money that is held", scopes: []apikey.Scope{apikey.PaymentsWrite},
		about: "202 says that it was recorded and will be done, if it is not done already: status tells, and the capture at Location what came of it. " +
			"Money is captured by itself when parcels leave; this is for whoever wants it before. " +
			"The order itself changes when the money is taken: until then X-Write-Position is one for its timeline.",
		bodies: map[int]any{http.StatusAccepted: capturePart{}},
		refuses: transitions(kindKeyMissing, kindCaptureFailed, order.ErrOnHold.Code, order.ErrUnknown.Code, payment.ErrExceedsAuthorised.Code,
			payment.ErrInvalid.Code, payment.ErrIDReused.Code, domain.ErrCurrencyMismatch.Code),
		example: map[string]any{"amount": map[string]any{"amount": 1250, "currency": "EUR"}},
	}, s.captureOrder)
	register(s, route{
		id: "getCapture", method: http.MethodGet, path: "/v1/orders/{id}/captures/{part}", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead},
		status: http.StatusOK, summary: "Show where a capture stands", about: "From the log itself: never behind.",
		refuses: []string{orders.ErrNotFound.Code, order.ErrUnknown.Code},
	}, s.getCapture)
}

func (s *server) captureOrder(ctx context.Context, a asked, in captureBody) (*changeAnswer, error) {
	wanted := orders.Capture{CaptureID: a.id("capture", in.ID), PaymentID: in.PaymentID, Final: in.Final}
	if in.Amount != nil {
		amount := in.Amount.domain()
		wanted.Amount = &amount
	}
	captured, err := s.api.Changes.Capture(ctx, a.Request, wanted)
	if err != nil {
		return nil, err
	}
	body := capturePartOf(a.OrderID, captured)
	if captured.Movement.Status == payment.MovementFailed {
		problem := s.refuse(kindCaptureFailed, "the gateway did not take the money")
		return nil, problem.with("capture_id", body.ID).with("payment_id", body.PaymentID).with("code", body.Code)
	}
	answer := &changeAnswer{Status: http.StatusAccepted, ETag: etag(captured.Revision), Location: a.at("captures", wanted.CaptureID), Body: body}
	if captured.Replayed {
		answer.Replayed = replayed
	}
	answer.Position = positionText(captured.Position)
	return answer, nil
}

// noteRequest is that of any part whose tag is not the order's.
func (s *server) getCapture(ctx context.Context, in *noteRequest) (*partAnswer[capturePart], error) {
	captured, err := s.api.Changes.Captured(ctx, in.ID, in.Part)
	if err != nil {
		return nil, err
	}
	return &partAnswer[capturePart]{Status: http.StatusOK, ETag: etag(captured.Revision), Body: capturePartOf(in.ID, captured)}, nil
}
