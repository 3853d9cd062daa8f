package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type statementAnswer struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	ID           string `header:"Webhook-Id" doc:"Of the statement; it is signed as a message is."`
	Timestamp    string `header:"Webhook-Timestamp"`
	Signature    string `header:"Webhook-Signature" doc:"By scheme v1a, with each key of GET /v1/keys that is live."`
	Body         []byte
}

// statementBody describes what is signed, byte for byte.
type statementBody struct {
	Type        string                `json:"type" enum:"delivery.statement"`
	ID          string                `json:"id"`
	EndpointID  string                `json:"endpoint_id"`
	TenantID    string                `json:"tenant_id,omitempty"`
	IssuedAt    string                `json:"issued_at" format:"date-time"`
	From        string                `json:"from,omitempty" doc:"The cursor after which the statement begins: where the endpoint was created, or was last told to go on. Missing for the beginning."`
	Through     string                `json:"through" doc:"The cursor up to which everything the endpoint asked for was delivered, but for what is listed."`
	Undelivered []statementExceptBody `json:"undelivered" nullable:"false"`
	PassedOver  []statementSpanBody   `json:"passed_over,omitempty" nullable:"false" doc:"Places of which nothing is stated: what is there cannot be read yet, and nobody can tell whose it is. A replay of what was not delivered clears them."`
}

type statementSpanBody struct {
	After   string `json:"after" doc:"A cursor."`
	Through string `json:"through" doc:"A cursor, which belongs to it."`
}

type statementExceptBody struct {
	MessageID   string `json:"message_id"`
	Aggregate   string `json:"aggregate" example:"order"`
	AggregateID string `json:"aggregate_id"`
	GivenUp     bool   `json:"given_up" doc:"Its attempts are used up; otherwise it is tried again."`
	Attempts    int    `json:"attempts"`
}

func (s *server) statementRoutes(read []apikey.Scope) {
	r := route{
		id: "getStatement", method: http.MethodGet, path: "/v1/endpoints/{id}/statement", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "State, signed, what was delivered",
		about:   "Everything the endpoint asked for between two cursors was delivered, except for what is listed, and for places that it says were passed over. The body is signed by ed25519 as a message of scheme v1a is, over webhook-id, webhook-timestamp and the bytes of the body; GET /v1/keys has the public keys, with retired=true also those of older statements.",
		refuses: []string{endpoint.ErrNotFound.Code}, bodies: map[int]any{http.StatusOK: statementBody{}},
	}
	register(s, r, s.statement)
}

func (s *server) statement(ctx context.Context, in *endpointRequest) (*statementAnswer, error) {
	found, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx))
	if err != nil {
		return nil, err
	}
	made, err := s.api.Deliveries.Statement(ctx, found, s.api.NewID())
	if err != nil {
		return nil, err
	}
	return &statementAnswer{
		ContentType: "application/json", CacheControl: "no-store", ID: made.ID, Timestamp: strconv.FormatInt(made.At.Unix(), 10),
		Signature: made.Signature, Body: made.Body,
	}, nil
}
