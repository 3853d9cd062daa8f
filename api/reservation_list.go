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
	pages := s.paged("/v1/reservations", in.Paging, map[string]string{"sku": in.SKU, "location": in.Location})
	var after *projections.OpenReservation
	var place timePlace
	if there, err := pages.begin(&place); err != nil {
		return nil, err
	} else if there {
		after = &projections.OpenReservation{ExpiresAt: place.time(), SKU: place.IDs[0], Location: place.IDs[1], ReservationID: place.IDs[2]}
	}
	reached, err := s.await(ctx, s.api.Levels.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	rows, err := s.api.Levels.Reservations(ctx, projections.ReservationFilter{SKU: in.SKU, Location: in.Location}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, last := cut(rows, in.Limit)
	answer := &listReservationsAnswer{Reached: reached, Body: reservationListBody{Items: each(rows, reservationOf)}}
	if last != nil {
		answer.Body.Next, answer.Link, err = pages.next(placeAt(last.ExpiresAt, last.SKU, last.Location, last.ReservationID))
	}
	return answer, err
}

func reservationOf(r projections.OpenReservation) reservationBody {
	return reservationBody{ID: r.ReservationID, SKU: r.SKU, Location: r.Location, CheckoutID: r.CheckoutID, Quantity: r.Quantity, ExpiresAt: r.ExpiresAt}
}
