package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/orders"
)

type orderEventsRequest struct {
	ID     string `path:"id" doc:"Id of the order."`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"How many on a page."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before." maxLength:"500"`
}

type orderEventsAnswer struct {
	Link string `header:"Link"`
	Body orderEventsBody
}

type orderEventsBody struct {
	Items []storedEventBody `json:"items" nullable:"false"`
	Next  string            `json:"next_cursor,omitempty" doc:"Missing on the last page."`
}

type storedEventBody struct {
	ID       string          `json:"id"`
	Type     string          `json:"type" doc:"Its name for ever." example:"OrderPlaced"`
	Revision int64           `json:"revision" doc:"Its place in the order's stream, from 0." example:"0"`
	Position uint64          `json:"position" doc:"Its place in the log."`
	At       time.Time       `json:"at"`
	Data     json.RawMessage `json:"data" doc:"As it was stored, in the schema that metadata names. A text where it is no JSON, which only a foreign writer leaves behind."`
	Metadata json.RawMessage `json:"metadata" doc:"Who caused it, by which command, in which trace."`
}

func storedEventOf(r eventstore.Recorded) storedEventBody {
	body := storedEventBody{
		ID: r.ID.String(), Type: r.Type, Revision: int64(r.Revision), Position: uint64(r.Position), At: r.Created.UTC(),
		Data: document(r.Data), Metadata: document(r.RawMetadata),
	}
	if len(r.RawMetadata) == 0 {
		body.Metadata = json.RawMessage("{}")
	}
	return body
}

// document is what was stored; what is no JSON, which only foreign writers
// append, is shown as a text.
func document(stored []byte) json.RawMessage {
	if json.Valid(stored) {
		return stored
	}
	text, _ := json.Marshal(string(stored)) // of a string there is always one
	return text
}

func (s *server) orderEventRoutes() {
	register(s, route{
		id: "listOrderEvents", method: http.MethodGet, path: "/v1/orders/{id}/events", tag: "orders", scopes: []apikey.Scope{apikey.OrdersRead},
		status: http.StatusOK, summary: "List the stored events of an order",
		about:   "The oldest first, as they stand in the log: they are never behind, and never change. They hold no personal data.",
		refuses: []string{orders.ErrNotFound.Code, kindBadCursor},
	}, s.orderEvents)
}

func (s *server) orderEvents(ctx context.Context, in *orderEventsRequest) (*orderEventsAnswer, error) {
	scope := "events of " + in.ID
	var from eventstore.Revision
	if in.Cursor != "" {
		if err := s.cursors.decode(in.Cursor, scope, &from); err != nil {
			return nil, s.refuse(kindBadCursor, err.Error())
		}
	}
	answer := &orderEventsAnswer{Body: orderEventsBody{Items: []storedEventBody{}}}
	for r, err := range s.api.Store.ReadStream(ctx, order.Decider.Stream(in.ID), from) {
		if err != nil {
			return nil, err
		}
		if len(answer.Body.Items) == in.Limit {
			next, err := s.cursors.encode(scope, r.Revision)
			if err != nil {
				return nil, err
			}
			answer.Body.Next = next
			answer.Link = nextLink("/v1/orders/"+url.PathEscape(in.ID)+"/events", nil, in.Limit, next)
			break
		}
		answer.Body.Items = append(answer.Body.Items, storedEventOf(r))
	}
	if len(answer.Body.Items) == 0 && from == 0 {
		return nil, orders.ErrNotFound
	}
	return answer, nil
}
