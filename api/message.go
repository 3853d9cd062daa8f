package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/webhooks/message"
)

// messageBody describes what every webhook carries around its data.
type messageBody struct {
	ID        string        `json:"id" doc:"The webhook-id: the same on every attempt, replay and rebuild." example:"0b9e6a3c-8d7a-5b1e-9f00-1234567890ab"`
	Type      string        `json:"type" example:"order.placed"`
	Timestamp time.Time     `json:"timestamp" doc:"When it happened."`
	Version   int           `json:"version" doc:"Of the form of data: within one, fields are only ever added." example:"1"`
	Aggregate aggregateBody `json:"aggregate"`
	Sequence  int           `json:"sequence" doc:"Counts the events of the aggregate from 1, without gaps."`
	Previous  int           `json:"previous" nullable:"true" doc:"The sequence of the last event of the aggregate that this endpoint was to get; null before the first. Another one than the last that was received is a gap."`
	Cursor    string        `json:"cursor" doc:"The place in the log."`
}

// thinBody stands for data that is too large to be sent.
type thinBody struct {
	Thin bool   `json:"thin" enum:"true" doc:"The data is too large to be sent."`
	Href string `json:"href" doc:"Where the whole message is, below the address of the API." example:"/v1/events/0b9e6a3c-8d7a-5b1e-9f00-1234567890ab?aggregate=o1&sequence=1&type=order"`
}

type aggregateBody struct {
	Type string `json:"type" example:"order"`
	ID   string `json:"id"`
}

// describeMessages adds every public message to the description.
func (s *server) describeMessages(doc *huma.OpenAPI) {
	// The messages have schemas of their own, named apart from those of the
	// routes: the two are different contracts.
	registry := huma.NewMapRegistry("#/components/schemas/", func(t reflect.Type, hint string) string {
		return "Message" + huma.DefaultSchemaNamer(t, hint)
	})
	envelope := registry.Schema(reflect.TypeFor[messageBody](), true, "")
	doc.Webhooks = map[string]*huma.PathItem{}
	for _, kind := range message.Kinds() {
		schema := &huma.Schema{AllOf: []*huma.Schema{envelope, {
			Type: huma.TypeObject, Required: []string{"data"},
			Properties: map[string]*huma.Schema{"data": registry.Schema(reflect.TypeOf(kind.Form), true, "")},
		}}}
		doc.Webhooks[kind.Public] = &huma.PathItem{Post: s.messageOperation(kind, schema)}
	}
	maps.Copy(doc.Components.Schemas.Map(), registry.Map())
}

func (s *server) messageOperation(kind message.Kind, schema *huma.Schema) *huma.Operation {
	header := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return &huma.Operation{
		OperationID: kind.Public, Method: http.MethodPost, Tags: []string{"webhooks"}, Summary: kind.Public,
		Description: kind.Sent + " " + kind.Promise,
		Security:    []map[string][]string{},
		Parameters: []*huma.Param{
			header("webhook-id", "The same on every attempt: who has seen it needs to do nothing."),
			header("webhook-timestamp", "Seconds since 1970, of this attempt."),
			header("webhook-signature", "v1, and HMAC-SHA256 in base64 over id, timestamp and body, joined by points."),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
			Schema:  schema,
			Example: exampleOf(kind),
		}}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "Received. Anything else is tried again."},
			"410": {Description: "Gone: nothing more is sent to the endpoint."},
		},
	}
}

// exampleOf returns a message as it would be sent.
func exampleOf(kind message.Kind) map[string]any {
	var example map[string]any
	if err := json.Unmarshal(kind.Example(), &example); err != nil {
		panic(err) // a test reads them all
	}
	return example
}
