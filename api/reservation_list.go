package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/projections"
)

type listReservationsRequest struct {
	Paging

	SKU      string `query:"sku" doc:"Only of this SKU." maxLength:"64" example:"MUG-1"`
	Location string `query:"location" doc:"Only at this location." maxLength:"64" example:"main"`
}

type listReservationsAnswer struct {
	Reached

	Link string `header:"Link"`
	Body reservationListBody
}

type reservationListBody struct {
	Items []reservationBody `json:"items" nullable:"false"`
	Next  string            `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type reservationBody struct {
	ID         string    `json:"id"`
	SKU        string    `json:"sku"`
	Location   string    `json:"location"`
	CheckoutID string    `json:"checkout_id"`
	Quantity   int       `json:"quantity"`
	ExpiresAt  time.Time `json:"expires_at" doc:"When it is released, unless an order takes the units before."`
}

func (s *server) reservationListRoutes() {
	register(s, route{
		id: "listReservations", method: http.MethodGet, path: "/v1/reservations", tag: "stock", scopes: readers(), status: http.StatusOK,
		summary: "List reservations that are open", about: "Those that expire first come first. The last moment may be missing.",
		refuses: []string{kindBadCursor, kindBehind},
	}, s.listReservations)
}

func (s *server) listReservations(ctx context.Context, in *listReservationsRequest) (*listReservationsAnswer, error) {
	filter := projections.ReservationFilter{SKU: in.SKU, Location: in.Location}
	p, err := list[timePlace, projections.OpenReservation, reservationBody]{
		pages: s.paged("/v1/reservations", in.Paging, map[string]string{"sku": in.SKU, "location": in.Location}),
		model: s.api.Levels.DB,
		rows: func(ctx context.Context, after *timePlace, limit int) ([]projections.OpenReservation, error) {
			key := keyOf(after, func(at timePlace) projections.OpenReservation {
				return projections.OpenReservation{ExpiresAt: at.time(), SKU: at.IDs[0], Location: at.IDs[1], ReservationID: at.IDs[2]}
			})
			return s.api.Levels.Reservations(ctx, filter, key, limit)
		},
		place: func(r projections.OpenReservation) timePlace {
			return placeAt(r.ExpiresAt, r.SKU, r.Location, r.ReservationID)
		},
		body: reservationOf,
	}.read(ctx)
	return &listReservationsAnswer{Reached: p.Reached, Link: p.Link, Body: reservationListBody(p.Body)}, err
}

func reservationOf(r projections.OpenReservation) reservationBody {
	return reservationBody{ID: r.ReservationID, SKU: r.SKU, Location: r.Location, CheckoutID: r.CheckoutID, Quantity: r.Quantity, ExpiresAt: r.ExpiresAt}
}
