package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/exports"
	"github.com/waybill-dev/waybill/projections"
	"github.com/waybill-dev/waybill/vault"
)

// exports adds what writes orders into files.
func (p *platform) exports(a *api.API) *exports.Service {
	p.t.Helper()
	db := must(database.Open(p.t.Context(), database.Config{Path: filepath.Join(p.t.TempDir(), "exports.db"), Migrations: exports.Migrations()}))(p.t)
	p.t.Cleanup(func() { _ = db.Close() })
	keyring := must(vault.OpenKeyring("", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{6}, 32))))(p.t)
	return &exports.Service{DB: db, Orders: exportedOrders{a}, People: exportedOrders{a}, Sealer: vault.Envelope{Keyring: keyring}, Now: time.Now}
}

// exportedOrders are those of the read model, and the names of who ordered.
type exportedOrders struct{ api *api.API }

func (e exportedOrders) Page(ctx context.Context, f exports.Filter, after exports.Key, limit int) ([]exports.Order, error) {
	var key *projections.OrderKey
	if after.OrderID != "" {
		key = &projections.OrderKey{PlacedAt: after.PlacedAt, OrderID: after.OrderID}
	}
	rows, err := e.api.Orders.List(ctx, projections.OrderFilter{Status: f.Status, PlacedTo: f.PlacedTo, OldestFirst: true}, key, limit)
	var all []exports.Order
	for _, row := range rows {
		all = append(all, exports.Order{OrderID: row.OrderID, Number: row.Number, Status: row.Status, PlacedAt: row.PlacedAt})
	}
	return all, err
}

func (e exportedOrders) Person(ctx context.Context, o *exports.Order) error {
	state, _, err := eventstore.Load(ctx, e.api.Store, order.Decider, o.OrderID)
	if err != nil {
		return err
	}
	var contact vault.Contact
	err = e.api.Vault.Get(ctx, state.ContactRef, &contact)
	o.Person = &exports.Person{Email: contact.Email}
	return err
}

func TestOrdersAreExported(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	id := p.place("k", addressed).expect(http.StatusCreated).text("id")
	eventually(t, "listed", func() bool { return strings.Contains(string(p.get("/v1/orders").body), id) })
	reader, personal, other := p.key(apikey.OrdersRead), p.key(apikey.OrdersRead, apikey.CustomersRead), p.key(apikey.OrdersRead)
	ask := func(key, body string) answer {
		return p.do(request{method: http.MethodPost, path: "/v1/exports", key: key, body: body})
	}
	file := func(key string, job answer) answer {
		return p.do(request{method: http.MethodGet, path: "/v1/exports/" + job.text("id") + "/file", key: key})
	}
	ask(reader, `{"personal_data": true}`).problem(http.StatusForbidden, "forbidden")
	ask(p.key(apikey.OrdersWrite), `{}`).problem(http.StatusForbidden, "forbidden")
	ask(reader, `{"format": "xlsx"}`).problem(http.StatusUnprocessableEntity, "invalid-request")

	plain := p.finish(ask(reader, `{}`).expect(http.StatusAccepted))
	if plain.text("status") != "succeeded" {
		t.Fatalf("%s", plain.body)
	}
	content := file(reader, plain).expect(http.StatusOK)
	rows, err := csv.NewReader(bytes.NewReader(content.body)).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != id || len(rows[1]) != 21 || content.header.Get("Content-Type") != "text/csv" || content.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %v, %v", err, rows, content.header)
	}
	file(other, plain).problem(http.StatusNotFound, "job-not-found")

	full := p.finish(ask(personal, `{"personal_data": true, "format": "ndjson", "filter": {"status": "placed"}}`).expect(http.StatusAccepted))
	if content := file(personal, full).expect(http.StatusOK); !strings.Contains(string(content.body), "ada@example.com") {
		t.Errorf("%s", content.body)
	}
	if strings.Contains(string(full.body), "ada@") {
		t.Errorf("the job tells who ordered: %s", full.body)
	}
	none := p.finish(ask(reader, `{"filter": {"status": "returned", "placed_to": "2010-01-01T00:00:00Z"}}`).expect(http.StatusAccepted))
	if content := file(reader, none).expect(http.StatusOK); strings.Count(string(content.body), "\n") != 1 {
		t.Errorf("%s", content.body)
	}
	p.get("/v1/exports/nothing/file").problem(http.StatusNotFound, "job-not-found")

	c := client.New(p.url, adminKey)
	defer c.Close()
	var out bytes.Buffer
	if n, err := c.ExportFile(t.Context(), plain.text("id"), &out); err != nil || n != int64(len(content.body)) || out.String() != string(content.body) {
		t.Errorf("the client has %d bytes: %v", n, err)
	}
	if _, err := c.ExportFile(t.Context(), "nothing", &out); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the client has a file of nothing: %v", err)
	}
}
