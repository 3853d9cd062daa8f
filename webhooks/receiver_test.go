package webhooks_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// received is one request that came to a receiver.
type received struct {
	Header http.Header
	Body   []byte
	Message
	Status int // answered
}

// Message is what a partner reads.
type Message struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Version   int    `json:"version"`
	Aggregate struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"aggregate"`
	Sequence int             `json:"sequence"`
	Previous *int            `json:"previous"`
	Cursor   string          `json:"cursor"`
	Data     json.RawMessage `json:"data"`
}

// receiver is a partner's server. It checks what it can of each request.
type receiver struct {
	*httptest.Server
	tb testing.TB

	mu       sync.Mutex
	secret   string
	requests []received
	// answer decides on a request; nil answers 200. It may write by itself and
	// return 0.
	answer func(w http.ResponseWriter, r *http.Request, m received) int
}

func newReceiver(tb testing.TB, answer func(http.ResponseWriter, *http.Request, received) int) *receiver {
	tb.Helper()
	r := &receiver{tb: tb, answer: answer}
	r.Server = httptest.NewServer(r)
	tb.Cleanup(r.Close)
	return r
}

func (r *receiver) verifyWith(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off
	}
	m := received{Header: req.Header, Body: body}
	if err := json.Unmarshal(body, &m.Message); err != nil {
		r.tb.Errorf("body %q: %v", body, err)
	}
	r.verify(m)
	m.Status = http.StatusOK
	if r.answer != nil {
		m.Status = r.answer(w, req, m)
	}
	r.mu.Lock()
	r.requests = append(r.requests, m)
	r.mu.Unlock()
	if m.Status > 0 {
		w.WriteHeader(m.Status)
	}
}

func (r *receiver) verify(m received) {
	r.mu.Lock()
	secret := r.secret
	r.mu.Unlock()
	if secret == "" {
		return
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err == nil {
		err = verifier.Verify(m.Body, m.Header)
	}
	if err != nil {
		r.tb.Errorf("signature of %s: %v", m.ID, err)
	}
	if m.ID != m.Header.Get("Webhook-Id") {
		r.tb.Errorf("ids %s and %s", m.ID, m.Header.Get("Webhook-Id"))
	}
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.requests...)
}

// accepted returns the ids of messages that were answered with 2xx, by
// aggregate, in the order of their first acceptance.
func (r *receiver) accepted() map[string][]string {
	ids, seen := map[string][]string{}, map[string]bool{}
	for _, m := range r.all() {
		if m.Status >= 200 && m.Status < 300 && !seen[m.ID] {
			seen[m.ID] = true
			ids[m.Aggregate.ID] = append(ids[m.Aggregate.ID], m.ID)
		}
	}
	return ids
}

func (r *receiver) count() int {
	n := 0
	for _, ids := range r.accepted() {
		n += len(ids)
	}
	return n
}
