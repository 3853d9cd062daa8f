package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

type aggregateEventsRequest struct {
	ID       string `path:"id" doc:"aggregate.id of the messages, such as an order's id." maxLength:"200"`
	Type     string `query:"type" doc:"aggregate.type of the messages; missing is the first that has such an id, orders first." enum:"order,checkout,product,customer,creditnote,endpoint"`
	After    int    `query:"after" minimum:"0" doc:"Only messages with a higher sequence: the last that was received."`
	Limit    int    `query:"limit" default:"100" minimum:"1" maximum:"500" doc:"How many."`
	Endpoint string `query:"endpoint_id" maxLength:"64" doc:"Only what this endpoint was to get, with previous as it was told. Missing is everything the key may see."`
}

type aggregateEventsAnswer struct {
	Body struct {
		Items   []json.RawMessage  `json:"items" nullable:"false" doc:"Whole messages, word for word as webhooks have them."`
		Skipped []webhooks.Skipped `json:"skipped,omitempty" doc:"Messages in between that cannot be made; missing where there is none. Whoever runs the platform has been told."`
		Next    int                `json:"next_after,omitempty" doc:"after of the next page; missing on the last."`
	} `nameHint:"MessageList"`
}

type eventRequest struct {
	ID        string `path:"id" doc:"The webhook-id." maxLength:"200"`
	Type      string `query:"type" doc:"aggregate.type of the message; missing is the first that has such an id, orders first." enum:"order,checkout,product,customer,creditnote,endpoint"`
	Aggregate string `query:"aggregate" required:"true" doc:"aggregate.id of the message." maxLength:"200"`
	Sequence  int    `query:"sequence" minimum:"1" doc:"sequence of the message; missing is whichever has the id."`
	Endpoint  string `query:"endpoint_id" maxLength:"64" doc:"Counts previous as for this endpoint, which was sent the message; missing is as for everything the key may see."`
}

type eventAnswer struct {
	Body json.RawMessage `doc:"The whole message, word for word as a webhook has it, however large."`
}

func (s *server) messageRoutes() {
	read := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	register(s, route{
		id: "listAggregateEvents", method: http.MethodGet, path: "/v1/aggregates/{id}/events", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "List the messages of one order, or of what else messages are about",
		about:   "From the log itself, in order: what a receiver asks for that finds a gap. A partner's key sees its own sales channels.",
		refuses: []string{webhooks.ErrNoAggregate.Code, endpoint.ErrNotFound.Code},
	}, s.aggregateEvents)
	register(s, route{
		id: "getEvent", method: http.MethodGet, path: "/v1/events/{id}", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Show a message whole",
		about:   "What the href of a message leads to whose data is too large to be sent. Test messages are shown to whoever owns the endpoint.",
		refuses: []string{webhooks.ErrNoMessage.Code, webhooks.ErrUnreadable.Code, endpoint.ErrNotFound.Code},
	}, s.event)
	register(s, route{
		id: "previewFilter", method: http.MethodPost, path: "/v1/endpoints/{id}/filter-preview", tag: "webhooks", scopes: read, status: http.StatusOK,
		summary: "Try a filter on what happened",
		about:   "Reads history from the first event, or from since on, for a few seconds at most, and says how far it came. Nothing is sent.",
		refuses: []string{endpoint.ErrNotFound.Code, webhooks.ErrPreview.Code, webhooks.ErrTooManyAtOnce.Code},
		example: map[string]any{"filter": `channel == "web" && total >= 10000`, "event_types": []string{"order.placed"}, "since": "2026-08-01T00:00:00Z"},
	}, s.previewFilter)
}

func (s *server) aggregateEvents(ctx context.Context, in *aggregateEventsRequest) (*aggregateEventsAnswer, error) {
	page, err := s.api.Messages.Of(ctx, webhooks.Aggregate{Type: in.Type, ID: in.ID}, in.After, in.Limit, viewer(ctx), in.Endpoint)
	if err != nil {
		return nil, err
	}
	answer := &aggregateEventsAnswer{}
	answer.Body.Items, answer.Body.Skipped, answer.Body.Next = page.Messages, page.Skipped, page.Next
	return answer, nil
}

func (s *server) event(ctx context.Context, in *eventRequest) (*eventAnswer, error) {
	found, err := s.api.Messages.One(ctx, webhooks.Aggregate{Type: in.Type, ID: in.Aggregate}, in.Sequence, in.ID, viewer(ctx), in.Endpoint)
	return &eventAnswer{Body: found}, err
}

// viewer is who may see which messages: a partner its own, everybody else who
// may read them all.
func viewer(ctx context.Context) webhooks.Viewer {
	caller := callOf(ctx).credential
	if caller.May() { // as admin
		return webhooks.Viewer{Everybody: true}
	}
	return webhooks.Viewer{TenantID: caller.PartnerID, Channels: caller.Channels}
}

type filterPreviewRequest struct {
	ID   string `path:"id" doc:"Id of the endpoint, whose owner's sales channels count." maxLength:"64"`
	Body filterPreviewBody
}

type filterPreviewBody struct {
	Filter     string    `json:"filter,omitempty" doc:"An expression in CEL; missing lets everything through." example:"total >= 10000"`
	EventTypes []string  `json:"event_types,omitempty" nullable:"false" doc:"Missing are those of the endpoint."`
	Since      time.Time `json:"since,omitzero" doc:"Missing is from the beginning."`
	Examples   int       `json:"examples,omitempty" default:"10" minimum:"1" maximum:"50" doc:"How many of the last messages to show."`
}

type filterPreviewAnswer struct {
	Body previewBody
}

type previewBody struct {
	Matched   int               `json:"matched" doc:"Messages that would have been sent."`
	Of        int               `json:"of" doc:"All messages since then that the endpoint's owner may see."`
	ByType    map[string]int    `json:"by_type" doc:"Of those that would have been sent."`
	Failed    int               `json:"failed" doc:"Messages that go through because the filter cannot be evaluated for them."`
	Failure   string            `json:"failure,omitempty" doc:"Why, for the last of them."`
	Complete  bool              `json:"complete" doc:"All of history was read. Otherwise the numbers are of what happened up to read_until."`
	Progress  float64           `json:"progress" doc:"The share of the log since then that was read, from 0 to 1." example:"1"`
	ReadUntil *time.Time        `json:"read_until,omitempty" doc:"When the last event happened that was read; missing if there was none."`
	Cursor    string            `json:"cursor,omitempty" doc:"Its place in the log."`
	TookMS    int64             `json:"took_ms"`
	Examples  []json.RawMessage `json:"examples" nullable:"false" doc:"The last messages that would have been sent, oldest first."`
}

func (s *server) previewFilter(ctx context.Context, in *filterPreviewRequest) (*filterPreviewAnswer, error) {
	if _, err := s.api.Endpoints.Own(ctx, in.ID, tenancy(ctx)); err != nil {
		return nil, err
	}
	p, err := s.api.Messages.Preview(ctx, webhooks.PreviewRequest{
		EndpointID: in.ID, Viewer: viewer(ctx), EventTypes: in.Body.EventTypes, Filter: in.Body.Filter, Since: in.Body.Since,
		Examples: max(in.Body.Examples, 1), Within: s.api.Config.previewTime(),
	})
	if err != nil {
		return nil, err
	}
	return &filterPreviewAnswer{Body: previewBody{
		Matched: p.Matched, Of: p.Public, ByType: p.ByType, Failed: p.Failed, Failure: p.Failure, Complete: p.Complete, Progress: p.Progress,
		ReadUntil: timeOrNil(p.ReadUntil), Cursor: p.Cursor, TookMS: p.Took.Milliseconds(), Examples: p.Examples,
	}}, nil
}
