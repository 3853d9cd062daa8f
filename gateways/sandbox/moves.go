package sandbox

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// refusedError is the gateway saying no for a reason of its rules.
type refusedError struct{ code, text string }

func (e *refusedError) Error() string { return e.text }

// movement is the body of a request.
type movement struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Final    bool   `json:"final,omitempty"`
}

// kind tells the kind of movement by the last part of a path.
func kind(r *http.Request) (payment.Kind, bool) {
	switch r.PathValue("movements") {
	case "captures":
		return payment.Captures, true
	case "refunds":
		return payment.Refunds, true
	}
	return "", false
}

func (s *Server) move(w http.ResponseWriter, r *http.Request) {
	kind, known := kind(r)
	if !known {
		http.NotFound(w, r)
		return
	}
	var body movement
	id := r.Header.Get("Idempotency-Key")
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&body); err != nil || id == "" {
		refuse(w, http.StatusBadRequest, "this needs a JSON body and an Idempotency-Key")
		return
	}
	entry, err := s.ledger.find(r.Context(), r.PathValue("key"))
	if err != nil {
		fail(w, err)
		return
	}
	how := behaviour(entry.Method, string(kind))
	if how == "error" {
		refuse(w, http.StatusInternalServerError, entry.Method+" always fails")
		return
	}
	done, err := s.ledger.move(r.Context(), Movement{
		Kind: string(kind), ID: id, Key: entry.Key, Amount: body.Amount, Currency: body.Currency,
	}, body.Final)
	if err != nil {
		fail(w, err)
		return
	}
	s.sender.nudge()
	if how == "timeout" {
		s.dawdle(r.Context())
	}
	answer(w, done)
}

func (s *Server) findMovement(w http.ResponseWriter, r *http.Request) {
	kind, known := kind(r)
	if !known {
		http.NotFound(w, r)
		return
	}
	found, err := s.ledger.findMovement(r.Context(), string(kind), r.PathValue("key"), r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, found)
}

// void lets go of what was not captured. Nothing else can be voided.
func (s *Server) void(w http.ResponseWriter, r *http.Request) {
	entry, err := s.ledger.find(r.Context(), r.PathValue("key"))
	if err != nil {
		fail(w, err)
		return
	}
	how := behaviour(entry.Method, "void")
	if how == "error" {
		refuse(w, http.StatusInternalServerError, entry.Method+" always fails")
		return
	}
	entry, err = s.ledger.change(r.Context(), entry.Key, s.ledger.unanswered(entry, "void"), func(e *Entry) error {
		switch {
		case e.Status != authorised && e.Status != actionRequired:
			return nil
		case how == "declined":
			return &refusedError{"void-declined", "the gateway was told to decline this void"}
		case e.Final || e.Captured > 0 && e.Captured == e.Amount:
			return &refusedError{"already-captured", "nothing is held any more"}
		}
		e.Status, e.ActionURL = voided, ""
		return nil
	})
	if err != nil {
		fail(w, err)
		return
	}
	s.sender.nudge()
	if how == "timeout" {
		s.dawdle(r.Context())
	}
	answer(w, entry)
}

// page is where the shopper confirms a payment.
const page = `<!doctype html><html lang="en"><title>Sandbox bank</title>
<h1>Sandbox bank</h1><p>Do you want to pay? No money is moved.</p>
<form method="post"><button name="outcome" value="approve">Pay</button> <button name="outcome" value="decline">Cancel</button></form></html>
`

func (s *Server) showAction(w http.ResponseWriter, r *http.Request) {
	if _, err := s.ledger.findRef(r.Context(), r.PathValue("ref")); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, page) // the caller may have left
}

// act is the shopper deciding, once.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	outcome := r.FormValue("outcome")
	if outcome != "approve" && outcome != "decline" {
		refuse(w, http.StatusBadRequest, "the outcome is approve or decline")
		return
	}
	entry, err := s.ledger.findRef(r.Context(), r.PathValue("ref"))
	if err == nil {
		entry, err = s.Act(r.Context(), entry.Key, outcome == "approve")
	}
	if err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, entry.ReturnURL, http.StatusSeeOther)
}

// Act is the shopper confirming a payment or not. Whoever decided already has
// decided.
func (s *Server) Act(ctx context.Context, key string, approve bool) (Entry, error) {
	defer s.sender.nudge()
	return s.ledger.change(ctx, key, true, func(e *Entry) error {
		switch {
		case e.Status != actionRequired:
		case approve:
			e.Status, e.ExpiresAt, e.ActionURL = authorised, s.cfg.Now().Add(s.cfg.Expiry), ""
		default:
			e.ActionURL = ""
			e.Status, e.Code, e.Message = declined, "authentication-failed", "the shopper did not confirm the payment"
		}
		return nil
	})
}

// Expire is time being up for what is held.
func (s *Server) Expire(ctx context.Context, key string) error {
	defer s.sender.nudge()
	_, err := s.ledger.change(ctx, key, true, func(e *Entry) error {
		if e.Status == authorised {
			e.Status = expired
		}
		return nil
	})
	return err
}
