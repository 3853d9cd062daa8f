package api

import (
	"context"
	"net/http"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
)

type refundBody struct {
	ID     string      `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Amount *money      `json:"amount,omitempty" doc:"Everything that was captured and not given back, if missing."`
	Reason string      `json:"reason,omitempty" doc:"A word of small letters, digits, - and _, with at most 4 digits; requested if missing. What people write belongs into a note." default:"requested" maxLength:"64" example:"damaged"`
	Lines  []unitsBody `json:"lines,omitempty" nullable:"false" doc:"What it is for, if that is known." maxItems:"4000"`
}

func (s *server) orderMoneyRoutes() {
	registerChange(s, route{
		id: "refundOrder", path: "refunds", status: http.StatusAccepted, summary: "Give money back", scopes: []apikey.Scope{apikey.PaymentsWrite},
		about:  "202 says that it was recorded and will be done: the refund at Location tells what came of it.",
		bodies: map[int]any{http.StatusAccepted: refundPart{}},
		refuses: []string{
			kindKeyMissing, order.ErrIDReused.Code, order.ErrExceedsCaptured.Code, domain.ErrCurrencyMismatch.Code,
		},
		example: map[string]any{"amount": map[string]any{"amount": 1250, "currency": "EUR"}, "reason": "damaged"},
	}, s.refundOrder)
}

func (s *server) refundOrder(ctx context.Context, a asked, in refundBody) (*changeAnswer, error) {
	id := a.id("refund", in.ID)
	result, err := s.api.Changes.Do(ctx, a.Request, func(state order.State) (order.Command, error) {
		c := order.RequestRefund{RefundID: id, Amount: state.Refundable(), Reason: in.Reason, Lines: each(in.Lines, unitsBody.domain)}
		known, there := refundOf(state, id)
		switch {
		case in.Amount != nil:
			c.Amount = in.Amount.domain()
		case there:
			c.Amount = known.Requested.Amount
		case c.Amount.Amount == 0:
			return nil, order.ErrExceedsCaptured.With("available", c.Amount.String())
		}
		return c, nil
	})
	answer, err := changed(result, err)
	if err != nil {
		return nil, err
	}
	refund, _ := refundOf(result.State, id)
	answer.Status, answer.Location, answer.Body = http.StatusAccepted, a.at("refunds", id), refundPartOf(refund)
	return answer, nil
}
