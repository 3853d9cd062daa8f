package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/tracing/logtest"
)

func TestBodiesHaveADeadline(t *testing.T) {
	t.Parallel()
	a := &api.API{Config: api.Config{BodyTimeout: 50 * time.Millisecond}, Keys: &access.Keys{AdminKey: adminKey, Now: time.Now}}
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(a.Config, a.Handler())
	server.Config.ReadTimeout = 300 * time.Millisecond // the header's part is long
	server.Start()
	t.Cleanup(server.Close)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /v1/api-keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", adminKey)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "/problems/body-too-slow") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

// TestDeadlinesEndWithTheBody guards against a trap of net/http: a deadline
// for reading that passes while a request is worked on cancels it.
func TestDeadlinesEndWithTheBody(t *testing.T) {
	t.Parallel()
	cancelled := make(chan bool, 1)
	a := &api.API{Checks: []api.Check{{Name: "slow", Run: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			cancelled <- true
		case <-time.After(300 * time.Millisecond):
			cancelled <- false
		}
		return nil
	}}}}
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(a.Config, a.Handler())
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if <-cancelled {
		t.Error("the request was cancelled when the time for its body was over")
	}
}

// exploding is a store that fails as no store should.
type exploding struct{ eventstore.Store }

func TestUnknownFailuresAreInternalAndLogged(t *testing.T) {
	t.Parallel()
	var log logtest.Journal
	a := &api.API{
		Store: exploding{}, Keys: &access.Keys{AdminKey: adminKey, Now: time.Now}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/v1/orders/o1", nil)
	request.Header.Set("Authorization", "Bearer "+adminKey)
	a.Handler().ServeHTTP(recorder, request)
	answer{t: t, status: recorder.Code, header: recorder.Header(), body: recorder.Body.Bytes()}.problem(500, "internal-error")
	if strings.Contains(recorder.Body.String(), "nil pointer") || !strings.Contains(log.String(), "nil pointer") {
		t.Errorf("the answer tells or the log does not:\n%s\n%s", recorder.Body, log.String())
	}
	if strings.Count(log.String(), "\n") != 1 {
		t.Errorf("not one line: %s", log.String())
	}
}

func TestRoutesNameTheirSpans(t *testing.T) {
	t.Parallel()
	a := &api.API{Keys: &access.Keys{AdminKey: adminKey, Now: time.Now}}
	handler := a.Handler()
	for path, want := range map[string]string{
		"/v1/orders/o1": "GET /v1/orders/{id}", "/v1/orders/by-number/7": "GET /v1/orders/by-number/{number}", "/v1/none": "",
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		handler.ServeHTTP(httptest.NewRecorder(), request) // refused for want of a key
		if request.Pattern != want {
			t.Errorf("%s: pattern %q, want %q", path, request.Pattern, want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	a := &api.API{Config: api.Config{BaseURL: "https://shop.example/"}}
	recorder := httptest.NewRecorder()
	a.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/nothing", nil))
	if !strings.Contains(recorder.Body.String(), `"type":"https://shop.example/problems/not-found"`) {
		t.Error(recorder.Body)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	p := start(t)
	if got := p.do(request{method: http.MethodHead, path: "/healthz", key: "-"}).expect(200); len(got.body) > 0 {
		t.Errorf("body %s", got.body)
	}
}

func TestOneRequestAtATimeUnderAKey(t *testing.T) {
	t.Parallel()
	const callers = 4
	p := shop(t, 10)
	answers := make(chan answer, callers)
	for range callers {
		go func() { answers <- p.place("k1", cart(1, "timeout")) }()
	}
	count := map[int]int{}
	for range callers {
		got := <-answers
		count[got.status]++
		if got.status == http.StatusConflict {
			got.problem(http.StatusConflict, "in-progress")
			if got.header.Get("Retry-After") == "" || got.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("in progress: %v", got.header)
			}
		}
	}
	if count[http.StatusAccepted] == 0 || count[http.StatusAccepted]+count[http.StatusConflict] != callers {
		t.Errorf("answers %v", count)
	}
	if level := p.level(); level["reserved"] != 1.0 {
		t.Errorf("stock: %v", level)
	}
}
