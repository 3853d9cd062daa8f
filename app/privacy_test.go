package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/alecthomas/kong"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

// Personal data that occurs nowhere else.
func secrets() []string {
	return []string{"zebediah.quux@privacy.example", "Zebediah", "Quuxington", "Xylophone Alley 99", "Oldenfjord", "+49-555-0199-777", "left it with the zebra", "odd-looking zebra"}
}

// private is a platform that personal data is put into.
type private struct {
	t              *testing.T
	app            *app.App
	dir, url       string
	log, delivered logtest.Journal
}

func startPrivate(t *testing.T, settings ...string) *private {
	t.Helper()
	p := &private{t: t, dir: t.TempDir()}
	var cfg configs.Config
	parser, err := kong.New(&cfg)
	if err == nil {
		_, err = parser.Parse(append([]string{
			"--data-dir", p.dir, "--http-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0", "--admin-key", fuzzAdminKey, "--webhooks-allow-private",
		}, settings...))
	}
	if err != nil {
		t.Fatal(err)
	}
	p.app, err = app.New(cfg, app.Options{
		Roles:  []string{app.RoleAPI, app.RoleProjections, app.RoleHandlers, app.RoleWebhooks},
		Logger: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = p.app.Stop(ctx)
	})
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + p.app.HTTPAddr()
	return p
}

// ask sends a request and returns what was answered.
func (p *private) ask(method, path, body string) (status int, answer map[string]any, raw string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + fuzzAdminKey, "Content-Type": "application/json", "Idempotency-Key": method + path + body[:min(8, len(body))], "If-Match": "*",
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = json.Unmarshal(read, &answer)
	return response.StatusCode, answer, string(read)
}

func (p *private) must(method, path, body string) map[string]any {
	p.t.Helper()
	status, answer, raw := p.ask(method, path, body)
	if status >= 300 {
		p.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	return answer
}

func (p *private) eventually(what string, is func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not %s in time", what)
		}
	}
}

// clean fails the test if any personal data is in a text.
func (p *private) clean(where string, text []byte) {
	p.t.Helper()
	for _, secret := range secrets() {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(form))) {
				p.t.Errorf("%s holds %q", where, form)
			}
		}
	}
}

// everywhere looks into every file, every stored event, the log, the numbers
// and what partners got. Files of the event store may be compressed, so its
// events are read as well.
func (p *private) everywhere(when string) {
	p.t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // a file that has gone holds nothing
		}
		if content, err := os.ReadFile(path); err == nil {
			p.clean(when+", "+path, content)
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	config, err := esdb.ParseConnectionString(p.app.EventStore())
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := esdb.NewClient(config)
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	log, err := store.ReadAll(p.t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, math.MaxInt32)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	events := 0
	for e, err := log.Recv(); err == nil; e, err = log.Recv() {
		events++
		p.clean(when+", event "+e.Event.EventType, append(e.Event.Data, e.Event.UserMetadata...))
	}
	if events < 20 {
		p.t.Errorf("%s: only %d events were read", when, events)
	}
	p.clean(when+", the log", p.log.Bytes())
	p.clean(when+", webhooks", p.delivered.Bytes())
	_, _, metrics := p.ask(http.MethodGet, "/metrics", "")
	p.clean(when+", metrics", []byte(metrics))
}

// TestPersonalDataIsNowhereButInTheVault sends personal data through the routes
// that take some and looks everywhere, before and after the person is
// forgotten.
func TestPersonalDataIsNowhereButInTheVault(t *testing.T) {
	t.Parallel()
	p := startPrivate(t)
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&p.delivered, r.Body) }))
	t.Cleanup(partner.Close)
	p.must(http.MethodPost, "/v1/endpoints", `{"url": "`+partner.URL+`", "event_types": ["*"]}`)
	p.must(http.MethodPost, "/v1/products", `{"sku": "MUG-1", "title": "Mug", "prices": [{"amount": 1250, "currency": "EUR"}]}`)
	p.must(http.MethodPost, "/v1/stock/main/MUG-1/receive", `{"quantity": 10}`)
	placed := p.must(http.MethodPost, "/v1/orders", `{"customer": {"email": "zebediah.quux@privacy.example", "name": "Zebediah Quuxington", "phone": "+49-555-0199-777"}, "ship_to": {"line1": "Xylophone Alley 99", "city": "Oldenfjord", "country": "DE"}, "bill_to": {"name": "Zebediah", "line1": "Xylophone Alley 99", "city": "Oldenfjord", "country": "DE"}, "currency": "EUR", "lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"method": "sandbox:approved"}}`)
	id, customerID := placed["id"].(string), placed["customer_id"].(string)
	address := `"line1": "Xylophone Alley 99", "city": "Oldenfjord", "country": "DE"`
	p.must(http.MethodPost, "/v1/customers", `{"email": "zebediah.quux@privacy.example", "name": "Zebediah", "phone": "+49-555-0199-777", "address": {`+address+`}}`)
	p.must(http.MethodPost, "/v1/orders/"+id+"/address", `{"name": "Zebediah", "phone": "+49-555-0199-777", `+address+`}`)
	p.must(http.MethodPost, "/v1/orders/"+id+"/notes", `{"text": "left it with the zebra"}`)
	p.must(http.MethodPost, "/v1/orders/"+id+"/hold", `{"reason": "manual", "note": "an odd-looking zebra"}`)
	for _, request := range [][3]string{ // with what people get wrong
		{http.MethodGet, "/v1/orders?email=zebediah.quux%40privacy.example", ""},
		{http.MethodGet, "/v1/orders?customer_id=zebediah.quux%40privacy.example", ""},
		{http.MethodGet, "/v1/orders?cursor=zebediah.quux%40privacy.example", ""},
		{http.MethodPost, "/v1/orders", `{"customer": {"email": 17, "name": "Zebediah"}, "currency": "Zebediah", "lines": [], "payment": {"method": "Zebediah"}}`},
		{http.MethodPost, "/v1/orders", `{"ship_to": {"line1": 99, "name": "Zebediah", "country": "Oldenfjord"}, "bill_to": {"line1": ["Xylophone Alley 99"], "country": 1}, "currency": "EUR", "lines": [], "payment": {}}`},
		{http.MethodPost, "/v1/orders/" + id + "/address", `{"line1": "Xylophone Alley 99", "country": "Oldenfjord"}`},
		{http.MethodPost, "/v1/customers", `{"email": "Zebediah Quuxington"}`},
	} {
		status, _, raw := p.ask(request[0], request[1], request[2])
		if p.clean("the answer to "+request[1], []byte(raw)); status >= 500 {
			t.Errorf("%s %s: %d", request[0], request[1], status)
		}
	}
	export := p.must(http.MethodPost, "/v1/customers/"+customerID+"/export", `{}`)
	exported := func() bool {
		return p.must(http.MethodGet, "/v1/jobs/"+export["id"].(string), "")["status"] == "succeeded"
	}
	p.eventually("exported", exported)
	p.eventually("told", func() bool { return strings.Contains(p.delivered.String(), id) })
	p.everywhere("before the erasure")
	if _, _, raw := p.ask(http.MethodGet, "/v1/customers/"+customerID, ""); !strings.Contains(raw, "Xylophone Alley 99") {
		t.Errorf("the data is not where it should be: %s", raw)
	}

	if _, _, raw := p.ask(http.MethodGet, "/v1/orders/"+id+"/address", ""); strings.Count(raw, "Xylophone Alley 99") != 2 {
		t.Errorf("the addresses are not where they should be: %s", raw)
	}

	p.must(http.MethodPost, "/v1/orders/"+id+"/cancel", `{}`)
	p.eventually("accepted", func() bool {
		status, _, _ := p.ask(http.MethodPost, "/v1/customers/"+customerID+"/erase", `{}`)
		return status == http.StatusAccepted
	})
	p.eventually("erased", func() bool { return p.must(http.MethodGet, "/v1/customers/"+customerID, "")["status"] == "erased" })
	p.everywhere("after the erasure")
	for _, path := range []string{"/v1/orders/" + id, "/v1/orders/" + id + "/notes", "/v1/orders/" + id + "/contact", "/v1/orders/" + id + "/address", "/v1/orders/" + id + "/timeline", "/v1/customers/" + customerID, "/v1/orders"} {
		status, _, raw := p.ask(http.MethodGet, path, "")
		if p.clean(path, []byte(raw)); status != http.StatusOK {
			t.Errorf("%s after the erasure: %d %s", path, status, raw)
		}
	}
}
