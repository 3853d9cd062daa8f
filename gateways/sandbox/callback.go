package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// SignatureHeader is the header that signs a callback: "t=<seconds>,v1=<hex>",
// HMAC-SHA256 of the seconds, a dot and the body.
const SignatureHeader = "Sandbox-Signature"

// tolerance is how old a callback may be.
const tolerance = 5 * time.Minute

// callback is the body of one.
type callback struct {
	ID            string      `json:"id"`
	Kind          string      `json:"kind"`
	At            time.Time   `json:"at"`
	Authorisation Entry       `json:"authorisation"`
	Movement      *Movement   `json:"movement,omitempty"`
	Chargeback    *chargeback `json:"chargeback,omitempty"`
}

type chargeback struct {
	CaseRef  string `json:"case_ref"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func aboutEntry(e Entry) callback {
	return callback{ID: callbackID(e.Key, e.Status), Kind: string(payment.TellsAuthorisation), Authorisation: e}
}

func aboutMovement(e Entry, m Movement) callback {
	return callback{ID: callbackID(e.Key, m.Kind, m.ID), Kind: string(payment.TellsMovement), Authorisation: e, Movement: &m}
}

func aboutChargeback(e Entry, c chargeback) callback {
	return callback{ID: callbackID(e.Key, c.CaseRef), Kind: string(payment.TellsChargeback), Authorisation: e, Chargeback: &c}
}

func callbackID(parts ...string) string {
	return "cb_" + uuid.NewSHA1(uuid.NameSpaceOID, []byte(strings.Join(parts, "\n"))).String()
}

// Sign returns the value of [SignatureHeader] for a body.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac(secret, seconds, body))
}

func mac(secret, seconds string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(seconds + "."))
	h.Write(body)
	return h.Sum(nil)
}

// verify refuses what was not signed with the secret, or long ago. Without a
// secret nothing is believed.
func verify(secret, header string, now time.Time, body []byte) error {
	seconds, signature, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || secret == "" {
		return payment.ErrBadSignature
	}
	got, err := hex.DecodeString(signature)
	if err != nil || !hmac.Equal(got, mac(secret, seconds, body)) {
		return payment.ErrBadSignature
	}
	if age := now.Sub(time.Unix(at, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: it is %v old", payment.ErrBadSignature, age)
	}
	return nil
}

// sender delivers callbacks, the oldest first and each until it is taken.
type sender struct {
	secret string
	ledger *ledger
	http   *http.Client
	wake   chan struct{}
	done   chan struct{}
}

// Delays between two tries of a callback.
const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = 10 * time.Second
)

func newSender(cfg Config, book *ledger) *sender {
	return &sender{
		secret: cfg.CallbackSecret, ledger: book,
		http: &http.Client{Timeout: 5 * time.Second}, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// nudge says that there may be something to send.
func (s *sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends until the context ends.
func (s *sender) run(ctx context.Context) {
	defer close(s.done)
	delay := firstDelay
	for {
		sent, err := s.next(ctx)
		switch {
		case sent:
			delay = firstDelay
			continue
		case err == nil: // nothing is there
			select {
			case <-s.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		timer := time.NewTimer(delay)
		delay = min(2*delay, lastDelay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// next sends the oldest callback, if there is one.
func (s *sender) next(ctx context.Context) (sent bool, err error) {
	if s.ledger.callbackURL() == "" {
		return false, nil
	}
	var number int64
	var body []byte
	row := s.ledger.db.Read.QueryRowContext(ctx, `SELECT number, body FROM callbacks ORDER BY number LIMIT 1`)
	if err := row.Scan(&number, &body); errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := s.post(ctx, body); err != nil {
		return false, err
	}
	_, err = s.ledger.db.Write.ExecContext(ctx, `DELETE FROM callbacks WHERE number = ?`, number)
	return err == nil, err
}

// first sends the callback about an entry before anything else happens. What
// cannot be sent is kept.
func (s *sender) first(ctx context.Context, e Entry) error {
	c := aboutEntry(e)
	c.At = s.ledger.now()
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if s.post(ctx, body) == nil {
		return nil
	}
	defer s.nudge()
	return s.ledger.db.Tx(ctx, func(tx *sql.Tx) error { return s.ledger.tell(ctx, tx, c) })
}

func (s *sender) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ledger.callbackURL(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(SignatureHeader, Sign(s.secret, s.ledger.now(), body))
	response, err := s.http.Do(request) //nolint:gosec // the address is from the settings
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the callback was answered with %d", response.StatusCode)
	}
	return nil
}
