// Package console is the web pages for people: partners, and whoever looks
// after them, see endpoints, deliveries and history, and do what the API lets
// them do. It promises to be nothing but a user of the API: what a key may not
// do there, nobody does here. Pages work without scripts, but for the two
// things that need one, and nothing secret is in them unless it was asked for.
package console

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/client"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static
var static embed.FS

// Path is where the console is.
const Path = "/console/"

// Config is what the console needs.
type Config struct {
	// API answers the console's own requests, as it answers everybody's.
	API http.Handler
	// SessionKey seals sessions; it has 32 bytes.
	SessionKey []byte
	// TraceURL is where a trace is looked at, with {trace_id} in it; empty if
	// nowhere.
	TraceURL string
	Random   io.Reader
	Now      func() time.Time
	Logger   *slog.Logger
}

type console struct {
	Config

	sessions sessions
	pages    map[string]*template.Template
	mux      *http.ServeMux
}

// New returns the console as a handler of everything below [Path].
func New(c Config) (http.Handler, error) {
	s, err := newSessions(c.SessionKey, c.Random, c.Now)
	if err != nil {
		return nil, fmt.Errorf("start the console: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	h := &console{Config: c, sessions: s, mux: http.NewServeMux()}
	if h.pages, err = h.parse(); err != nil {
		return nil, fmt.Errorf("start the console: %w", err)
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("start the console: %w", err)
	}
	h.mux.Handle("GET "+Path+"static/{file}", cached(http.StripPrefix(Path+"static/", http.FileServerFS(files))))
	h.routes()
	return policy(http.NewCrossOriginProtection().Handler(h.mux)), nil
}

func (h *console) routes() {
	h.mux.Handle("GET "+Path+"{$}", http.RedirectHandler(Path+"endpoints", http.StatusSeeOther))
	h.mux.HandleFunc("GET "+Path+"enter", h.enter)
	h.mux.HandleFunc("POST "+Path+"session", h.begin)
	h.mux.HandleFunc("POST "+Path+"leave", h.leave)
	for pattern, page := range map[string]page{
		"GET endpoints":                                        h.listEndpoints,
		"POST endpoints":                                       h.createEndpoint,
		"GET endpoints/{id}":                                   h.showEndpoint,
		"POST endpoints/{id}/do/{action}":                      h.changeEndpoint,
		"GET endpoints/{id}/attempts":                          h.listAttempts,
		"GET endpoints/{id}/undelivered":                       h.listUndelivered,
		"GET endpoints/{id}/deliveries/{message}":              h.showDelivery,
		"POST endpoints/{id}/deliveries/{message}/do/{action}": h.changeDelivery,
		"GET endpoints/{id}/replays":                           h.listReplays,
		"POST endpoints/{id}/replays":                          h.createReplay,
		"GET endpoints/{id}/replays/{run}":                     h.showReplay,
		"POST endpoints/{id}/replays/{run}/do/cancel":          h.cancelReplay,
		"GET endpoints/{id}/filter":                            h.editFilter,
		"POST endpoints/{id}/filter":                           h.saveFilter,
		"GET endpoints/{id}/secrets":                           h.showSecrets,
		"POST endpoints/{id}/secrets":                          h.rotateSecret,
		"GET endpoints/{id}/history":                           h.showHistory,
		"GET timeline":                                         h.showTimeline,
		"GET event-types":                                      h.listEventTypes,
		"GET event-types/{type}":                               h.showEventType,
		"GET feed":                                             h.showFeed,
	} {
		var method, path string
		if _, err := fmt.Sscan(pattern, &method, &path); err != nil {
			panic("console: " + pattern)
		}
		h.mux.Handle(method+" "+Path+path, h.within(page))
	}
	h.mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		h.show(w, r, http.StatusNotFound, view{Page: "problem", Title: "Not found", Data: problemView{Status: http.StatusNotFound, Title: "There is no such page."}})
	})
}

// call is one request of somebody who has a session.
type call struct {
	*http.Request

	client *client.Client
}

// value is what a form or the query says.
func (c call) value(name string) string { return c.FormValue(name) }

// page answers a request with what is to be shown.
type page func(c call) (view, error)

// within lets nobody in who has no session.
func (h *console) within(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		key, ok := h.sessions.key(r)
		if !ok {
			h.outside(w, r)
			return
		}
		v, err := p(call{Request: r, client: h.clientOf(r, key)})
		problem, refused := asProblem(err)
		switch {
		case err == nil && v.Go != "":
			http.Redirect(w, r, v.Go, http.StatusSeeOther)
		case err == nil:
			h.show(w, r, http.StatusOK, v)
		case refused && problem.Status == http.StatusUnauthorized:
			h.sessions.end(w)
			h.outside(w, r)
		case refused:
			h.refused(w, r, problem)
		default:
			h.Logger.ErrorContext(r.Context(), "a page of the console failed", "path", r.URL.Path, "error", err)
			h.refused(w, r, &client.Problem{Status: http.StatusInternalServerError, Title: "The page could not be made"})
		}
	})
}

func (h *console) refused(w http.ResponseWriter, r *http.Request, p *client.Problem) {
	data := problemView{Status: p.Status, Title: p.Title, Detail: p.Detail, TraceID: p.TraceID, Mistakes: p.Errors, Back: r.Referer()}
	h.show(w, r, p.Status, view{Page: "problem", Title: p.Title, Data: data})
}

// problemView is a refusal as it is shown.
type problemView struct {
	Status                 int
	Title, Detail, TraceID string
	Mistakes               []client.Mistake
	Back                   string
}

// contentPolicy lets pages load what is here and send forms here. Scripts and
// styles are files: nothing that is put into a page can run.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func policy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		next.ServeHTTP(w, r)
	})
}
