package api

import (
	"maps"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
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

type aggregateBody struct {
	Type string `json:"type" example:"order"`
	ID   string `json:"id"`
}

// sampleMessages are the data of each kind as it would be sent.
func sampleMessages() map[string]any {
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	eur := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }
	events := map[string]domain.Event{
		order.OrderPlaced{}.EventName(): order.OrderPlaced{
			OrderID: "9f6c1f0e-3a52-5f0b-8a57-0f4c1c2b7d11", Number: "100017", CustomerID: "5b0d9a77-2c1e-5a36-9a3f-6e0c41f2a9d0", ShipToCountry: "DE",
			Currency: "EUR", PlacedAt: at,
			Lines: []order.Line{{
				LineID: "1", SKU: "MUG-1", Title: "Mug", Quantity: 2, UnitPrice: eur(1250), Discount: eur(0), Tax: eur(0), Total: eur(2500),
			}},
			Totals: order.Totals{Subtotal: eur(2500), Discount: eur(0), Shipping: eur(0), Tax: eur(0), Grand: eur(2500)},
		},
		endpoint.Tested{}.EventName(): endpoint.Tested{EndpointID: "3c0e7a52-9d41-5be1-9d5f-2b7c6f1f0a44", TestID: "71c6", TestedAt: at},
	}
	data := map[string]any{}
	for _, kind := range message.Kinds() {
		if sample, err := kind.Data(events[kind.Stored]); err == nil {
			data[kind.Public] = sample
		}
	}
	return data
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
	samples := sampleMessages()
	for _, kind := range message.Kinds() {
		data := samples[kind.Public]
		schema := &huma.Schema{AllOf: []*huma.Schema{envelope, {
			Type: huma.TypeObject, Required: []string{"data"},
			Properties: map[string]*huma.Schema{"data": registry.Schema(reflect.TypeOf(data), true, "")},
		}}}
		doc.Webhooks[kind.Public] = &huma.PathItem{Post: s.messageOperation(kind, schema, data)}
	}
	maps.Copy(doc.Components.Schemas.Map(), registry.Map())
}

func (s *server) messageOperation(kind message.Kind, schema *huma.Schema, data any) *huma.Operation {
	header := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return &huma.Operation{
		OperationID: kind.Public, Method: http.MethodPost, Tags: []string{"webhooks"}, Summary: kind.Public,
		Description: "Sent to each endpoint that asked for it, again and again until the answer is 2xx. Verify the signature as Standard Webhooks says.",
		Security:    []map[string][]string{},
		Parameters: []*huma.Param{
			header("webhook-id", "The same on every attempt: who has seen it needs to do nothing."),
			header("webhook-timestamp", "Seconds since 1970, of this attempt."),
			header("webhook-signature", "v1, and HMAC-SHA256 in base64 over id, timestamp and body, joined by points."),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
			Schema: schema,
			Example: map[string]any{
				"id": "0b9e6a3c-8d7a-5b1e-9f00-1234567890ab", "type": kind.Public, "timestamp": "2026-03-14T15:09:26.000Z", "version": kind.Version,
				"aggregate": map[string]any{"type": kind.Aggregate, "id": "9f6c1f0e-3a52-5f0b-8a57-0f4c1c2b7d11"},
				"sequence":  1, "previous": nil, "cursor": "c1.Zk3", "data": data,
			},
		}}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "Received. Anything else is tried again."},
			"410": {Description: "Gone: nothing more is sent to the endpoint."},
		},
	}
}
