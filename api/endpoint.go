package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
)

type createEndpointRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again answer the same endpoint, its secret included."`
	Body           createEndpointBody
}

type createEndpointBody struct {
	URL         string   `json:"url" doc:"Where messages are sent: https, without user name and fragment." example:"https://partner.example/waybill"`
	EventTypes  []string `json:"event_types" nullable:"false" doc:"Which events are sent; * is every one." example:"[\"order.placed\"]"`
	Description string   `json:"description,omitempty" doc:"For people, at most 500 characters."`
}

type createdEndpointAnswer struct {
	Location     string `header:"Location"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         createdEndpointBody
}

type createdEndpointBody struct {
	ID          string    `json:"id"`
	URL         string    `json:"url"`
	EventTypes  []string  `json:"event_types" nullable:"false"`
	Description string    `json:"description,omitempty"`
	Status      string    `json:"status" enum:"active,paused,disabled"`
	CreatedAt   time.Time `json:"created_at"`
	Secret      string    `json:"secret" doc:"Verifies the signatures (Standard Webhooks): shown here and never again." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="`
}

type endpointAnswer struct {
	ETag string `header:"ETag"`
	Body endpointBody
}

type endpointBody struct {
	ID             string    `json:"id"`
	URL            string    `json:"url"`
	EventTypes     []string  `json:"event_types" nullable:"false"`
	Description    string    `json:"description,omitempty"`
	Status         string    `json:"status" enum:"active,paused,disabled"`
	DisabledReason string    `json:"disabled_reason,omitempty" doc:"requested by its owner, or gone: the receiver answered 410."`
	CreatedAt      time.Time `json:"created_at"`
}

func endpointBodyOf(e webhooks.Endpoint) endpointBody {
	return endpointBody{
		ID: e.ID, URL: e.URL, EventTypes: e.EventTypes, Description: e.Description,
		Status: string(e.Status), DisabledReason: e.DisabledReason, CreatedAt: e.CreatedAt,
	}
}

type endpointListAnswer struct {
	Body struct {
		Items []endpointBody `json:"items" nullable:"false"`
	} `nameHint:"EndpointList"`
}

type endpointRequest struct {
	ID string `path:"id" doc:"Id of the endpoint."`
}

type testEndpointRequest struct {
	ID             string `path:"id" doc:"Id of the endpoint."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key again sends no second message."`
}

type testedEndpointAnswer struct {
	Body testedEndpointBody
}

type testedEndpointBody struct {
	MessageID string `json:"message_id" doc:"The webhook-id of the message that is sent."`
}

type attemptsRequest struct {
	ID    string `path:"id" doc:"Id of the endpoint."`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many."`
}

type attemptListAnswer struct {
	Body struct {
		Items []attemptBody `json:"items" nullable:"false"`
	} `nameHint:"AttemptList"`
}

type attemptBody struct {
	MessageID  string    `json:"message_id" doc:"The webhook-id."`
	EventType  string    `json:"event_type" example:"order.placed"`
	Attempt    int       `json:"attempt" doc:"Counts from 1."`
	At         time.Time `json:"at"`
	Status     int       `json:"status,omitempty" doc:"HTTP status; missing when there was no answer." example:"200"`
	Result     string    `json:"result" doc:"ok, or in one word what failed." example:"ok"`
	DurationMS float64   `json:"duration_ms" example:"12.5"`
	TraceID    string    `json:"trace_id,omitempty"`

	ResponseHead foreignText `json:"response_head,omitempty" doc:"Headers of the answer, a line each, at most 4 KB. What was sent is not kept."`
	ResponseBody foreignText `json:"response_body,omitempty" doc:"The first 16 KB of the answer's body: a stranger's text."`
}

func attemptBodyOf(a ledger.Attempt) attemptBody {
	return attemptBody{
		MessageID: a.EventID, EventType: a.EventType, Attempt: a.Attempt, At: a.At, Status: a.Status, Result: string(a.Class),
		DurationMS: float64(a.Took.Microseconds()) / 1000, TraceID: a.TraceID,
		ResponseHead: foreignText(a.Head), ResponseBody: foreignText(a.Body),
	}
}

type endpointStatusAnswer struct {
	Body endpointStatusBody
}

type endpointStatusBody struct {
	CaughtUp   bool       `json:"caught_up" doc:"Everything that happened was delivered, or waits among parked."`
	Parked     int        `json:"parked" doc:"Messages that wait for another attempt, or for the one before them."`
	GivenUp    int        `json:"given_up" doc:"Messages whose attempts are used up."`
	Breaker    string     `json:"breaker" doc:"closed: the endpoint is believed to be up."`
	NextTryAt  *time.Time `json:"next_try_at,omitempty" doc:"When the next parked message is tried again."`
	PausedTill *time.Time `json:"paused_until,omitempty" doc:"Until when nothing is sent, because the receiver is down or asked for it."`
}

func (s *server) endpointRoutes() {
	read := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	write := []apikey.Scope{apikey.WebhooksWrite}
	missing := []string{endpoint.ErrNotFound.Code}
	register(s, route{
		id: "createEndpoint", method: http.MethodPost, path: "/v1/endpoints", tag: "webhooks", scopes: write, status: http.StatusCreated,
		summary: "Create a webhook endpoint", about: "What happens from now on is sent to it, signed with the secret of the answer.",
		refuses: []string{endpoint.ErrInvalid.Code, endpoint.ErrExists.Code, endpoint.ErrDeleted.Code, kindKeyInvalid},
		example: map[string]any{"url": "https://partner.example/waybill", "event_types": []string{"order.placed"}},
	}, s.createEndpoint)
	register(s, route{
		id: "listEndpoints", method: http.MethodGet, path: "/v1/endpoints", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List all webhook endpoints", about: "Oldest first. An endpoint that was created this moment may be missing.",
	}, s.listEndpoints)
	register(s, route{
		id: "getEndpoint", method: http.MethodGet, path: "/v1/endpoints/{id}", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show a webhook endpoint", refuses: missing,
	}, s.getEndpoint)
	register(s, route{
		id: "deleteEndpoint", method: http.MethodDelete, path: "/v1/endpoints/{id}", tag: "webhooks", scopes: write, status: http.StatusNoContent,
		summary: "Delete a webhook endpoint", about: "Nothing more is sent to it. Deleting it again is harmless.", refuses: missing,
	}, s.deleteEndpoint)
	register(s, route{
		id: "testEndpoint", method: http.MethodPost, path: "/v1/endpoints/{id}/test", tag: "webhooks", scopes: write, status: http.StatusAccepted,
		summary: "Send a test message", about: "A signed message of type endpoint.test goes to this endpoint only.",
		refuses: []string{endpoint.ErrNotFound.Code, endpoint.ErrDisabled.Code, kindKeyInvalid},
	}, s.testEndpoint)
	register(s, route{
		id: "listAttempts", method: http.MethodGet, path: "/v1/endpoints/{id}/attempts", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List the last attempts of deliveries", about: "Newest first.", refuses: missing,
	}, s.listAttempts)
	register(s, route{
		id: "getEndpointStatus", method: http.MethodGet, path: "/v1/endpoints/{id}/status", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show where deliveries stand", refuses: missing,
	}, s.endpointStatus)
}

func (s *server) createEndpoint(ctx context.Context, in *createEndpointRequest) (*createdEndpointAnswer, error) {
	meta, err := s.command(ctx, "endpoint", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	id := eventstore.DeriveID("endpoint", meta.CommandID)
	meta.CorrelationID = id
	created, err := s.api.Endpoints.Create(ctx, webhooks.NewEndpoint{
		ID: id, URL: in.Body.URL, EventTypes: in.Body.EventTypes, Description: in.Body.Description,
	}, meta)
	if err != nil {
		return nil, err
	}
	return &createdEndpointAnswer{
		Location: "/v1/endpoints/" + id, ETag: etag(created.Revision), CacheControl: "no-store",
		Body: createdEndpointBody{
			ID: id, URL: created.URL, EventTypes: created.EventTypes, Description: created.Description,
			Status: string(created.Status), CreatedAt: created.CreatedAt, Secret: created.Secret.Text(),
		},
	}, nil
}

func (s *server) listEndpoints(ctx context.Context, _ *struct{}) (*endpointListAnswer, error) {
	list, err := s.api.Endpoints.List(ctx)
	if err != nil {
		return nil, err
	}
	answer := &endpointListAnswer{}
	answer.Body.Items = each(list, endpointBodyOf)
	return answer, nil
}

func (s *server) getEndpoint(ctx context.Context, in *endpointRequest) (*endpointAnswer, error) {
	found, err := s.api.Endpoints.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &endpointAnswer{ETag: etag(found.Revision), Body: endpointBodyOf(found)}, nil
}

func (s *server) deleteEndpoint(ctx context.Context, in *endpointRequest) (*struct{}, error) {
	meta, err := s.command(ctx, "endpoint-delete", "")
	if err != nil {
		return nil, err
	}
	meta.CorrelationID = in.ID
	return nil, s.api.Endpoints.Delete(ctx, in.ID, meta)
}

func (s *server) testEndpoint(ctx context.Context, in *testEndpointRequest) (*testedEndpointAnswer, error) {
	meta, err := s.command(ctx, "endpoint-test "+in.ID, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	meta.CorrelationID = in.ID
	id, err := s.api.Endpoints.Test(ctx, in.ID, meta)
	if err != nil {
		return nil, err
	}
	return &testedEndpointAnswer{Body: testedEndpointBody{MessageID: id}}, nil
}

func (s *server) listAttempts(ctx context.Context, in *attemptsRequest) (*attemptListAnswer, error) {
	if _, err := s.api.Endpoints.Get(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := s.api.Deliveries.Attempts(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	answer := &attemptListAnswer{}
	answer.Body.Items = each(list, attemptBodyOf)
	return answer, nil
}

func (s *server) endpointStatus(ctx context.Context, in *endpointRequest) (*endpointStatusAnswer, error) {
	if _, err := s.api.Endpoints.Get(ctx, in.ID); err != nil {
		return nil, err
	}
	status, err := s.api.Deliveries.Status(ctx, in.ID)
	if err != nil && !errors.Is(err, endpoint.ErrNotFound) { // an endpoint of this moment has no cursor yet
		return nil, err
	}
	return &endpointStatusAnswer{Body: endpointStatusBody{
		CaughtUp: status.CaughtUp(), Parked: status.Parked, GivenUp: status.Dead, Breaker: status.Breaker.String(),
		NextTryAt: timeOrNil(status.NextDue), PausedTill: timeOrNil(status.GateUntil),
	}}, nil
}
