package api

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// server is an [API] that was put together.
type server struct {
	api     *API
	logger  *slog.Logger
	mux     *router
	huma    huma.API
	kinds   map[string]kind
	cursors cursors
	stock   *lru.Cache[string, eventstore.Snapshot[stock.State]]
	streams atomic.Int64 // that are open

	arrivals projections.Arrivals
}

// stockCached is how many stock items are kept in memory for questions.
const stockCached = 1_000

// huma takes members whose names differ in case for the same, as encoding/json
// does: a body could hold one twice, and mean either.
func init() { huma.ValidateStrictCasing = true }

func newServer(a *API) *server {
	s := &server{api: a, logger: a.Logger, mux: &router{}, kinds: map[string]kind{}, cursors: cursors{key: a.CursorKey}}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.stock, _ = lru.New[string, eventstore.Snapshot[stock.State]](stockCached) // fails for sizes below 1 only
	for _, k := range kinds() {
		s.kinds[k.slug] = k
	}
	config := huma.DefaultConfig("Waybill", a.Config.version())
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // ours are below
	config.CreateHooks = nil                                             // no $schema in bodies
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{s.reshape}
	s.huma = humago.New(s.mux, config)
	s.huma.UseMiddleware(s.authenticate, s.readBody, s.checkTimes)
	s.describe(s.huma.OpenAPI())
	s.routes()
	s.describeMessages(s.huma.OpenAPI())
	s.tidy(s.huma.OpenAPI())
	s.pages()
	return s
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.ContentLength == 0 {
		liftDeadline(w)
	}
	inner := withCall(r)
	out := &writer{ResponseWriter: w}
	defer s.recover(out, inner)
	handler, pattern := s.mux.Handler(inner)
	if pattern == "" {
		s.unknown(out, inner, handler)
		return
	}
	r.Pattern = pattern // the caller's request names its span
	s.mux.ServeHTTP(out, inner)
}

// secure sets what keeps browsers from making more of an answer than it is.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// liftDeadline lets a request take its time after its body has arrived.
func liftDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a recorder has none
}

// unknown answers in our form what the mux would answer in its own: 404, or
// 405 with the methods that exist.
func (s *server) unknown(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		s.write(w, s.problem(r.Context(), kindNotFound, "there is no such address"))
		return
	}
	problem := s.problem(r.Context(), kindMethod, fmt.Sprintf("%s is not allowed here", r.Method))
	problem.Header = http.Header{"Allow": probe.header.Values("Allow")}
	s.write(w, problem)
}

// recover answers a request that panicked, if that is still possible.
func (s *server) recover(w *writer, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
		panic(cause)
	}
	s.logger.ErrorContext(r.Context(), "request panicked", "method", r.Method, "path", r.URL.Path,
		"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.written {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	s.write(w, s.problem(r.Context(), kindInternal, "the request could not be finished"))
}

// write sends a problem from outside of huma.
func (s *server) write(w http.ResponseWriter, p *Problem) {
	body, err := p.MarshalJSON()
	if err != nil {
		body = []byte("{}")
	}
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the caller has gone, or has it
}

// writer remembers whether an answer was begun.
type writer struct {
	http.ResponseWriter

	written bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *writer) WriteHeader(status int) {
	w.written = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(b []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusProbe finds out what a handler would answer.
type statusProbe struct {
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (p *statusProbe) Header() http.Header { return p.header }

// WriteHeader implements [http.ResponseWriter].
func (p *statusProbe) WriteHeader(status int) { p.status = status }

// Write implements [http.ResponseWriter].
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
