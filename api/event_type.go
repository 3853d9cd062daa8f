package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/message"
)

type eventTypeListAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Items     []eventTypeBody `json:"items" nullable:"false"`
		Variables []variableBody  `json:"filter_variables" nullable:"false" doc:"What the filter of an endpoint may ask for."`
	} `nameHint:"EventTypeList"`
}

type eventTypeAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         eventTypeBody
}

type eventTypeBody struct {
	Type      string         `json:"type" example:"order.shipped"`
	Version   int            `json:"version" doc:"Of the form of data: within one, fields are only ever added." example:"1"`
	Aggregate string         `json:"aggregate" doc:"What it is about." example:"order"`
	Audience  string         `json:"audience" enum:"channel,everyone,owner,itself" doc:"channel: the shop, and partners of the order's sales channel. everyone: partners of all channels, too. owner: the other endpoints of whoever owns the endpoint that it is about. itself: that endpoint, without asking." example:"channel"`
	Sent      string         `json:"sent" doc:"When it is sent."`
	Promise   string         `json:"promise" doc:"What a receiver may rely on."`
	Schema    map[string]any `json:"schema" doc:"JSON Schema 2020-12 of the whole message."`
	Example   map[string]any `json:"example" doc:"A whole message."`
}

type variableBody struct {
	Name  string `json:"name" example:"channel"`
	Type  string `json:"type" example:"string"`
	About string `json:"about"`
}

type eventTypeRequest struct {
	Type string `path:"type" doc:"The type of the messages." maxLength:"100" example:"order.shipped"`
}

// errNoEventType is answered for a type that no message has.
//

var errNoEventType = domain.Rule("event-type-not-found", "there is no event type of that name")

func (s *server) eventTypeRoutes() {
	scopes := []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite}
	register(s, route{
		id: "listEventTypes", method: http.MethodGet, path: "/v1/event-types", tag: "webhooks", scopes: scopes, status: http.StatusOK,
		summary: "List the types of messages", about: "With schema and example of each, and what filters may ask for.",
	}, func(context.Context, *struct{}) (*eventTypeListAnswer, error) {
		answer := &eventTypeListAnswer{CacheControl: "private, max-age=300"}
		answer.Body.Items = eventTypes()
		answer.Body.Variables = each(filter.Variables(), func(v filter.Variable) variableBody { return variableBody(v) })
		return answer, nil
	})
	register(s, route{
		id: "getEventType", method: http.MethodGet, path: "/v1/event-types/{type}", tag: "webhooks", scopes: scopes, status: http.StatusOK,
		summary: "Show a type of messages", refuses: []string{errNoEventType.Code},
	}, func(_ context.Context, in *eventTypeRequest) (*eventTypeAnswer, error) {
		all := eventTypes()
		i := slices.IndexFunc(all, func(t eventTypeBody) bool { return t.Type == in.Type })
		if i < 0 {
			return nil, errNoEventType
		}
		return &eventTypeAnswer{CacheControl: "private, max-age=300", Body: all[i]}, nil
	})
}

// eventTypes has every public type, sorted. It is made once, of the code.
//

var eventTypes = sync.OnceValue(func() []eventTypeBody {
	var types []eventTypeBody
	for _, kind := range message.Kinds() {
		types = append(types, eventTypeBody{
			Type: kind.Public, Version: kind.Version, Aggregate: kind.Aggregate, Audience: audienceOf(kind), Sent: kind.Sent, Promise: kind.Promise,
			Schema: MessageSchema(kind), Example: exampleOf(kind),
		})
	}
	slices.SortFunc(types, func(a, b eventTypeBody) int { return cmp.Compare(a.Type, b.Type) })
	return types
})

func audienceOf(kind message.Kind) string {
	switch {
	case kind.Private:
		return "itself"
	case kind.Operational:
		return "owner"
	case kind.Shared:
		return "everyone"
	}
	return "channel"
}

const schemaDialect = "https://json-schema.org/draft/2020-12/schema"

// MessageSchema returns the JSON Schema of a kind's whole message. Unknown
// members are allowed: fields are added.
func MessageSchema(kind message.Kind) map[string]any {
	registry := huma.NewMapRegistry("#/$defs/", func(t reflect.Type, hint string) string {
		return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Data")
	})
	envelope := registry.Schema(reflect.TypeFor[messageBody](), false, "")
	envelope.Properties["type"].Enum = []any{kind.Public}
	envelope.Properties["version"].Enum = []any{kind.Version}
	envelope.Properties["data"] = &huma.Schema{OneOf: []*huma.Schema{
		registry.Schema(reflect.TypeOf(kind.Form), true, ""), registry.Schema(reflect.TypeFor[thinBody](), true, ""),
	}}
	envelope.Required = append(envelope.Required, "data")
	open(envelope)
	schema := plain(envelope)
	defs := map[string]any{}
	for name, definition := range registry.Map() {
		open(definition)
		defs[name] = plain(definition)
	}
	schema["$schema"], schema["title"], schema["description"], schema["$defs"] = schemaDialect, kind.Public, kind.Sent, defs
	return schema
}

// open lets a schema take what later versions of this program add.
func open(schema *huma.Schema) {
	if schema.Type == huma.TypeObject {
		schema.AdditionalProperties = nil
	}
}

// plain makes a schema a value of JSON.
func plain(schema *huma.Schema) map[string]any {
	text, err := json.Marshal(schema)
	var value map[string]any
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		panic(err) // a test makes them all
	}
	return value
}
