package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
)

// OpenAPI returns the description of the API as docs/openapi.yaml holds it:
// OpenAPI 3.1 in YAML. It needs no running platform.
func OpenAPI() ([]byte, error) {
	s := newServer(&API{Config: Config{Version: "1"}})
	return s.huma.OpenAPI().YAML()
}

// describe says what is true of the whole API.
func (s *server) describe(doc *huma.OpenAPI) {
	doc.Info.Description = introduction
	doc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	doc.Tags = []*huma.Tag{
		{Name: "orders", Description: "Place orders and look them up."},
		{Name: "checkouts", Description: "How an order comes about, and paying for it again."},
		{Name: "payments", Description: "What became of the money, and what gateways tell of it."},
		{Name: "catalogue", Description: "What is sold, and for how much."},
		{Name: "stock", Description: "How much of it there is, and where."},
		{Name: "webhooks", Description: "Endpoints that are told what happens."},
		{Name: "analytics", Description: "What was sold."},
		{Name: "customers", Description: "Who orders: what is known of them, and forgetting it."},
		{Name: "jobs", Description: "Work that takes longer than a request."},
		{Name: "keys", Description: "Who may call."},
		{Name: "projections", Description: "Read models: how far they are, building them anew, and what they cannot apply."},
		{Name: "health", Description: "For machines that watch."},
	}
	doc.Components.Responses = map[string]*huma.Response{}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {
		Type: "http", Scheme: "bearer", BearerFormat: "API key",
		Description: "An API key: `Authorization: Bearer wb_…`. Each operation lists the scopes of which a key needs one; a key with scope `" + string(apikey.Admin) + "` may do everything.",
	}}
	registry := doc.Components.Schemas
	schema := registry.Schema(reflect.TypeFor[problemDocument](), false, "Problem")
	schema.AdditionalProperties = true
	schema.PrecomputeMessages()
	registry.Map()["Problem"] = schema
}

// tidy takes out the schemas that nothing refers to, those of huma's own
// problems, and lets everything that we send gain fields: only what is sent to
// us must fit exactly.
func (s *server) tidy(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	for _, name := range []string{"ErrorModel", "ErrorDetail", "ProblemDocument"} {
		delete(schemas, name)
	}
	received := map[*huma.Schema]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					s.reach(media.Schema, received)
				}
			}
		}
	}
	for _, schema := range schemas {
		if !received[schema] && schema.Type == huma.TypeObject && schema.AdditionalProperties == false {
			schema.AdditionalProperties = true
		}
	}
}

// reach notes a schema and all it is made of.
func (s *server) reach(schema *huma.Schema, seen map[*huma.Schema]bool) {
	if schema = s.referred(schema); schema == nil || seen[schema] {
		return
	}
	seen[schema] = true
	s.reach(schema.Items, seen)
	for _, property := range schema.Properties {
		s.reach(property, seen)
	}
}

// problemDocument describes [Problem], which writes itself.
type problemDocument struct {
	Type     string    `json:"type" format:"uri" doc:"What kind of problem it is; the address explains it." example:"https://shop.example/problems/out-of-stock"`
	Title    string    `json:"title" doc:"The same for every problem of the type." example:"Out of stock"`
	Status   int       `json:"status" doc:"The HTTP status." example:"409"`
	Detail   string    `json:"detail,omitempty" doc:"What was wrong this time, for people."`
	Instance string    `json:"instance,omitempty" format:"uri-reference" doc:"Where it occurred."`
	TraceID  string    `json:"trace_id,omitempty" doc:"Quote it when you ask about the problem."`
	Errors   []mistake `json:"errors,omitempty" nullable:"false" doc:"Everything that is wrong with the request, all at once."`
}

const introduction = `Waybill takes orders: it prices a cart, reserves stock, authorises the payment and records the order as immutable facts; signed webhooks follow from those.

* **Keys.** Send ` + "`Authorization: Bearer`" + ` and an API key.
* **Errors** are ` + "`application/problem+json`" + ` (RFC 9457). Programs look at ` + "`type`" + `, which leads to a page that explains it. A mistake in a request is listed with all the others.
* **Repeats.** A POST that creates an order or moves money needs an ` + "`Idempotency-Key`" + ` of your making. The same key and body again gives the first answer, marked ` + "`Idempotency-Replayed: true`" + `, and does nothing twice.
* **503** carries ` + "`Retry-After`" + `: send the same request again, with the same key.
* **Money** is an integer in minor units (cents) and a currency of ISO 4217.
* **Lists** are read page by page with opaque cursors.`
