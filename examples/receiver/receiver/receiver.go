// Package receiver is a partner's side of Waybill's webhooks, as an example to
// copy from: it verifies each callback with the Standard Webhooks library,
// recognises repeats by webhook-id, and finds gaps by sequence and previous.
// It keeps its account in a file, written before it answers 200, so that what
// it acknowledged survives its own end. It uses nothing of Waybill's code.
package receiver

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Verdict is what the receiver makes of a callback.
type Verdict string

// What a callback can be.
const (
	Accepted  Verdict = "accepted"          // the next of its order
	Duplicate Verdict = "duplicate"         // seen before: answered 200 and ignored
	Gap       Verdict = "gap"               // something before it is missing
	Forged    Verdict = "invalid signature" // answered 401
	Malformed Verdict = "malformed"         // answered 400
)

// Callback is a received callback with its verdict.
type Callback struct {
	Verdict  Verdict   `json:"verdict"`
	ID       string    `json:"id"`
	Type     string    `json:"type,omitempty"`
	Lane     string    `json:"lane,omitempty"` // "order/<id>"
	Sequence int64     `json:"sequence,omitempty"`
	Attempt  string    `json:"attempt,omitempty"`
	Received time.Time `json:"received"`
	Detail   string    `json:"detail,omitempty"`
}

// Report is the receiver's account.
type Report struct {
	Received     int              `json:"received"` // with valid signature
	Unique       int              `json:"unique"`
	Duplicates   int              `json:"duplicates"`
	Gaps         int              `json:"gaps"`
	Forged       int              `json:"invalid_signatures"`
	Malformed    int              `json:"malformed"`
	LastSequence map[string]int64 `json:"last_sequence"` // by lane
}

// Receiver verifies and accounts for callbacks. It may be used by many
// goroutines.
type Receiver struct {
	// Tell is told each callback in the order of its account; may be nil.
	Tell func(Callback)
	Now  func() time.Time

	mu        sync.Mutex
	verifiers []*standardwebhooks.Webhook
	journal   io.Writer
	seen      map[string]bool
	report    Report
}

// New returns a receiver for the secrets of one or more endpoints. It reads
// its account from the journal, a file opened for reading and appending, and
// goes on with it; a nil journal keeps the account in memory.
func New(journal io.ReadWriter, secrets ...string) (*Receiver, error) {
	r := &Receiver{Now: time.Now, seen: map[string]bool{}, report: Report{LastSequence: map[string]int64{}}}
	for _, secret := range secrets {
		if err := r.AddSecret(secret); err != nil {
			return nil, err
		}
	}
	if journal == nil {
		return r, nil
	}
	r.journal = journal
	return r, r.restore(journal)
}

// AddSecret lets the receiver accept what is signed with one more secret: an
// endpoint has two while its secret is rotated.
func (r *Receiver) AddSecret(secret string) error {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return fmt.Errorf("secret is not whsec_ and base64: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verifiers = append(r.verifiers, verifier)
	return nil
}

// restore reads the journal. A line cut short by the receiver's end was never
// acknowledged and is ended here, so that the next one stands alone.
func (r *Receiver) restore(journal io.ReadWriter) error {
	lines := bufio.NewReader(journal)
	for {
		line, err := lines.ReadBytes('\n')
		var c Callback
		if json.Unmarshal(line, &c) == nil {
			r.account(c)
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			_, err = journal.Write([]byte{'\n'})
			return err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the journal: %w", err)
		}
	}
}

// Report returns the account so far.
func (r *Receiver) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.report
	report.LastSequence = maps.Clone(r.report.LastSequence)
	return report
}

// maxBody is above the largest message that is ever sent, 256 KiB.
const maxBody = 512 << 10

// ServeHTTP receives a callback by POST, and shows the report by GET.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r.Report()) // the reader may have left
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, "body could not be read", http.StatusBadRequest)
		return
	}
	status, err := r.receive(request.Header, body)
	if err != nil {
		http.Error(w, err.Error(), status)
	}
}

// message is the part of a callback that order and identity rest on.
type message struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Aggregate struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"aggregate"`
	Sequence int64  `json:"sequence"`
	Previous *int64 `json:"previous"`
}

func (r *Receiver) receive(header http.Header, body []byte) (status int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Callback{ID: header.Get("Webhook-Id"), Attempt: header.Get("Webhook-Attempt"), Received: r.Now().UTC()}
	if err := r.verify(header, body); err != nil {
		c.Verdict, c.Detail = Forged, err.Error()
		return http.StatusUnauthorized, errors.Join(errors.New("signature does not verify"), r.keep(c))
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil || m.ID != c.ID {
		c.Verdict, c.Detail = Malformed, "the body is not the message that webhook-id names"
		return http.StatusBadRequest, errors.Join(errors.New(c.Detail), r.keep(c))
	}
	c.Type, c.Lane, c.Sequence = m.Type, m.Aggregate.Type+"/"+m.Aggregate.ID, m.Sequence
	c.Verdict = r.judge(m, c)
	if err := r.keep(c); err != nil {
		return http.StatusInternalServerError, err // not acknowledged: it comes again
	}
	return http.StatusOK, nil
}

func (r *Receiver) verify(header http.Header, body []byte) (err error) {
	err = errors.New("no secret is known")
	for _, verifier := range r.verifiers {
		if err = verifier.Verify(body, header); err == nil {
			return nil
		}
	}
	return err
}

// judge compares the message with the last of its lane: previous is the
// sequence of the message before it that this endpoint was sent.
func (r *Receiver) judge(m message, c Callback) Verdict {
	if r.seen[m.ID] {
		return Duplicate
	}
	previous := int64(0)
	if m.Previous != nil {
		previous = *m.Previous
	}
	if previous != r.report.LastSequence[c.Lane] {
		return Gap
	}
	return Accepted
}

// keep writes a callback to the journal before it counts.
func (r *Receiver) keep(c Callback) error {
	if r.journal != nil {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
		if _, err := r.journal.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
	}
	r.account(c)
	if r.Tell != nil {
		r.Tell(c)
	}
	return nil
}

func (r *Receiver) account(c Callback) {
	switch c.Verdict {
	case Forged:
		r.report.Forged++
		return
	case Malformed:
		r.report.Malformed++
		return
	case Duplicate:
		r.report.Received++
		r.report.Duplicates++
		return
	case Gap:
		r.report.Gaps++
	case Accepted:
	}
	r.report.Received++
	r.report.Unique++
	r.seen[c.ID] = true
	r.report.LastSequence[c.Lane] = max(r.report.LastSequence[c.Lane], c.Sequence)
}
