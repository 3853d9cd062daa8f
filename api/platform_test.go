package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node/nodetest"
)

const adminKey = "the-admin-key-of-the-tests"

// platform is an installation in one process: real handlers on a real node.
type platform struct {
	t    *testing.T
	node *nodetest.Node
	keys *access.Keys
	log  *journal
	url  string
}

// journal is a log that tests can read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func events() []domain.EventType {
	return apikey.EventTypes()
}

func start(t *testing.T) *platform { return startWith(t, func(*api.API) {}) }

func startWith(t *testing.T, change func(*api.API)) *platform {
	t.Helper()
	p := &platform{t: t, node: nodetest.New(t, nodetest.Config{}), log: &journal{}}
	logger := slog.New(slog.NewTextHandler(p.log, nil))
	codec, err := eventstore.NewCodec(events()...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := eventstore.NewClient(eventstore.Config{ConnectionString: p.node.ConnectionString(), Codec: codec, Logger: logger, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p.keys = &access.Keys{Store: store, Tenant: "default", AdminKey: adminKey, Random: rand.Reader, Now: time.Now}
	a := &api.API{
		Keys: p.keys, Checks: []api.Check{{Name: "event store", Run: store.Ping}}, CursorKey: []byte("of the tests"),
		TraceID: func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" },
		Logger:  logger, Now: time.Now, NewID: uuid.NewString,
	}
	change(a)
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(a.Config, a.Handler())
	server.Start()
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// key issues an API key with scopes.
func (p *platform) key(scopes ...apikey.Scope) string {
	p.t.Helper()
	issued, err := p.keys.Issue(p.t.Context(), access.NewKey{Name: "test", Scopes: scopes}, eventstore.Metadata{})
	if err != nil {
		p.t.Fatal(err)
	}
	return issued.Text
}

// request is what a test sends.
type request struct {
	method, path string
	body         string
	key          string // the admin's if empty, none if "-"
	header       map[string]string
}

// answer is what comes back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (p *platform) do(r request) answer {
	p.t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), r.method, p.url+r.path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	switch r.key {
	case "":
		req.Header.Set("Authorization", "Bearer "+adminKey)
	case "-":
	default:
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	req.Host = "shop.example"
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{t: p.t, status: response.StatusCode, header: response.Header, body: read}
}

func (p *platform) get(path string) answer {
	p.t.Helper()
	return p.do(request{method: http.MethodGet, path: path})
}

func (p *platform) post(path, body string) answer {
	p.t.Helper()
	return p.do(request{method: http.MethodPost, path: path, body: body})
}

// expect fails the test unless the answer has the status.
func (a answer) expect(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// json decodes the body.
func (a answer) json() map[string]any {
	a.t.Helper()
	var document map[string]any
	if err := json.Unmarshal(a.body, &document); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return document
}

// text returns a member of the body.
func (a answer) text(name string) string {
	a.t.Helper()
	text, ok := a.json()[name].(string)
	if !ok {
		a.t.Fatalf("%s has no text %q", a.body, name)
	}
	return text
}

// problem fails the test unless the answer is a problem of that kind.
func (a answer) problem(status int, slug string) answer {
	a.t.Helper()
	a.expect(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("content type %q: %s", got, a.body)
	}
	if got := a.text("type"); got != "http://shop.example/problems/"+slug {
		a.t.Errorf("type %q, want %s: %s", got, slug, a.body)
	}
	if status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		a.t.Error("a 503 without Retry-After")
	}
	return a
}
