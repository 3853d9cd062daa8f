package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// ordered is an order of three mugs for 37.50 EUR that a test works on.
type ordered struct {
	*platform

	id string
}

func (p *platform) ordered() ordered {
	p.t.Helper()
	return ordered{p, p.place(uuid.NewString(), cart(3, "approved")).expect(201).text("id")}
}

// change posts below the order.
func (o ordered) change(path, body string, header map[string]string) answer {
	o.t.Helper()
	return o.do(request{method: http.MethodPost, path: "/v1/orders/" + o.id + "/" + path, body: body, header: header})
}

// step changes the order, which must work.
func (o ordered) step(path, body string) answer {
	o.t.Helper()
	done := o.change(path, body, map[string]string{"If-Match": "*", "Idempotency-Key": uuid.NewString()})
	if done.status >= 300 {
		o.t.Fatalf("%s %s: %d %s", path, body, done.status, done.body)
	}
	return done
}

func (o ordered) etag() string {
	o.t.Helper()
	return o.get("/v1/orders/" + o.id).expect(200).header.Get("ETag")
}

// tell lets the order decide what no route asks for.
func (o ordered) tell(c order.Command) order.State {
	o.t.Helper()
	h := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: o.store, Decider: order.Decider}
	result, err := h.Handle(o.t.Context(), o.id, eventstore.Metadata{CommandID: uuid.NewString()}, c)
	if err != nil {
		o.t.Fatalf("%T: %v", c, err)
	}
	return result.State
}

// pay lets the payment of the order decide.
func (o ordered) pay(commands ...payment.Command) payment.State {
	o.t.Helper()
	h := handlers.CommandHandler[payment.State, payment.Command, payment.Event]{Store: o.store, Decider: payment.Decider}
	state, _, err := eventstore.Load(o.t.Context(), o.store, order.Decider, o.id)
	if err != nil {
		o.t.Fatal(err)
	}
	var result handlers.Result[payment.State]
	for _, c := range commands {
		if result, err = h.Handle(o.t.Context(), state.PaymentID, eventstore.Metadata{CommandID: uuid.NewString()}, c); err != nil {
			o.t.Fatalf("%T: %v", c, err)
		}
	}
	return result.State
}

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

// captured takes money, and copies that into the order.
func (o ordered) captured(amount int64) {
	o.t.Helper()
	p := o.pay(payment.RequestCapture{CaptureID: "c1", Amount: eur(amount)}, payment.Capture{CaptureID: "c1", GatewayRef: "ref"})
	o.tell(order.UpdatePayment{
		PaymentID: p.PaymentID, Revision: 9, Kind: order.PaymentCaptured, Ref: "c1", Amount: eur(amount),
		Totals: order.PaymentTotals{Authorised: p.Authorised, Captured: p.Captured(), Refunded: eur(0)},
	})
}

// refusal is what a route answers to something that cannot be.
type refusal struct {
	before []string // steps: a path, a space and a body
	body   string
	status int
	slug   string
	member map[string]any // of the problem
}

// changeRoute is a route that changes an order, and everything it answers.
type changeRow struct {
	name      string
	before    []string // steps to where it works
	captured  int64    // taken before
	path      string
	body      string
	other     string // another body, for the same key
	status    int
	want      map[string]any // members of the answer
	unkeyed   bool           // works without Idempotency-Key
	location  string         // what Location ends with, apart from the id
	scope     apikey.Scope
	elsewhere bool // the order itself does not change
	refusals  map[string]refusal
}

const (
	shipAll   = `shipments {"id": "s1"}`
	shipSome  = `shipments {"id": "s1", "lines": [{"line_id": "1", "quantity": 2}]}`
	delivered = `shipments/s1/delivered {}`
	asksBack  = `returns {"id": "r1", "lines": [{"line_id": "1", "quantity": 2, "reason": "small"}]}`
	hold      = `hold {"reason": "manual"}`
)

func changeRows() []changeRow {
	unit := `"lines": [{"line_id": "1", "quantity": 1}]`
	return []changeRow{
		{
			name: "hold", path: "hold", body: `{"reason": "fraud", "note": "odd"}`, other: `{"reason": "manual"}`, status: 200, unkeyed: true,
			want: map[string]any{"status": "on_hold"},
			refusals: map[string]refusal{
				"shipped": {before: []string{shipAll}, body: `{"reason": "fraud"}`, status: 409, slug: "invalid-transition", member: map[string]any{
					"state": "shipped", "command": "hold", "allowed": []any{"mark-delivered", "receive-return", "request-return"},
				}},
				"no such reason": {body: `{"reason": "whim"}`, status: 422, slug: "order-invalid"},
				"the id of another": {
					before: []string{`hold {"id": "h1", "reason": "fraud"}`}, body: `{"id": "h1", "reason": "manual"}`, status: 409, slug: "id-reused",
				},
			},
		},
		{
			name: "release", before: []string{hold}, path: "release", body: `{"note": "fine"}`, other: `{}`, status: 200, unkeyed: true,
			want:     map[string]any{"status": "placed", "holds": []any{}},
			refusals: map[string]refusal{"not held": {body: `{}`, status: 409, slug: "invalid-transition", member: map[string]any{"state": "placed", "command": "release"}}},
		},
		{
			name: "note", path: "notes", body: `{"text": "Rang her."}`, other: `{"text": "Wrote to her."}`, status: 201, unkeyed: true, location: "notes",
			refusals: map[string]refusal{
				"nobody may read it": {body: `{"text": "a", "visibility": "nobody"}`, status: 422, slug: "order-invalid"},
				"no text":            {body: `{"text": ""}`, status: 422, slug: "invalid-request"},
			},
		},
		{
			name: "tags", path: "tags", body: `{"add": ["gift", "b2b"]}`, other: `{"add": ["gift"]}`, status: 200, unkeyed: true,
			want: map[string]any{"tags": []any{"b2b", "gift"}},
			refusals: map[string]refusal{
				"no tag":       {body: `{"add": ["a tag"]}`, status: 422, slug: "order-invalid"},
				"both at once": {body: `{"add": ["a"], "remove": ["a"]}`, status: 422, slug: "order-invalid"},
			},
		},
		{
			name: "address", path: "address", body: `{"line1": "1 High Street", "city": "Leeds", "country": "GB"}`,
			other: `{"line1": "2 High Street", "city": "Leeds", "country": "GB"}`, status: 200, unkeyed: true,
			refusals: map[string]refusal{
				"shipped": {
					before: []string{shipAll}, body: `{"line1": "1 High Street", "city": "Leeds", "country": "GB"}`, status: 409, slug: "invalid-transition",
					member: map[string]any{"command": "change-address"},
				},
				"nowhere": {body: `{"line1": "", "city": "", "country": "Britain"}`, status: 422, slug: "invalid-request"},
			},
		},
		{
			name: "cancel", path: "cancel", body: `{"reason": "mistake"}`, other: `{}`, status: 202, location: "",
			want: map[string]any{"status": "cancelling"},
			refusals: map[string]refusal{
				"shipped":    {before: []string{shipAll}, body: `{}`, status: 409, slug: "invalid-transition", member: map[string]any{"state": "shipped", "command": "cancel"}},
				"a sentence": {body: `{"reason": "I want it not"}`, status: 422, slug: "order-invalid"},
			},
		},
		{
			name: "fulfilment", path: "fulfilments", body: `{` + unit + `}`, other: `{}`, status: 201, location: "fulfilments",
			want: map[string]any{"status": "processing"},
			refusals: map[string]refusal{
				"held":          {before: []string{hold}, body: `{}`, status: 409, slug: "order-on-hold"},
				"no lines":      {body: `{"lines": []}`, status: 422, slug: "invalid-request"},
				"too many":      {body: `{"lines": [{"line_id": "1", "quantity": 4}]}`, status: 422, slug: "quantity-exceeded", member: map[string]any{"line_id": "1", "requested": 4.0, "available": 3.0}},
				"elsewhere":     {body: `{"location": "moon", ` + unit + `}`, status: 422, slug: "order-invalid"},
				"all are asked": {before: []string{`fulfilments {}`}, body: `{}`, status: 422, slug: "order-invalid"},
				"shipped":       {before: []string{shipAll}, body: `{` + unit + `}`, status: 409, slug: "invalid-transition", member: map[string]any{"command": "request-fulfilment"}},
			},
		},
		{
			name: "shipment", path: "shipments", body: `{` + unit + `, "carrier": "dhl"}`, other: `{}`, status: 201, location: "shipments",
			want: map[string]any{"status": "partially_shipped", "fulfilment_status": "partial"},
			refusals: map[string]refusal{
				"held":              {before: []string{hold}, body: `{}`, status: 409, slug: "order-on-hold"},
				"no lines":          {body: `{"lines": []}`, status: 422, slug: "invalid-request"},
				"too many":          {body: `{"lines": [{"line_id": "1", "quantity": 4}]}`, status: 422, slug: "quantity-exceeded"},
				"yet to leave":      {body: `{"shipped_at": "2999-01-01T00:00:00Z"}`, status: 422, slug: "order-invalid"},
				"no such line":      {body: `{"lines": [{"line_id": "7", "quantity": 1}]}`, status: 422, slug: "order-invalid"},
				"shipped":           {before: []string{shipAll}, body: `{` + unit + `}`, status: 409, slug: "invalid-transition", member: map[string]any{"command": "ship"}},
				"the id of another": {before: []string{shipSome}, body: `{"id": "s1", ` + unit + `}`, status: 409, slug: "id-reused"},
			},
		},
		{
			name: "delivered", before: []string{shipAll}, path: "shipments/s1/delivered", body: `{"at": "2026-03-14T15:09:26Z"}`, other: `{}`, status: 200, unkeyed: true,
			want: map[string]any{"status": "delivered", "fulfilment_status": "delivered"},
			refusals: map[string]refusal{
				"no such parcel": {body: `{}`, status: 404, slug: "reference-unknown", member: map[string]any{"shipment_id": "s1"}},
				"yet to come":    {before: []string{shipAll}, body: `{"at": "2999-01-01T00:00:00Z"}`, status: 422, slug: "order-invalid"},
			},
		},
		{
			name: "failed", before: []string{shipAll}, path: "shipments/s1/failed", body: `{"reason": "lost"}`, other: `{"reason": "refused"}`, status: 200, unkeyed: true,
			refusals: map[string]refusal{
				"no such parcel": {body: `{"reason": "lost"}`, status: 404, slug: "reference-unknown"},
				"arrived":        {before: []string{shipAll, delivered}, body: `{"reason": "lost"}`, status: 409, slug: "invalid-transition", member: map[string]any{"state": "delivered"}},
				"a sentence":     {before: []string{shipAll}, body: `{"reason": "is lost"}`, status: 422, slug: "order-invalid"},
			},
		},
		{
			name: "return", before: []string{shipAll}, path: "returns", body: `{"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}`,
			other: `{"lines": [{"line_id": "1", "quantity": 2, "reason": "small"}]}`, status: 201, location: "returns",
			want: map[string]any{"status": "shipped"},
			refusals: map[string]refusal{
				"not shipped": {body: `{"lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}`, status: 409, slug: "invalid-transition", member: map[string]any{"command": "request-return"}},
				"too many":    {before: []string{shipAll}, body: `{"lines": [{"line_id": "1", "quantity": 4, "reason": "small"}]}`, status: 422, slug: "quantity-exceeded"},
				"of no kind":  {before: []string{shipAll}, body: `{"kind": "gift", "lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}`, status: 422, slug: "order-invalid"},
			},
		},
		{
			name: "receive", before: []string{shipAll, asksBack}, path: "returns/r1/receive", body: `{}`, other: `{"lines": [{"line_id": "1", "quantity": 1}]}`, status: 200,
			want: map[string]any{"status": "shipped", "fulfilment_status": "partially_returned"},
			refusals: map[string]refusal{
				"no such return": {before: []string{shipAll}, body: `{}`, status: 404, slug: "reference-unknown"},
				"no lines":       {before: []string{shipAll, asksBack}, body: `{"lines": []}`, status: 422, slug: "invalid-request"},
				"too many":       {before: []string{shipAll, asksBack}, body: `{"lines": [{"line_id": "1", "quantity": 3}]}`, status: 422, slug: "quantity-exceeded"},
				"rejected": {
					before: []string{shipAll, asksBack, `returns/r1/reject {"reason": "late"}`}, body: `{}`, status: 409, slug: "invalid-transition",
					member: map[string]any{"state": "rejected", "command": "receive-return"},
				},
			},
		},
		{
			name: "reject", before: []string{shipAll, asksBack}, path: "returns/r1/reject", body: `{"reason": "late"}`, other: `{"reason": "worn"}`, status: 200, unkeyed: true,
			refusals: map[string]refusal{
				"no such return": {before: []string{shipAll}, body: `{"reason": "late"}`, status: 404, slug: "reference-unknown"},
				"received":       {before: []string{shipAll, asksBack, `returns/r1/receive {}`}, body: `{"reason": "late"}`, status: 409, slug: "invalid-transition"},
			},
		},
		{
			name: "refund", captured: 3750, path: "refunds", body: `{"amount": {"amount": 1250, "currency": "EUR"}, "reason": "damaged"}`, other: `{}`, status: 202,
			location: "refunds", scope: apikey.PaymentsWrite,
			want: map[string]any{"status": "requested", "amount": map[string]any{"amount": 1250.0, "currency": "EUR"}},
			refusals: map[string]refusal{
				"nothing is captured": {body: `{}`, status: 422, slug: "amount-exceeds-captured"},
				"more than that":      {body: `{"amount": {"amount": 1, "currency": "EUR"}}`, status: 422, slug: "amount-exceeds-captured"},
				"nothing":             {body: `{"amount": {"amount": 0, "currency": "EUR"}}`, status: 422, slug: "order-invalid"},
				"another currency":    {body: `{"amount": {"amount": 1, "currency": "GBP"}}`, status: 422, slug: "currency-mismatch"},
			},
		},
		{
			name: "capture", path: "captures", body: `{"amount": {"amount": 1250, "currency": "EUR"}}`, other: `{}`, status: 202,
			location: "captures", scope: apikey.PaymentsWrite, elsewhere: true,
			want: map[string]any{"status": "requested", "amount": map[string]any{"amount": 1250.0, "currency": "EUR"}},
			refusals: map[string]refusal{
				"held":             {before: []string{hold}, body: `{}`, status: 409, slug: "order-on-hold", member: map[string]any{"state": "on_hold", "command": "capture"}},
				"cancelling":       {before: []string{`cancel {}`}, body: `{}`, status: 409, slug: "invalid-transition", member: map[string]any{"state": "cancelling"}},
				"too much":         {body: `{"amount": {"amount": 3751, "currency": "EUR"}}`, status: 422, slug: "amount-exceeds-authorised"},
				"nothing":          {body: `{"amount": {"amount": 0, "currency": "EUR"}}`, status: 422, slug: "payment-invalid"},
				"another currency": {body: `{"amount": {"amount": 1, "currency": "GBP"}}`, status: 422, slug: "currency-mismatch"},
				"another payment":  {body: `{"payment_id": "none"}`, status: 404, slug: "reference-unknown"},
				"all is taken":     {before: []string{`captures {"id": "c1"}`}, body: `{}`, status: 422, slug: "amount-exceeds-authorised"},
				"the id of another": {
					before: []string{`captures {"id": "c1", "amount": {"amount": 1, "currency": "EUR"}}`},
					body:   `{"id": "c1", "amount": {"amount": 2, "currency": "EUR"}}`, status: 409, slug: "id-reused",
				},
			},
		},
		{
			name: "edit", path: "edits", body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "MUG-1", "quantity": 2}]}`,
			other: `{"lines": [{"line_id": "1", "quantity": 1}]}`, status: 201, location: "edits", want: map[string]any{"status": "placed"},
			refusals: map[string]refusal{
				"under way":           {before: []string{`fulfilments {}`}, body: `{"lines": [{"line_id": "1", "quantity": 1}]}`, status: 409, slug: "invalid-transition", member: map[string]any{"state": "processing", "command": "edit"}},
				"nothing is left":     {body: `{"lines": [{"line_id": "1", "quantity": 0}]}`, status: 422, slug: "cart-invalid"},
				"too dear":            {body: `{"lines": [{"sku": "MUG-1", "quantity": 1}]}`, status: 422, slug: "amount-exceeds-authorised", member: map[string]any{"requested": "50.00 EUR", "available": "37.50 EUR"}},
				"more of a line":      {body: `{"lines": [{"line_id": "1", "quantity": 4}]}`, status: 422, slug: "order-invalid"},
				"no such line":        {body: `{"lines": [{"line_id": "7", "quantity": 1}]}`, status: 422, slug: "order-invalid"},
				"no lines":            {body: `{"lines": []}`, status: 422, slug: "invalid-request"},
				"an unknown product":  {body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "NONE", "quantity": 1}]}`, status: 422, slug: "cart-invalid", member: map[string]any{"errors": []any{map[string]any{"pointer": "/lines/1/sku", "code": "unknown-sku", "detail": "no product is registered under this SKU"}}}},
				"another price":       {body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "MUG-1", "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}}]}`, status: 409, slug: "price-changed"},
				"not there":           {body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "MUG-1", "quantity": 2, "location": "moon"}]}`, status: 409, slug: "out-of-stock"},
				"not a place on land": {body: `{"lines": [{"line_id": "1", "quantity": 1}, {"sku": "MUG-1", "quantity": 2, "location": "a b"}]}`, status: 422, slug: "order-invalid"},
			},
		},
	}
}

func (o ordered) prepared(row changeRow, before []string) ordered {
	o.t.Helper()
	for _, step := range before {
		path, body, _ := strings.Cut(step, " ")
		o.step(path, body)
	}
	if row.captured > 0 {
		o.captured(row.captured)
	}
	return o
}

func TestChangesOfAnOrder(t *testing.T) {
	t.Parallel()
	p := shop(t, 100_000)
	for _, row := range changeRows() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			here := *p
			here.t = t
			here.changes(row)
			here.isCareful(row)
			for name, refused := range row.refusals {
				o := here.ordered().prepared(changeRow{}, refused.before)
				before := o.etag()
				answer := o.change(row.path, refused.body, map[string]string{"If-Match": before, "Idempotency-Key": "k"})
				if answer.problem(refused.status, refused.slug); o.etag() != before {
					t.Errorf("%s: the order changed", name)
				}
				wantMembers(t, answer.json(), refused.member)
			}
		})
	}
}

func wantMembers(t *testing.T, body, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if diff := cmp.Diff(value, body[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// changes looks at what a route does, and does again.
func (p *platform) changes(row changeRow) {
	p.t.Helper()
	o := p.ordered().prepared(row, row.before)
	before := o.etag()
	header := map[string]string{"If-Match": before, "Idempotency-Key": "k1"}
	first := o.change(row.path, row.body, header).expect(row.status)
	wantMembers(p.t, first.json(), row.want)
	if got := first.header.Get("ETag"); (got == before) != row.elsewhere || got != o.etag() {
		p.t.Errorf("ETag %s, before %s, now %s", got, before, o.etag())
	}
	if first.header.Get("X-Write-Position") == "" || first.header.Get("Idempotency-Replayed") != "" {
		p.t.Errorf("headers %v", first.header)
	}
	if location := first.header.Get("Location"); row.location != "" {
		if !strings.HasPrefix(location, "/v1/orders/"+o.id+"/"+row.location+"/") {
			p.t.Errorf("Location %q", location)
		}
		p.get(location).expect(200)
	}
	o.step("tags", `{"add": ["later"]}`) // what happens later does not change the first answer
	again := o.change(row.path, row.body, header)
	if again.status != row.status || string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
		p.t.Errorf("again: %d %v\n%s\nfirst:\n%s", again.status, again.header, again.body, first.body)
	}
	for _, name := range []string{"ETag", "Location", "X-Write-Position"} {
		if row.elsewhere && name == "ETag" {
			continue // it is the order's, which has changed since
		}
		if again.header.Get(name) != first.header.Get(name) {
			p.t.Errorf("again with %s %q, first %q", name, again.header.Get(name), first.header.Get(name))
		}
	}
	o.change(row.path, row.other, header).problem(422, "idempotency-key-reused")
}

// isCareful looks at what every route wants of its callers.
func (p *platform) isCareful(row changeRow) {
	p.t.Helper()
	o := p.ordered().prepared(row, row.before)
	before := o.etag()
	with := func(name, value string) map[string]string {
		header := map[string]string{"If-Match": before, "Idempotency-Key": "k1"}
		maps.Copy(header, map[string]string{name: value})
		if value == "" {
			delete(header, name)
		}
		return header
	}
	o.change(row.path, row.body, with("If-Match", "")).problem(428, "precondition-required")
	o.change(row.path, row.body, with("Idempotency-Key", strings.Repeat("k", 256))).problem(400, "idempotency-key-invalid")
	o.change(row.path, `{"nonsense": 1}`, with("If-Match", "*")).problem(422, "invalid-request")
	for _, match := range []string{`"99"`, `W/` + before, "nonsense", `"0", "1"`} {
		stale := o.change(row.path, row.body, with("If-Match", match)).problem(412, "revision-mismatch")
		if stale.header.Get("ETag") != before || stale.json()["etag"] != before {
			p.t.Errorf("412 with ETag %q: %s", stale.header.Get("ETag"), stale.body)
		}
	}
	nobody := ordered{p, "nobody"}
	nobody.change(row.path, row.body, with("If-Match", "*")).problem(404, "not-found")
	if !row.unkeyed {
		o.change(row.path, row.body, with("Idempotency-Key", "")).problem(400, "idempotency-key-missing")
	}
	may := row.scope
	if may == "" {
		may = apikey.OrdersWrite
	}
	for _, scope := range apikey.Scopes() {
		if scope == may || scope == apikey.Admin || (scope == apikey.OrdersImport && row.scope == "") {
			continue
		}
		p.do(request{
			method: http.MethodPost, path: "/v1/orders/" + o.id + "/" + row.path, body: row.body, key: p.key(scope), header: with("If-Match", "*"),
		}).problem(403, "forbidden")
	}
	if o.etag() != before {
		p.t.Error("a refused request changed the order")
	}
	allowed := p.do(request{
		method: http.MethodPost, path: "/v1/orders/" + o.id + "/" + row.path, body: row.body, key: p.key(may), header: with("If-Match", "*"),
	})
	allowed.expect(row.status)
}

// TestAKeyStandsForWhatDidNothing takes a key for requests that find the order as
// they want it: another one under the key is refused, and a repeat is answered
// with the order as it was then.
func TestAKeyStandsForWhatDidNothing(t *testing.T) {
	t.Parallel()
	p := shop(t, 1000)
	for _, row := range []struct {
		before           []string
		path, body       string
		other            string
		status, captured int
	}{
		{path: "tags", body: `{"add": ["gift"]}`, other: `{"add": ["b2b"]}`, status: 200},
		{path: "hold", body: `{"id": "h", "reason": "fraud"}`, other: `{"id": "h2", "reason": "manual"}`, status: 200},
		{path: "cancel", body: `{}`, other: `{"reason": "impatience"}`, status: 202},
		{path: "fulfilments", body: `{"id": "f", "lines": [{"line_id": "1", "quantity": 1}]}`, other: `{"id": "f2", "lines": [{"line_id": "1", "quantity": 1}]}`, status: 200},
		{path: "shipments", body: `{"id": "s", "lines": [{"line_id": "1", "quantity": 1}]}`, other: `{"id": "s2", "lines": [{"line_id": "1", "quantity": 1}]}`, status: 200},
		{
			before: []string{`shipments {"id": "s"}`}, path: "returns", body: `{"id": "r", "lines": [{"line_id": "1", "quantity": 1, "reason": "too_small"}]}`,
			other: `{"lines": [{"line_id": "1", "quantity": 1, "reason": "too_small"}]}`, status: 200,
		},
		{
			path: "captures", body: `{"id": "c", "amount": {"amount": 100, "currency": "EUR"}}`,
			other: `{"id": "c2", "amount": {"amount": 100, "currency": "EUR"}}`, status: 202,
		},
		{
			path: "refunds", body: `{"id": "b", "amount": {"amount": 100, "currency": "EUR"}, "reason": "damaged"}`,
			other: `{"id": "b2", "amount": {"amount": 100, "currency": "EUR"}, "reason": "damaged"}`, status: 202, captured: 1000,
		},
	} {
		o := p.ordered().prepared(changeRow{captured: int64(row.captured)}, row.before)
		send := func(key, body string) answer {
			return o.change(row.path, body, map[string]string{"If-Match": "*", "Idempotency-Key": key})
		}
		send("made", row.body)
		first := send("k", row.body).expect(row.status)
		if first.header.Get("X-Write-Position") != "" || first.header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s changed something: %v", row.path, first.header)
		}
		send("k", row.other).problem(422, "idempotency-key-reused")
		o.step("tags", `{"add": ["later"]}`)
		again := send("k", row.body).expect(row.status)
		if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s again: %v %s\nfirst: %s", row.path, again.header, again.body, first.body)
		}
		if tag := again.header.Get("ETag"); row.path != "captures" && tag != first.header.Get("ETag") {
			t.Errorf("%s again with %s, first %s", row.path, tag, first.header.Get("ETag"))
		}
	}
}

// A request that finds the order as it wants it does nothing, and its repeat is
// not told that the order was changed meanwhile.
func TestCancellingTwiceIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	o.step("cancel", `{}`)
	again := map[string]string{"If-Match": o.etag(), "Idempotency-Key": "k"}
	o.change("cancel", `{}`, again).expect(202)
	o.step("tags", `{"add": ["late"]}`)
	o.change("cancel", `{}`, again).expect(202)
	o.change("tags", `{"add": ["later"]}`, map[string]string{"If-Match": again["If-Match"], "Idempotency-Key": "t"}).problem(412, "revision-mismatch")
}

// A return that came about elsewhere keeps its time, and takes the importer's
// scope.
func TestImportedReturns(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	o.step("shipments", `{"id": "s1"}`)
	const body = `{"id": "C536379", "lines": [{"line_id": "1", "quantity": 1, "reason": "cancelled"}],
		"external": {"source": "old-shop", "ref": "C536379", "time": "2010-12-01T09:41:00Z"}}`
	send := func(scope apikey.Scope) answer {
		return o.do(request{
			method: http.MethodPost, path: "/v1/orders/" + o.id + "/returns", body: body, key: o.key(scope),
			header: map[string]string{"If-Match": "*", "Idempotency-Key": "k"},
		})
	}
	send(apikey.OrdersWrite).problem(403, "forbidden")
	send(apikey.OrdersImport).expect(201)
	wantMembers(t, o.get("/v1/orders/"+o.id+"/returns/C536379").expect(200).json(), map[string]any{
		"external": map[string]any{"source": "old-shop", "ref": "C536379", "time": "2010-12-01T09:41:00Z"},
	})
	state, _, err := eventstore.Load(t.Context(), o.store, order.Decider, o.id)
	if err != nil || state.Returns[0].Requested.External.Time.Year() != 2010 {
		t.Errorf("the log has %+v, %v", state.Returns, err)
	}
}

func TestOrderAfterItsLife(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	for _, step := range []string{
		`hold {"id": "h1", "reason": "fraud"}`, `release {}`, `edits {"id": "e1", "lines": [{"line_id": "1", "quantity": 2}, {"sku": "MUG-1", "quantity": 1}]}`, `hold {"id": "h2", "reason": "manual", "until": "2026-03-14T15:09:26Z"}`, `release {}`,
		`notes {"id": "n1", "text": "Rang her."}`, `tags {"add": ["gift", "b2b"]}`,
		`address {"line1": "1 High Street", "city": "Leeds", "country": "GB"}`,
		`fulfilments {"id": "f1"}`,
		`shipments {"id": "s1", "lines": [{"line_id": "2", "quantity": 1}], "carrier": "dhl", "tracking": "1Z", "shipped_at": "2026-03-14T15:09:26+01:00"}`,
		`shipments {"id": "s2", "shipped_at": "2026-03-15T15:09:26Z"}`,
		`shipments/s1/failed {"reason": "lost"}`, `shipments/s2/delivered {"at": "2026-03-16T15:09:26Z"}`,
		`returns {"id": "r1", "kind": "exchange", "lines": [{"line_id": "1", "quantity": 2, "reason": "small"}]}`,
		`returns/r1/receive {"lines": [{"line_id": "1", "quantity": 1, "restock": false}]}`,
		`returns {"id": "r2", "lines": [{"line_id": "1", "quantity": 1, "reason": "small"}]}`, `returns/r2/reject {"reason": "late"}`,
	} {
		path, body, _ := strings.Cut(step, " ")
		o.step(path, body)
	}
	o.captured(3750)
	o.step("refunds", `{"id": "m1", "amount": {"amount": 1250, "currency": "EUR"}, "reason": "damaged", "lines": [{"line_id": "1", "quantity": 1}]}`)
	shown := o.get("/v1/orders/" + o.id).expect(200)
	if strings.Contains(string(shown.body), "Rang") || strings.Contains(string(shown.body), "High Street") {
		t.Error("the order shows what people wrote")
	}
	o.anonymous(shown).golden("orders/order")
	notes := o.get("/v1/orders/" + o.id + "/notes").expect(200)
	o.anonymous(notes).golden("orders/notes")
	for _, part := range []string{"edits/e1", "captures/c1", "fulfilments/f1", "shipments/s1", "shipments/s2", "returns/r1", "returns/r2", "refunds/m1"} {
		o.anonymous(o.get("/v1/orders/" + o.id + "/" + part).expect(200)).golden("orders/" + strings.ReplaceAll(part, "/", "-"))
		o.get("/v1/orders/"+o.id+"/"+part+"0").problem(404, "reference-unknown")
	}
	o.get("/v1/orders/"+o.id+"/notes/n0").problem(404, "reference-unknown")
	p := o.platform
	p.do(request{method: http.MethodGet, path: "/v1/orders/" + o.id + "/notes", key: p.key(apikey.OrdersRead, apikey.OrdersWrite)}).problem(403, "forbidden")

	if err := p.vault.Erase(t.Context(), shown.text("customer_id")); err != nil {
		t.Fatal(err)
	}
	if got := o.get("/v1/orders/" + o.id + "/notes/n1").expect(200).text("text"); got != "[erased]" {
		t.Errorf("the note of somebody who was erased: %q", got)
	}
	o.change("notes", `{"text": "b"}`, map[string]string{"If-Match": "*"}).problem(409, "customer-erased")
}

// anonymous replaces what is another one each time.
func (o ordered) anonymous(a answer) answer {
	o.t.Helper()
	state, _, err := eventstore.Load(o.t.Context(), o.store, order.Decider, o.id)
	if err != nil {
		o.t.Fatal(err)
	}
	placed, _ := state.PlacedAt.MarshalText()
	a.body = []byte(strings.NewReplacer(
		o.id, "ORDER", state.CheckoutID, "CHECKOUT", state.CustomerID, "CUSTOMER", state.PaymentID, "PAYMENT", string(placed), "PLACED",
	).Replace(string(a.body)))
	return a
}

func TestCancellingWhatIsCancelled(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	if got := o.step("cancel", `{}`); got.status != 202 || got.header.Get("Location") != "/v1/orders/"+o.id {
		t.Errorf("%d %v", got.status, got.header)
	}
	if again := o.step("cancel", `{"reason": "impatience"}`); again.status != 202 || again.header.Get("X-Write-Position") != "" {
		t.Errorf("asked again while it is under way: %d %v", again.status, again.header)
	}
	o.tell(order.Cancel{})
	if got := o.step("cancel", `{}`); got.status != 200 || got.text("status") != "cancelled" {
		t.Errorf("%d %s", got.status, got.body)
	}
	o.change("cancel", "", map[string]string{"If-Match": "*", "Idempotency-Key": "k"}).expect(200)
}

// TestChangesAtTheSameTime wants all to happen that do not care for a revision,
// and one of those that do.
func TestChangesAtTheSameTime(t *testing.T) {
	t.Parallel()
	o := shop(t, 10).ordered()
	results := make(chan answer)
	send := func(n int, path, match string) map[int]int {
		for i := range n {
			go func() {
				results <- o.change(path, fmt.Sprintf(`{"add": ["%s-%d"]}`, strings.Trim(match, `"*`), i), map[string]string{"If-Match": match})
			}()
		}
		statuses := map[int]int{}
		for range n {
			statuses[(<-results).status]++
		}
		return statuses
	}
	if got := send(4, "tags", "*"); got[200] != 4 {
		t.Errorf("whatever the revision: %v", got)
	}
	if got := send(4, "tags", o.etag()); got[200] != 1 || got[412] != 3 {
		t.Errorf("for one revision: %v", got)
	}
	// One key is one refund, however many ask at once.
	o.captured(3750)
	refund := func(key string) answer {
		return o.change("refunds", `{"amount": {"amount": 1250, "currency": "EUR"}}`, map[string]string{"If-Match": "*", "Idempotency-Key": key})
	}
	for i := range 10 {
		go func() { results <- refund(fmt.Sprint("k", i%5)) }()
	}
	statuses, ids := map[int]int{}, map[string]bool{}
	for range 10 {
		answer := <-results
		statuses[answer.status]++
		if answer.status == 202 {
			ids[answer.text("id")] = true
		}
	}
	if len(ids) != 3 || statuses[202] != 6 || statuses[422] != 4 {
		t.Errorf("five refunds of 12.50 EUR, each asked for twice, of 37.50 EUR: %v, %v", statuses, ids)
	}
}
