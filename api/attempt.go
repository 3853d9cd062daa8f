package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

type attemptsRequest struct {
	ID        string    `path:"id" doc:"Id of the endpoint."`
	MessageID string    `query:"message_id" doc:"Only those at this message, under whichever id a replay sent it." maxLength:"200"`
	Order     string    `query:"order" doc:"Only those at messages about this order." maxLength:"200"`
	Result    string    `query:"result" doc:"Only those that ended so, in one word." maxLength:"40" example:"timeout"`
	Run       string    `query:"run" doc:"Only those of this run: live, or the id of a replay." maxLength:"100"`
	From      givenTime `query:"from" format:"date-time" doc:"Made then or later."`
	To        givenTime `query:"to" format:"date-time" doc:"Made earlier."`
	Limit     int       `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many."`
	Cursor    string    `query:"cursor" doc:"From next_cursor of the page before." maxLength:"400"`
}

// values are the filters, as they stand in the address of the next page.
func (r *attemptsRequest) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"message_id": r.MessageID, "order": r.Order, "result": r.Result, "run": r.Run, "from": timeText(r.From.Time), "to": timeText(r.To.Time),
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

func (r *attemptsRequest) filter() ledger.AttemptFilter {
	f := ledger.AttemptFilter{
		EndpointID: r.ID, EventID: webhooks.EventOf(r.MessageID), Class: delivery.Class(r.Result), RunID: r.Run, From: r.From.Time, To: r.To.Time, Limit: r.Limit + 1,
	}
	if r.Order != "" {
		f.Lane = "order-" + r.Order
	}
	return f
}

type attemptListAnswer struct {
	Link string `header:"Link"`
	Body attemptListBody
}

type attemptListBody struct {
	Items []attemptBody `json:"items" nullable:"false"`
	Next  string        `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type attemptBody struct {
	MessageID  string    `json:"message_id" doc:"The webhook-id; that of the first time, where a replay sent it under another."`
	EventType  string    `json:"event_type" example:"order.placed"`
	Aggregate  laneBody  `json:"aggregate"`
	Run        string    `json:"run" doc:"live, or the id of a replay." example:"live"`
	Attempt    int       `json:"attempt" doc:"Counts from 1."`
	At         time.Time `json:"at"`
	Status     int       `json:"status,omitempty" doc:"HTTP status; missing when there was no answer." example:"200"`
	Result     string    `json:"result" doc:"ok, or in one word what failed." example:"ok"`
	DurationMS float64   `json:"duration_ms" example:"12.5"`
	TraceID    string    `json:"trace_id,omitempty"`

	ResponseHead foreignText `json:"response_head,omitempty" doc:"Headers of the answer, a line each, at most 4 KB; for the endpoint's owner only. What was sent is not kept: GET /v1/endpoints/{id}/deliveries/{message_id} makes it again."`
	ResponseBody foreignText `json:"response_body,omitempty" doc:"The first 16 KB of the answer's body: a stranger's text, for the endpoint's owner only."`
}

// attemptBodyOf leaves out what the receiver answered, unless the caller owns
// the endpoint.
func attemptBodyOf(owns bool) func(ledger.Attempt) attemptBody {
	return func(a ledger.Attempt) attemptBody {
		body := attemptBody{
			MessageID: a.EventID, EventType: a.EventType, Aggregate: aggregateOf(a.Lane), Run: a.RunID, Attempt: a.Attempt, At: a.At,
			Status: a.Status, Result: string(a.Class), DurationMS: float64(a.Took.Microseconds()) / 1000, TraceID: a.TraceID,
		}
		if owns {
			body.ResponseHead, body.ResponseBody = foreignText(a.Head), foreignText(a.Body)
		}
		return body
	}
}

type deliveryRequest struct {
	ID        string `path:"id" doc:"Id of the endpoint."`
	MessageID string `path:"message_id" doc:"The webhook-id of the message, under whichever id a replay sent it."`
}

type deliveryAnswer struct{ Body deliveryBody }

type deliveryBody struct {
	MessageID  string              `json:"message_id"`
	EventType  string              `json:"event_type" example:"order.placed"`
	Aggregate  laneBody            `json:"aggregate"`
	RecordedAt time.Time           `json:"recorded_at"`
	TraceID    string              `json:"trace_id,omitempty"`
	Request    deliveryRequestBody `json:"request"`
	Attempts   []attemptBody       `json:"attempts" nullable:"false" doc:"The last hundred, newest first."`
}

type deliveryRequestBody struct {
	ContentType string          `json:"content_type" example:"application/json"`
	Body        json.RawMessage `json:"body" doc:"What is sent, made again from the log: nothing of it is kept, and what was erased is not in it any more."`
}

func (s *server) attemptRoutes(read []apikey.Scope) {
	missing := endpoint.ErrNotFound.Code
	register(s, route{
		id: "listAttempts", method: http.MethodGet, path: "/v1/endpoints/{id}/attempts", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List the attempts of deliveries", about: "Newest first, those of the last 30 days unless the settings say otherwise.", refuses: []string{missing, kindBadCursor},
	}, s.listAttempts)
	register(s, route{
		id: "getDelivery", method: http.MethodGet, path: "/v1/endpoints/{id}/deliveries/{message_id}", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show a message and its attempts", about: "The message as the endpoint gets it with its present settings.",
		refuses: []string{missing, webhooks.ErrNoDelivery.Code, webhooks.ErrUnreadable.Code},
	}, s.getDelivery)
}

// attemptPlace is where a page of attempts ended.
type attemptPlace struct {
	At       int64  `json:"at"` // microseconds since 1970
	Position uint64 `json:"position"`
	Attempt  int    `json:"attempt"`
}

func (s *server) listAttempts(ctx context.Context, in *attemptsRequest) (*attemptListAnswer, error) {
	found, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx))
	if err != nil {
		return nil, err
	}
	f := in.filter()
	p, err := list[attemptPlace, ledger.Attempt, attemptBody]{
		pages: pager{server: s, path: "/v1/endpoints/" + in.ID + "/attempts", filters: in.values(), in: Paging{Limit: in.Limit, Cursor: in.Cursor}},
		rows: func(ctx context.Context, after *attemptPlace, limit int) ([]ledger.Attempt, error) {
			f.Limit = limit
			if after != nil {
				f.Before = ledger.Attempt{At: time.UnixMicro(after.At), Position: eventstore.Position(after.Position), Attempt: after.Attempt}
			}
			return s.api.Deliveries.FindAttempts(ctx, f)
		},
		place: func(a ledger.Attempt) attemptPlace {
			return attemptPlace{At: a.At.UnixMicro(), Position: uint64(a.Position), Attempt: a.Attempt}
		},
		body: attemptBodyOf(owns(ctx, found)),
	}.read(ctx)
	return &attemptListAnswer{Link: p.Link, Body: attemptListBody(p.Body)}, err
}

// owns says whether an endpoint is the caller's own: who may see it as admin
// does not get to see what the receiver answers.
func owns(ctx context.Context, e webhooks.Endpoint) bool {
	return callOf(ctx).credential.PartnerID == e.TenantID
}

func (s *server) getDelivery(ctx context.Context, in *deliveryRequest) (*deliveryAnswer, error) {
	found, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx))
	if err != nil {
		return nil, err
	}
	id := webhooks.EventOf(in.MessageID)
	sent, err := s.api.Deliveries.Message(ctx, in.ID, id)
	if err != nil {
		return nil, err
	}
	attempts, err := s.api.Deliveries.FindAttempts(ctx, ledger.AttemptFilter{EndpointID: in.ID, EventID: id, Limit: 100})
	if err != nil {
		return nil, err
	}
	return &deliveryAnswer{Body: deliveryBody{
		MessageID: id, EventType: sent.EventType, Aggregate: aggregateOf(sent.Lane), RecordedAt: sent.Recorded, TraceID: sent.Metadata.TraceID,
		Request:  deliveryRequestBody{ContentType: "application/json", Body: sent.Body},
		Attempts: each(attempts, attemptBodyOf(owns(ctx, found))),
	}}, nil
}
