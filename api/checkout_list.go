package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/projections"
)

// listedSteps are the steps of checkouts that somebody may want to see, by
// status.
var listedSteps = map[string]checkout.Step{
	"payment_unknown":         checkout.Unknown,
	"payment_action_required": checkout.ActionRequired,
	"payment_declined":        checkout.Declined,
	"undoing":                 checkout.Compensating,
	"unresolved":              projections.Unresolved,
}

type listCheckoutsRequest struct {
	Fresh

	Status string `query:"status" required:"true" enum:"payment_unknown,payment_action_required,payment_declined,undoing,unresolved" doc:"unresolved lists those that were given up because the payment's outcome could not be found out for a day: look at them in the gateway's own books."`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before, with the same status." maxLength:"500"`
}

type listCheckoutsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body checkoutListBody
}

type checkoutListBody struct {
	Items []checkoutSummaryBody `json:"items" nullable:"false"`
	Next  string                `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type checkoutSummaryBody struct {
	ID        string    `json:"id"`
	Status    string    `json:"status" doc:"As it was asked for." example:"unresolved"`
	StartedAt time.Time `json:"started_at"`
	ChangedAt time.Time `json:"changed_at"`
}

func (s *server) checkoutListRoutes() {
	register(s, route{
		id: "listCheckouts", method: http.MethodGet, path: "/v1/checkouts", tag: "checkouts", scopes: []apikey.Scope{apikey.OrdersRead}, status: http.StatusOK,
		summary: "List checkouts that need something", about: "Those that changed last first. A change of this moment may be missing.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listCheckouts)
}

// checkoutPlace is where a page of checkouts ended.
type checkoutPlace struct {
	At int64  `json:"at"` // milliseconds since 1970
	ID string `json:"id"`
}

func (s *server) listCheckouts(ctx context.Context, in *listCheckoutsRequest) (*listCheckoutsAnswer, error) {
	scope := "checkouts?status=" + in.Status
	var after *projections.CheckoutKey
	if in.Cursor != "" {
		var place checkoutPlace
		if err := s.cursors.decode(in.Cursor, scope, &place); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
		after = &projections.CheckoutKey{LastAt: time.UnixMilli(place.At), CheckoutID: place.ID}
	}
	reached, err := s.await(ctx, s.api.OpenList.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.OpenList.List(ctx, listedSteps[in.Status], after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := &listCheckoutsAnswer{Reached: reached}
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		last := rows[in.Limit-1]
		if answer.Body.Next, err = s.cursors.encode(scope, checkoutPlace{At: last.LastAt.UnixMilli(), ID: last.CheckoutID}); err != nil {
			return nil, err
		}
		answer.Link = nextLink("/v1/checkouts", url.Values{"status": {in.Status}}, in.Limit, answer.Body.Next)
	}
	answer.Body.Items = each(rows, func(row projections.OpenCheckout) checkoutSummaryBody {
		return checkoutSummaryBody{ID: row.CheckoutID, Status: in.Status, StartedAt: row.StartedAt, ChangedAt: row.LastAt}
	})
	return answer, nil
}
