package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type endpointHistoryRequest struct {
	ID    string `path:"id" doc:"Id of the endpoint, also of one that was deleted."`
	After int64  `query:"after" default:"-1" minimum:"-1" doc:"Revision of the last entry that is known."`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many."`
}

type endpointHistoryAnswer struct {
	Body struct {
		Items []endpointEntryBody `json:"items" nullable:"false"`
	} `nameHint:"EndpointHistory"`
}

type endpointEntryBody struct {
	ID       string         `json:"id"`
	Type     string         `json:"type" example:"EndpointPaused"`
	Revision int64          `json:"revision" doc:"Counts from 0."`
	At       time.Time      `json:"at"`
	Actor    *actorBody     `json:"actor,omitempty" doc:"Who wanted it."`
	TraceID  string         `json:"trace_id,omitempty"`
	Data     map[string]any `json:"data" doc:"What was recorded, without anything secret."`
}

func (s *server) endpointHistoryRoutes(read []apikey.Scope) {
	register(s, route{
		id: "listEndpointHistory", method: http.MethodGet, path: "/v1/endpoints/{id}/history", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List what happened to a webhook endpoint", about: "Everything that was ever changed about it, by whom and when; oldest first.",
		refuses: []string{endpoint.ErrNotFound.Code},
	}, s.endpointHistory)
}

func (s *server) endpointHistory(ctx context.Context, in *endpointHistoryRequest) (*endpointHistoryAnswer, error) {
	list, err := s.api.Endpoints.History(ctx, in.ID, tenancy(ctx), eventstore.Revision(in.After), in.Limit)
	if err != nil {
		return nil, err
	}
	answer := &endpointHistoryAnswer{}
	for _, entry := range list {
		body, err := entryBodyOf(entry)
		if err != nil {
			return nil, err
		}
		answer.Body.Items = append(answer.Body.Items, body)
	}
	answer.Body.Items = append([]endpointEntryBody{}, answer.Body.Items...)
	return answer, nil
}

func entryBodyOf(e webhooks.Entry) (endpointEntryBody, error) {
	body := endpointEntryBody{ID: e.ID, Type: e.Type, Revision: int64(e.Revision), At: e.At, TraceID: e.TraceID}
	if e.Actor != (eventstore.Actor{}) {
		body.Actor = &actorBody{Type: e.Actor.Type, ID: e.Actor.ID}
	}
	document, err := json.Marshal(e.Event)
	if err == nil {
		err = json.Unmarshal(document, &body.Data)
	}
	withoutSecrets(body.Data)
	return body, err
}

// withoutSecrets leaves out what is sealed: nobody can do anything with it, and
// nobody should try. Positions of the log tell how much goes on in the shop.
func withoutSecrets(data map[string]any) {
	for _, name := range []string{
		"endpoint_id", "sealed_secret", "sealed_headers", "sealed_auth", "sealed", "mark", "contact_ref", "from", "to", "through", "until", "position",
	} {
		delete(data, name)
	}
	for _, value := range data {
		within, _ := value.([]any)
		for _, one := range append(within, value) {
			if deeper, ok := one.(map[string]any); ok {
				withoutSecrets(deeper)
			}
		}
	}
}
