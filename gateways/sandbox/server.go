// Package sandbox is a payment gateway to try things with: a real HTTP service
// with a ledger of its own that survives the process, and its client. What a
// payment does is in its method:
//
//	sandbox:approved  authorises
//	sandbox:declined  declines
//	sandbox:timeout   authorises, but answers too late
//	sandbox:error     fails with 500 and leaves nothing in the ledger
//
// It moves no money.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Config is how the service behaves.
type Config struct {
	Ledger string        // path of its SQLite file
	Delay  time.Duration // how late sandbox:timeout answers; longer than the client waits
	Expiry time.Duration // how long an authorisation holds; 7 days when zero
	Now    func() time.Time
}

// Server is the running service.
type Server struct {
	cfg      Config
	ledger   *ledger
	listener net.Listener
	http     *http.Server
	stopping chan struct{}
}

// Listen starts the service on an address; port 0 picks one.
func Listen(ctx context.Context, addr string, cfg Config) (*Server, error) {
	if cfg.Expiry == 0 {
		cfg.Expiry = 7 * 24 * time.Hour
	}
	book, err := openLedger(ctx, cfg.Ledger)
	if err != nil {
		return nil, fmt.Errorf("open the sandbox gateway's ledger: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox gateway: %w", err), book.db.Close())
	}
	s := &Server{cfg: cfg, ledger: book, listener: listener, stopping: make(chan struct{})}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // ends with Stop
	return s, nil
}

// URL is where the service is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Stop ends the service; late answers are given up.
func (s *Server) Stop(ctx context.Context) error {
	close(s.stopping)
	return errors.Join(s.http.Shutdown(ctx), s.ledger.db.Close())
}

// Entries returns the whole ledger.
func (s *Server) Entries(ctx context.Context) ([]Entry, error) { return s.ledger.all(ctx) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/authorisations", s.authorise)
	mux.HandleFunc("GET /v1/authorisations/{key}", s.find)
	mux.HandleFunc("POST /v1/authorisations/{key}/void", s.void)
	return mux
}

// authorisation is the body of a request.
type authorisation struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Method   string `json:"method"`
}

func (s *Server) authorise(w http.ResponseWriter, r *http.Request) {
	var body authorisation
	key := r.Header.Get("Idempotency-Key")
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&body); err != nil || key == "" {
		refuse(w, http.StatusBadRequest, "an authorisation needs a JSON body and an Idempotency-Key")
		return
	}
	entry, known := s.entry(key, body)
	if !known {
		refuse(w, http.StatusUnprocessableEntity, "unsupported-method")
		return
	}
	if body.Method == "sandbox:error" {
		refuse(w, http.StatusInternalServerError, "sandbox:error always fails")
		return
	}
	written, err := s.ledger.enter(r.Context(), entry)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	if written.Amount != body.Amount || written.Currency != body.Currency {
		refuse(w, http.StatusConflict, "the key was used for another amount")
		return
	}
	if body.Method == "sandbox:timeout" {
		s.dawdle(r.Context())
	}
	answer(w, written)
}

func (s *Server) entry(key string, body authorisation) (entry Entry, known bool) {
	entry = Entry{
		Key: key, Ref: "sbx_" + uuid.NewSHA1(uuid.NameSpaceOID, []byte(key)).String(), Status: "authorised",
		Amount: body.Amount, Currency: body.Currency, Method: body.Method, ExpiresAt: s.cfg.Now().Add(s.cfg.Expiry),
	}
	switch body.Method {
	case "sandbox:approved", "sandbox:timeout", "sandbox:error":
		return entry, true
	case "sandbox:declined":
		entry.Status, entry.Code, entry.Message = "declined", "card-declined", "the card was declined"
		return entry, true
	}
	return entry, false
}

func (s *Server) dawdle(ctx context.Context) {
	timer := time.NewTimer(s.cfg.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.stopping:
	}
}

func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	s.respond(w, r, s.ledger.find)
}

func (s *Server) void(w http.ResponseWriter, r *http.Request) {
	s.respond(w, r, s.ledger.void)
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request, ask func(context.Context, string) (Entry, error)) {
	entry, err := ask(r.Context(), r.PathValue("key"))
	switch {
	case errors.Is(err, errNoEntry):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, entry)
	}
}

func answer(w http.ResponseWriter, entry Entry) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(entry) // the caller may have left
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the caller may have left
}
