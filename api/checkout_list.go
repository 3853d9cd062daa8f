package api

import (
	"context"
	"net/http"
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
	Paging

	Status string `query:"status" required:"true" enum:"payment_unknown,payment_action_required,payment_declined,undoing,unresolved" doc:"unresolved lists those that were given up because the payment's outcome could not be found out for a day: look at them in the gateway's own books."`
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

func (s *server) listCheckouts(ctx context.Context, in *listCheckoutsRequest) (*listCheckoutsAnswer, error) {
	p, err := list[timePlace, projections.OpenCheckout, checkoutSummaryBody]{
		pages: s.paged("/v1/checkouts", in.Paging, map[string]string{"status": in.Status}),
		model: s.api.OpenList.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.OpenCheckout, error) {
			key := keyOf(after, func(at timePlace) projections.CheckoutKey {
				return projections.CheckoutKey{LastAt: at.time(), CheckoutID: at.IDs[0]}
			})
			return s.api.OpenList.List(ctx, listedSteps[in.Status], key, limit)
		},
		place: func(r projections.OpenCheckout) timePlace { return placeAt(r.LastAt, r.CheckoutID) },
		body: func(r projections.OpenCheckout) checkoutSummaryBody {
			return checkoutSummaryBody{ID: r.CheckoutID, Status: in.Status, StartedAt: r.StartedAt, ChangedAt: r.LastAt}
		},
	}.read(ctx)
	return &listCheckoutsAnswer{Reached: p.Reached, Link: p.Link, Body: checkoutListBody(p.Body)}, err
}
