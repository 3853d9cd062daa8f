package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

type endpointStatusAnswer struct {
	Body endpointStatusBody
}

type endpointStatusBody struct {
	Status           string     `json:"status" enum:"active,paused,disabled"`
	DeliveredThrough string     `json:"delivered_through,omitempty" doc:"The cursor up to which everything was delivered, but for what is parked and given up. GET /v1/endpoints/{id}/statement signs it."`
	Head             string     `json:"head,omitempty" doc:"The cursor of the newest event there is."`
	CaughtUp         bool       `json:"caught_up" doc:"Everything that happened was delivered, or waits among parked."`
	LagEvents        int        `json:"lag_events" doc:"Messages between the two that the endpoint has yet to get."`
	LagMore          bool       `json:"lag_more,omitempty" doc:"There are more than lag_events says: counting ended at 10,000, or after a second."`
	LagSeconds       float64    `json:"lag_seconds" doc:"How old the first of them is."`
	Parked           int        `json:"parked" doc:"Messages that wait for another attempt, or for the one before them."`
	Blocked          int        `json:"blocked" doc:"Messages that hold up those behind them until they are sent again or skipped."`
	GivenUp          int        `json:"given_up" doc:"Messages whose attempts are used up."`
	Breaker          string     `json:"breaker" doc:"closed: the endpoint is believed to be up."`
	FailingSince     *time.Time `json:"failing_since,omitempty" doc:"Since when nothing could be delivered."`
	NextTryAt        *time.Time `json:"next_try_at,omitempty" doc:"When the next parked message is tried again."`
	PausedTill       *time.Time `json:"paused_until,omitempty" doc:"Until when nothing is sent, because the receiver is down or asked for it."`
}

type undeliveredRequest struct {
	ID     string `path:"id" doc:"Id of the endpoint."`
	Run    string `query:"run" default:"live" doc:"Of this run: live, or the id of a replay." maxLength:"100"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many."`
	Cursor string `query:"cursor" doc:"From next_cursor of the page before." maxLength:"400"`
}

type undeliveredAnswer struct {
	Link string `header:"Link"`
	Body undeliveredListBody
}

type undeliveredListBody struct {
	Items []undeliveredBody `json:"items" nullable:"false"`
	Next  string            `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type undeliveredBody struct {
	MessageID  string     `json:"message_id" doc:"The webhook-id."`
	EventType  string     `json:"event_type" example:"order.placed"`
	Aggregate  laneBody   `json:"aggregate"`
	RecordedAt time.Time  `json:"recorded_at"`
	State      string     `json:"state" enum:"due,behind,blocking,given_up" doc:"due waits for another attempt, behind for a message before it, blocking for a decision."`
	Attempts   int        `json:"attempts" doc:"Made so far."`
	Result     string     `json:"result,omitempty" doc:"Of the last attempt." example:"timeout"`
	NextTryAt  *time.Time `json:"next_try_at,omitempty"`
}

type laneBody struct {
	Type string `json:"type" example:"order"`
	ID   string `json:"id"`
}

func (s *server) deliveryRoutes(read, write []apikey.Scope) {
	missing := endpoint.ErrNotFound.Code
	register(s, route{
		id: "getEndpointStatus", method: http.MethodGet, path: "/v1/endpoints/{id}/status", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show where deliveries stand", refuses: []string{missing},
	}, s.endpointStatus)
	register(s, route{
		id: "listUndelivered", method: http.MethodGet, path: "/v1/endpoints/{id}/undelivered", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List messages that were not delivered", about: "Those that wait and those that were given up, in the order of the log. What a replay gave up is listed with its id as run, after its end for as long as attempts are kept.",
		refuses: []string{missing, endpoint.ErrReplayNotFound.Code, kindBadCursor},
	}, s.undelivered)
	s.attemptRoutes(read)
	s.resendRoutes(write)
	s.statementRoutes(read)
}

func (s *server) endpointStatus(ctx context.Context, in *endpointRequest) (*endpointStatusAnswer, error) {
	found, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx))
	if err != nil {
		return nil, err
	}
	status, err := s.api.Deliveries.Status(ctx, in.ID)
	if errors.Is(err, endpoint.ErrNotFound) { // an endpoint of this moment has no cursor yet
		return &endpointStatusAnswer{Body: endpointStatusBody{Status: string(found.Status), Breaker: status.Breaker.String()}}, nil
	}
	if err != nil {
		return nil, err
	}
	lag, err := s.api.Deliveries.Lag(ctx, in.ID, status.Through)
	if err != nil {
		return nil, err
	}
	body := endpointStatusBody{
		Status: string(found.Status), CaughtUp: lag.Events == 0 && !lag.More, LagEvents: lag.Events, LagMore: lag.More,
		Parked: status.Parked, Blocked: status.Blocked, GivenUp: status.Dead, Breaker: status.Breaker.String(),
		FailingSince: timeOrNil(status.Failing), NextTryAt: timeOrNil(status.NextDue), PausedTill: timeOrNil(status.GateUntil),
	}
	if !lag.Since.IsZero() {
		body.LagSeconds = max(s.api.Now().Sub(lag.Since), 0).Seconds()
	}
	var headErr error
	body.DeliveredThrough, err = s.api.Deliveries.Cursor(found.TenantID, status.Through)
	body.Head, headErr = s.api.Deliveries.Cursor(found.TenantID, max(status.Head, status.Through))
	return &endpointStatusAnswer{Body: body}, errors.Join(err, headErr)
}

// undeliveredPlace is where a page of messages ended.
type undeliveredPlace struct {
	Position uint64 `json:"position"`
}

func (s *server) undelivered(ctx context.Context, in *undeliveredRequest) (*undeliveredAnswer, error) {
	if err := s.mayTouch(ctx, in.ID); err != nil {
		return nil, err
	}
	if in.Run != ledger.Live {
		if _, err := s.api.Replays.Get(ctx, in.ID, in.Run); err != nil {
			return nil, err
		}
	}
	p, err := list[undeliveredPlace, webhooks.Waiting, undeliveredBody]{
		pages: s.paged("/v1/endpoints/"+in.ID+"/undelivered", Paging{Limit: in.Limit, Cursor: in.Cursor}, map[string]string{"run": in.Run}),
		rows: func(ctx context.Context, after *undeliveredPlace, limit int) ([]webhooks.Waiting, error) {
			place := orFirst(after)
			return s.api.Deliveries.Undelivered(ctx, ledger.Key{EndpointID: in.ID, RunID: in.Run}, eventstore.Position(place.Position), limit)
		},
		place: func(w webhooks.Waiting) undeliveredPlace { return undeliveredPlace{uint64(w.Position)} },
		body:  undeliveredBodyOf,
	}.read(ctx)
	return &undeliveredAnswer{Link: p.Link, Body: undeliveredListBody(p.Body)}, err
}

func undeliveredBodyOf(w webhooks.Waiting) undeliveredBody {
	body := undeliveredBody{
		MessageID: w.ID, EventType: w.EventType, Aggregate: aggregateOf(w.Lane), RecordedAt: w.Recorded, State: "behind",
		Attempts: w.Attempts, Result: string(w.Class), NextTryAt: timeOrNil(w.Due),
	}
	switch {
	case w.Dead:
		body.State = "given_up"
	case w.Blocked:
		body.State = "blocking"
	case !w.Due.IsZero():
		body.State = "due"
	}
	return body
}

// aggregateOf is what a stream is about.
func aggregateOf(stream string) laneBody {
	kind, id, _ := strings.Cut(stream, "-")
	return laneBody{Type: kind, ID: id}
}
