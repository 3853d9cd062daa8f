// Package sandbox is a payment gateway to try things with: a real HTTP service
// with a ledger of its own that survives the process, and its client. What a
// payment does is in its method:
//
//	sandbox:approved          authorises
//	sandbox:declined          declines
//	sandbox:timeout           authorises, but answers too late
//	sandbox:timeout-declined  declines, but answers too late
//	sandbox:error             fails with 500 and leaves nothing in the ledger
//	sandbox:callback-first    authorises, and tells before it answers
//	sandbox:action            asks the shopper to confirm at a page of its own
//	sandbox:<verb>-timeout    authorises; does the verb, but answers too late
//	sandbox:<verb>-error      authorises; the verb fails with 500 and does nothing
//	sandbox:<verb>-declined   authorises; refuses the verb
//
// A verb is capture, refund or void. It moves no money.
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

	"github.com/waybill-dev/waybill/database"
)

// Config is how the service behaves.
type Config struct {
	Ledger       string           // path of its SQLite file
	Server       *database.Server // the Postgres to use instead, which other processes' services share; nil is SQLite
	Delay        time.Duration    // how late a late answer is; longer than the client waits
	Expiry       time.Duration    // how long an authorisation holds; 7 days when zero
	ActionExpiry time.Duration    // how long a shopper is waited for; 15 minutes when zero
	Now          func() time.Time
	// CallbackURL is told what no answer said, until it answers with 2xx: what
	// was answered too late, what the shopper or the bank did, what time did.
	// Empty tells nobody. See also [Server.TellAt].
	CallbackURL string
	// TellAll also tells what the answer to a request said.
	TellAll        bool
	CallbackSecret string // what callbacks are signed with
}

// Server is the running service.
type Server struct {
	cfg      Config
	ledger   *ledger
	listener net.Listener
	http     *http.Server
	calls    calls // of [Server.Direct]
	stopping chan struct{}
	sender   *sender
	quit     context.CancelFunc
}

// Listen starts the service on an address; port 0 picks one.
func Listen(ctx context.Context, addr string, cfg Config) (*Server, error) {
	if cfg.Expiry == 0 {
		cfg.Expiry = 7 * 24 * time.Hour
	}
	if cfg.ActionExpiry == 0 {
		cfg.ActionExpiry = 15 * time.Minute
	}
	book, err := openLedger(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the sandbox gateway's ledger: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox gateway: %w", err), book.db.Close())
	}
	book.base = "http://" + listener.Addr().String()
	s := &Server{cfg: cfg, ledger: book, listener: listener, stopping: make(chan struct{}), sender: newSender(cfg, book)}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	running, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.quit = quit
	go s.sender.run(running)
	go func() { _ = s.http.Serve(listener) }() // ends with Stop
	return s, nil
}

// URL is where the service is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// TellAt tells at a URL from now on, also what was not delivered before.
func (s *Server) TellAt(url string) {
	s.ledger.url.Store(&url)
	s.sender.nudge()
}

// Stop ends the service; late answers are given up. Callbacks that were not
// delivered wait in the ledger.
func (s *Server) Stop(ctx context.Context) error {
	close(s.stopping)
	err := s.http.Shutdown(ctx)
	s.calls.close()
	s.quit()
	<-s.sender.done
	s.sender.http.CloseIdleConnections()
	return errors.Join(err, s.ledger.db.Close())
}

// Entries returns all authorisations of the ledger.
func (s *Server) Entries(ctx context.Context) ([]Entry, error) { return s.ledger.all(ctx) }

// Movements returns all captures and refunds of the ledger, also those that
// were refused.
func (s *Server) Movements(ctx context.Context) ([]Movement, error) { return s.ledger.movements(ctx) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/authorisations", s.authorise)
	mux.HandleFunc("GET /v1/authorisations/{key}", s.find)
	mux.HandleFunc("POST /v1/authorisations/{key}/void", s.void)
	mux.HandleFunc("POST /v1/authorisations/{key}/{movements}", s.move)
	mux.HandleFunc("GET /v1/authorisations/{key}/{movements}/{id}", s.findMovement)
	mux.HandleFunc("GET /actions/{ref}", s.showAction)
	mux.HandleFunc("POST /actions/{ref}", s.act)
	return mux
}

// authorisation is the body of a request.
type authorisation struct {
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
	Method    string `json:"method"`
	ReturnURL string `json:"return_url,omitempty"`
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
	if s.ledger.tellsLater(written.Method) {
		s.sender.nudge()
	}
	if comesFirst(written.Method) && written.Asked == 1 && s.ledger.callbackURL() != "" {
		if err := s.sender.first(r.Context(), written); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
	}
	if late(body.Method) {
		s.dawdle(r.Context())
	}
	answer(w, written)
}

func (s *Server) entry(key string, body authorisation) (entry Entry, known bool) {
	entry = Entry{
		Key: key, Ref: "sbx_" + uuid.Must(uuid.NewV7()).String(), Status: authorised,
		Amount: body.Amount, Currency: body.Currency, Method: body.Method, ExpiresAt: s.cfg.Now().Add(s.cfg.Expiry),
		ReturnURL: body.ReturnURL,
	}
	switch body.Method {
	case "sandbox:declined", "sandbox:timeout-declined":
		entry.Status, entry.Code, entry.Message = declined, "card-declined", "the card was declined"
	case "sandbox:action":
		entry.Status, entry.ExpiresAt = actionRequired, s.cfg.Now().Add(s.cfg.ActionExpiry)
		if body.ReturnURL == "" {
			entry.Status, entry.Code = declined, "authentication-required"
			entry.Message = "the shopper has to confirm the payment, and cannot be sent there"
		}
	}
	return entry, methods[body.Method]
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
	entry, err := s.ledger.find(r.Context(), r.PathValue("key"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, entry)
}

// answer writes JSON.
func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the caller may have left
}

// refusalBody is the body of an answer that is not 2xx.
type refusalBody struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refusalBody{Error: text}) // the caller may have left
}

// fail answers with what went wrong in the ledger.
func fail(w http.ResponseWriter, err error) {
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(refusalBody{refused.text, refused.code}) // the caller may have left
	case errors.Is(err, errNoEntry):
		refuse(w, http.StatusNotFound, err.Error())
	case errors.Is(err, errReused):
		refuse(w, http.StatusConflict, err.Error())
	default:
		refuse(w, http.StatusInternalServerError, err.Error())
	}
}
