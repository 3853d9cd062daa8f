package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/checkout"
)

// mediaLines is one JSON value on each line.
const mediaLines = "application/x-ndjson"

const bulkPath = "/v1/orders/bulk"

type bulkRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Names the lines that have no external: the same key again gives each line, by its number, its first answer."`
}

// bulkResult is what became of one line.
type bulkResult struct {
	Line       int    `json:"line" doc:"Counts from 1, empty lines too." example:"1"`
	Status     int    `json:"status" doc:"What POST /v1/orders would have answered." example:"201"`
	OrderID    string `json:"order_id,omitempty"`
	Number     string `json:"number,omitempty" example:"100017"`
	CheckoutID string `json:"checkout_id,omitempty" doc:"With status 202: the payment's outcome is not known yet, the checkout goes on by itself."`
	Replayed   bool   `json:"replayed,omitempty" doc:"The line was sent before: this is its first answer."`
	Problem    any    `json:"problem,omitempty" doc:"Why there is no order."`
}

// TransformSchema implements [huma.SchemaTransformer].
func (bulkResult) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Properties["problem"] = &huma.Schema{Ref: "#/components/schemas/Problem", Description: schema.Properties["problem"].Description}
	return schema
}

func (s *server) bulkRoutes() {
	r := route{
		id: "placeOrders", method: http.MethodPost, path: bulkPath, tag: "orders", scopes: []apikey.Scope{apikey.OrdersImport}, status: http.StatusOK,
		summary: "Place many orders",
		about: "Each line is the body of POST /v1/orders, and each line that is not empty gets a line with what became of it, in the same order, while later ones are still being sent: " +
			"read the answers meanwhile. A line that is refused holds up no other. A line is repeated without harm by its external source and ref or else by its number and the Idempotency-Key. " +
			"What is sent after a line that cannot be read to its end, because the body is too large or too slow, is not looked at: that is the last line of the answer.",
		refuses: []string{kindMalformed, kindTooLarge, kindTooSlow, kindMediaType, kindKeyInvalid},
	}
	register(s, r, s.bulkOrders)
	registry := s.huma.OpenAPI().Components.Schemas
	op := s.operationAt(r.method, r.path)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{mediaLines: {
		Schema: registry.Schema(reflect.TypeFor[placeOrderBody](), true, ""),
		Example: map[string]any{
			"external": map[string]any{"source": "old-shop", "ref": "536365", "time": "2010-12-01T08:26:00Z"}, "currency": "EUR",
			"lines":   []any{map[string]any{"sku": "MUG-1", "quantity": 2, "unit_price": map[string]any{"amount": 1250, "currency": "EUR"}}},
			"payment": map[string]any{"method": "sandbox:approved"},
		},
	}}}
	op.Responses[strconv.Itoa(r.status)].Content = map[string]*huma.MediaType{mediaLines: {Schema: registry.Schema(reflect.TypeFor[bulkResult](), true, "")}}
}

// bulkOrders answers in the usual form what concerns the whole body and shows
// before its first line is worked on; the rest is an answer of that line.
func (s *server) bulkOrders(ctx context.Context, in *bulkRequest) (*huma.StreamResponse, error) {
	r := callOf(ctx).request
	limit := s.api.Config.maxBulk()
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case err != nil || media != mediaLines:
		return nil, s.refuse(kindMediaType, "send the header Content-Type: "+mediaLines)
	case encoding != "" && encoding != "identity":
		return nil, s.refuse(kindMediaType, "the body must not be compressed")
	case in.IdempotencyKey != "" && !validKey(in.IdempotencyKey):
		return nil, s.checkKey(in.IdempotencyKey)
	case r.ContentLength > limit:
		return nil, s.refuse(kindTooLarge, "the body is larger than the limit").with("limit", limit)
	}
	lines := newLineReader(r.Body, limit, int(s.api.Config.maxBody()))
	first, err := lines.next()
	if errors.Is(err, io.EOF) {
		return nil, s.refuse(kindMalformed, "the body has no line")
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		b := &bulk{server: s, ctx: ctx, key: in.IdempotencyKey, lines: lines}
		b.run(out, first, err)
	}}, nil
}

// readBulkLine decodes a line, or says what is wrong with it.
func (s *server) readBulkLine(ctx context.Context, line []byte) (placeOrderBody, *Problem) {
	var body placeOrderBody
	var value any
	if !unicodeText(line) {
		return body, s.problem(ctx, kindMalformed, notUnicode)
	}
	if err := json.Unmarshal(line, &value); err != nil {
		return body, s.problem(ctx, kindMalformed, "the line is not JSON")
	}
	registry := s.huma.OpenAPI().Components.Schemas
	schema := s.operationAt(http.MethodPost, bulkPath).RequestBody.Content[mediaLines].Schema
	path, result := huma.NewPathBuffer([]byte("body"), len("body")), &huma.ValidateResult{}
	huma.Validate(registry, schema, path, huma.ModeWriteToServer, value, result)
	errs := result.Errors
	if len(errs) == 0 {
		if err := json.Unmarshal(line, &body); err != nil { // a number that fits no integer, say
			errs = []error{&huma.ErrorDetail{Message: err.Error(), Location: "body"}}
		}
	}
	times := s.timesIn(line, schema)
	if len(errs)+len(times) == 0 {
		return body, nil
	}
	problem := s.problem(ctx, kindInvalid, "the line has mistakes")
	problem.Errors = times
	for _, err := range errs[:min(len(errs), mostMistakes)] {
		if detail := (*huma.ErrorDetail)(nil); errors.As(err, &detail) {
			problem.Errors = append(problem.Errors, mistakeOf(detail))
		}
	}
	s.tellKnown(problem.Errors, nil, schema)
	return body, problem
}

// bulkKey names a line for ever: by what it is elsewhere, or by where it
// stands. Keys of single orders are of printable characters, so that none is
// like it.
func bulkKey(b placeOrderBody, key string, number int) string {
	switch {
	case b.External != nil && b.External.Source != "" && b.External.Ref != "":
		return "external\x00" + b.External.Source + "\x00" + b.External.Ref
	case key != "":
		return "line\x00" + key + "\x00" + strconv.Itoa(number)
	}
	return ""
}

// placeBulk places the order of a line.
func (s *server) placeBulk(ctx context.Context, key string, body placeOrderBody, line []byte) bulkResult {
	if key == "" {
		return refusedLine(s.problem(ctx, kindKeyMissing, "a line needs external with source and ref, or the request a header Idempotency-Key"))
	}
	outcome, err := s.place(ctx, key, body, line)
	switch {
	case err != nil:
		return refusedLine(s.explain(ctx, err))
	case outcome.Refused != nil:
		result := refusedLine(s.explain(ctx, s.refusedCheckout(outcome)))
		result.Replayed = outcome.Replayed
		return result
	case outcome.Checkout.Step == checkout.Completed:
		return bulkResult{Status: http.StatusCreated, OrderID: outcome.Order.OrderID, Number: outcome.Order.Number, Replayed: outcome.Replayed}
	}
	return bulkResult{Status: http.StatusAccepted, CheckoutID: outcome.Checkout.CheckoutID, Replayed: outcome.Replayed}
}

func refusedLine(p *Problem) bulkResult { return bulkResult{Status: p.Status, Problem: p} }

// unreadable says why the body cannot be read any further.
func (s *server) unreadable(ctx context.Context, err error) *Problem {
	var network net.Error
	switch {
	case errors.Is(err, errBulkTooLarge):
		return s.problem(ctx, kindTooLarge, "the body is larger than the limit").with("limit", s.api.Config.maxBulk())
	case errors.Is(err, errLineTooLong):
		return s.problem(ctx, kindTooLarge, "the line is larger than the limit").with("limit", s.api.Config.maxBody())
	case errors.As(err, &network) && network.Timeout():
		return s.problem(ctx, kindTooSlow, "the body did not arrive in time")
	}
	return s.problem(ctx, kindMalformed, "the body ended early")
}
