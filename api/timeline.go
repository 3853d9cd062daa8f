package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

type timelineAnswer struct {
	Reached

	Body timelineBody
}

type timelineBody struct {
	Items []timelineEntryBody `json:"items" nullable:"false"`
}

type timelineEntryBody struct {
	EventID       string    `json:"event_id" doc:"The webhook-id, where the event is public."`
	Type          string    `json:"type" doc:"The stored event's name." example:"OrderPlaced"`
	Stream        string    `json:"stream"`
	Revision      int64     `json:"revision" doc:"In its stream, from 0."`
	At            time.Time `json:"at"`
	Actor         actorBody `json:"actor"`
	Summary       string    `json:"summary" example:"order 100017 placed, 25.00 EUR"`
	CorrelationID string    `json:"correlation_id,omitempty"`
	CausationID   string    `json:"causation_id,omitempty"`
	TraceID       string    `json:"trace_id,omitempty"`
	SpanID        string    `json:"span_id,omitempty"`
}

type actorBody struct {
	Type string `json:"type" doc:"api_key, system or process." example:"api_key"`
	ID   string `json:"id"`
}

func timelineEntryOf(e projections.TimelineEntry) timelineEntryBody {
	return timelineEntryBody{
		EventID: e.EventID, Type: e.Type, Stream: e.Stream, Revision: int64(e.Revision), At: e.At,
		Actor: actorBody{Type: e.Actor.Type, ID: e.Actor.ID}, Summary: e.Summary, CorrelationID: e.CorrelationID,
		CausationID: e.CausationID, TraceID: e.TraceID, SpanID: e.SpanID,
	}
}

type timelineRequest struct {
	Fresh

	ID string `path:"id" doc:"Id of the order."`
}

func (s *server) timelineRoutes() {
	register(s, route{
		id: "getTimeline", method: http.MethodGet, path: "/v1/orders/{id}/timeline", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead},
		status: http.StatusOK, summary: "Show everything that happened to an order",
		about:   "In the order it happened: events of the order, its checkout and its payments, each with the trace it belongs to. The last moment may be missing.",
		refuses: []string{kindNotFound, kindBehind},
	}, s.timeline)
}

func (s *server) timeline(ctx context.Context, in *timelineRequest) (*timelineAnswer, error) {
	reached, err := s.await(ctx, s.api.Timeline.DB, in.Fresh)
	if err != nil {
		return nil, err
	}
	entries, err := s.api.Timeline.Of(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 { // unknown, or placed this moment
		state, _, err := eventstore.Load(ctx, s.api.Store, order.Decider, in.ID)
		if err != nil {
			return nil, err
		}
		if state.Status == "" {
			return nil, s.refuse(kindNotFound, "there is no order with this id")
		}
	}
	return &timelineAnswer{Reached: reached, Body: timelineBody{Items: each(entries, timelineEntryOf)}}, nil
}
