package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/api/apifuzz"
	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing"
)

// How many requests the API is sent, and from which seed: more and others may
// be named, for runs longer than a test should be. A session that is named runs
// alone, to repeat what it found.
const (
	fuzzRequestsEnv = "WAYBILL_TEST_API_FUZZ"
	fuzzSeedEnv     = "WAYBILL_TEST_API_FUZZ_SEED"
)

const (
	fuzzAdminKey = "the-admin-key-of-the-fuzzer"
	fuzzLength   = 250 // requests of a session
	fuzzBody     = 256 << 10
	fuzzThorough = 100_000 // requests that are enough for every operation to succeed once
)

// TestEveryAnswerIsAsDescribed sends the whole platform all kinds of requests
// that follow from its own description, and judges each answer by it.
func TestEveryAnswerIsAsDescribed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := startFuzzed(t, on(e)...)
		document, err := apifuzz.Read(p.get(t, "/openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		// The good answer of a stream has no end.
		document.Operations = slices.DeleteFunc(document.Operations, func(o *apifuzz.Operation) bool { return strings.HasPrefix(o.ID, "stream") })
		options := apifuzz.Options{
			BaseURL: p.url, Client: p.http, Keys: []apifuzz.Key{{Text: fuzzAdminKey, All: true}}, Words: p.words(t),
			Rarely: []string{"deleteEndpoint", "issueAPIKey", "testEndpoint", "pullFeed"}, Often: []string{"placeOrder", "shipOrder", "requestReturn", "payOrder", "listAttempts", "getDelivery", "resendDelivery", "editDeadLetter"}, Huge: fuzzBody, Now: time.Now,
			Seed: setting(t, fuzzSeedEnv, 1), Requests: int(setting(t, fuzzRequestsEnv, 2_500)), Length: fuzzLength, Workers: 4,
		}
		if os.Getenv(fuzzSeedEnv) != "" && os.Getenv(fuzzRequestsEnv) == "" {
			options.Requests = fuzzLength
		}
		for _, scope := range scopes(document) {
			key, id := p.issueKey(t, scope)
			options.Keys = append(options.Keys, apifuzz.Key{Text: key, Scopes: []string{scope}, All: scope == "admin"})
			options.Protected = append(options.Protected, id)
		}
		options.Protected = append(options.Protected, p.broken...)
		began := time.Now()
		result := apifuzz.Run(t.Context(), document, options)
		for _, failure := range result.Failures {
			t.Errorf("%s\n  repeat it: %s=%d go test ./app -run EveryAnswer", failure, fuzzSeedEnv, failure.Session)
		}
		for slug := range result.Problems {
			p.get(t, "/problems/"+slug)
		}
		var table strings.Builder
		result.Print(&table)
		t.Logf("%d requests in %s, seed %d\n%s", result.Requests, time.Since(began).Round(time.Millisecond), options.Seed, &table)
		missing := slices.DeleteFunc(result.Unanswered(document), func(id string) bool { return slices.Contains(fuzzOutOfReach, id) })
		if options.Requests >= fuzzThorough && len(missing) > 0 {
			t.Errorf("of so many requests none of these succeeded: %v", missing)
		}
		if t.Failed() {
			t.Logf("the platform's log:\n%s", p.log.String())
		}
	})
}

// fuzzOutOfReach are operations that nothing a stranger sends makes succeed, or
// hardly anything: a gateway signs what it says, few orders owe money, and few
// dead letters are open whose edited copy is another one.
var fuzzOutOfReach = []string{"receiveGatewayCallback", "payOrder", "editDeadLetter"}

// setting reads a number from the environment.
func setting(t *testing.T, env string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

func scopes(d *apifuzz.Document) []string {
	var all []string
	seen := map[string]bool{}
	for _, o := range d.Operations {
		for _, scope := range o.Scopes {
			if !seen[scope] {
				seen[scope] = true
				all = append(all, scope)
			}
		}
	}
	return all
}

// fuzzed is a whole platform in this process.
type fuzzed struct {
	url   string
	store string // connection string of its event store
	http  *http.Client
	api   *client.Client
	log   *tail

	broken []string // ids of orders and events that cannot be read: who asks for them gets 500
}

// on are the settings for an engine.
func on(e databasetest.Engine) []string {
	if e.URL == "" {
		return nil
	}
	return []string{"--database", e.URL}
}

func startFuzzed(t *testing.T, settings ...string) *fuzzed {
	t.Helper()
	settings = append(settings, "--effects-collector-url", picky(t))
	var cfg configs.Config
	parser, err := kong.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{
		"--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0", "--admin-key", fuzzAdminKey,
		"--max-body-bytes", strconv.Itoa(fuzzBody), "--gateway-failures", "100", "--checkout-gateway-timeout", "300ms", "--webhooks-allow-private",
	}, settings...)); err != nil {
		t.Fatal(err)
	}
	flush, err := tracing.Setup(t.Context(), tracing.Config{Service: "waybill", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	log := &tail{}
	a, err := app.New(cfg, app.Options{
		Roles:  []string{app.RoleAPI, app.RoleProjections, app.RoleHandlers, app.RoleWebhooks},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(a.Stop(ctx), flush(ctx)); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &fuzzed{url: "http://" + a.HTTPAddr(), store: a.EventStore(), log: log}
	p.http = &http.Client{
		Timeout: 10 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.api = client.New(p.url, fuzzAdminKey)
	t.Cleanup(func() { p.api.Close(); p.http.CloseIdleConnections() })
	return p
}

// tail keeps the end of a log: warnings, and what became of requests.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(p, []byte("level=DEBUG")) && !bytes.Contains(p, []byte(`msg="request `)) {
		return len(p), nil
	}
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-20_000):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// words are what makes orders succeed: products with plenty in stock, and one
// that is soon sold out.
func (p *fuzzed) words(t *testing.T) map[string][]any {
	t.Helper()
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(partner.Close)
	words := map[string][]any{
		"currency": {"EUR", "EUR", "EUR", "GBP"}, "location": {"main"}, "quantity": {1, 1, 2, 3}, "amount": {1, 100, 500, 1250},
		"url": {partner.URL}, "event_types": {[]any{"order.placed"}}, "country": {"DE", "GB"},
		"method": {
			"sandbox:approved", "sandbox:approved", "sandbox:approved", "sandbox:approved", "sandbox:approved", "sandbox:declined", "sandbox:error",
			"sandbox:callback-first", "sandbox:action", "sandbox:capture-declined", "sandbox:capture-error", "sandbox:refund-declined",
		},
		"email": {"a@example.com", "b@example.com", "c@example.com"},
	}
	for n := range 60 { // customers who never order, and can be erased
		words["customers email"] = append(words["customers email"], fmt.Sprintf("reader-%d@example.com", n))
	}
	p.poison(t, words)
	if os.Getenv(fuzzRequestsEnv) != "" {
		words["method"] = append(words["method"], "sandbox:timeout")
	}
	receipt := client.Receipt{Ref: "fuzz"}
	for n, pieces := range []int{1_000_000, 1_000_000, 1_000_000, 10} {
		sku := fmt.Sprintf("FUZZ-%d", n)
		err := p.api.CreateProduct(t.Context(), client.Product{SKU: sku, Title: "Mug", Prices: []client.Money{{Amount: 1250, Currency: "EUR"}}})
		if err != nil {
			t.Fatal(err)
		}
		words["sku"] = append(words["sku"], sku)
		receipt.Lines = append(receipt.Lines, client.ReceiptLine{SKU: sku, Quantity: pieces})
	}
	if err := p.api.ReceiveStock(t.Context(), "main", receipt); err != nil {
		t.Fatal(err)
	}
	return words
}

// picky is a system that refuses every seventh event it is told for good, so
// that there are dead letters.
func picky(t *testing.T) (url string) {
	t.Helper()
	var told atomic.Int64
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if told.Add(1)%7 == 1 {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(system.Close)
	return system.URL
}

// unreadable is an event that nobody can read as what its name says.
type unreadable struct {
	OrderID int `json:"order_id"`
}

// EventName implements [domain.Event].
func (unreadable) EventName() string { return "OrderTagged" }

// poison blocks some streams in every read model that wants orders.
func (p *fuzzed) poison(t *testing.T, words map[string][]any) {
	t.Helper()
	codec, err := eventstore.NewCodec(domain.EventTypes(unreadable{})...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := eventstore.NewClient(eventstore.Config{ConnectionString: p.store, Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for n := range 40 {
		order, event := fmt.Sprintf("01890000-0000-7000-8000-%012d", n), uuid.New()
		stream := "order-" + order
		if _, err := store.Append(t.Context(), stream, eventstore.NoStream, eventstore.NewEvent{ID: event, Event: unreadable{n}}); err != nil {
			t.Fatal(err)
		}
		words["stream"] = append(words["stream"], stream)
		p.broken = append(p.broken, order, event.String())
	}
	words["revision"], words["data"] = []any{0}, []any{map[string]any{"order_id": "1", "add": []any{"gift"}}}
	words["dead-letters handler"], words["dead-letters number"] = []any{"analytics"}, []any{0, 1, 2, 3, 4, 5, 6, 7}
	words["projections name"] = []any{"orders", "timeline", "search"}
}

func (p *fuzzed) get(t *testing.T, path string) []byte {
	t.Helper()
	response, err := p.http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v %s", path, response.StatusCode, err, body)
	}
	return body
}

func (p *fuzzed) issueKey(t *testing.T, scope string) (key, id string) {
	t.Helper()
	issued, err := p.api.IssueKey(t.Context(), client.NewKey{Name: scope, Scopes: []string{scope}})
	if err != nil {
		t.Fatal(err)
	}
	return issued.Key, issued.ID
}
