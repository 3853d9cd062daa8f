// Package callback posts single messages to an address that a caller named
// with a request, signed as Standard Webhooks says. It promises that only
// allowed addresses are called. It keeps nothing and retries nothing: whoever
// uses it does, durably.
package callback

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Sender posts callbacks. All fields are required.
type Sender struct {
	Client  *resty.Client // of webhooks/guard
	Policy  address.Policy
	Sealer  webhooks.Sealer
	Derive  func(name string) []byte // 32 bytes that belong to a name, for ever
	Timeout time.Duration            // of an attempt; 0 means 20 s
	Now     func() time.Time
}

// Message is what is posted.
type Message struct {
	ID      string // the same on every attempt
	URL     string
	Secret  signing.Secret
	Body    []byte
	Attempt int // from 1
}

// Check reports everything that is wrong with a URL.
func (s *Sender) Check(url string) []domain.Mistake { return s.Policy.CheckURL(url) }

// SecretOf returns the secret of callers who named none of their own: it
// follows from their id and never changes.
func (s *Sender) SecretOf(owner string) (signing.Secret, error) {
	return signing.SecretOf(s.Derive("callback secret of " + owner))
}

// Seal encrypts a caller's own secret, for whatever it belongs to.
func (s *Sender) Seal(of string, secret signing.Secret) ([]byte, error) {
	return s.Sealer.Seal(secret.Key(), []byte("callback "+of))
}

// Open decrypts what Seal made for the same.
func (s *Sender) Open(of string, sealed []byte) (signing.Secret, error) {
	key, err := s.Sealer.Open(sealed, []byte("callback "+of))
	if err != nil {
		return signing.Secret{}, fmt.Errorf("open the callback secret of %s: %w", of, err)
	}
	return signing.SecretOf(key)
}

const mostOfAnswer = 64 << 10 // bytes that are read of an answer's body

// Post makes one attempt. What follows from the answer is its verdict.
func (s *Sender) Post(ctx context.Context, m Message) (delivery.Verdict, delivery.Answer) {
	if len(s.Policy.CheckURL(m.URL)) > 0 {
		return judged(delivery.Answer{Class: delivery.ClassBlocked})
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	at := s.Now()
	response, err := s.Client.R().SetContext(ctx).SetDoNotParseResponse(true).SetBody(m.Body).
		SetHeader("Content-Type", "application/json").
		SetHeader("User-Agent", "Waybill-Webhooks/1").
		SetHeader(signing.HeaderID, m.ID).
		SetHeader(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10)).
		SetHeader(signing.HeaderSignature, m.Secret.Sign(m.ID, at, m.Body)).
		SetHeader("webhook-attempt", strconv.Itoa(m.Attempt)).
		Post(m.URL)
	if err != nil {
		return judged(delivery.Answer{Class: webhooks.Classify(err)})
	}
	raw := response.RawBody()
	_, _ = io.CopyN(io.Discard, raw, mostOfAnswer) // so that the connection can be used again
	_ = raw.Close()
	return judged(delivery.Answer{
		Status: response.StatusCode(), RetryAfter: delivery.RetryAfter(response.Header().Get("Retry-After"), at),
		Directive: response.Header().Get("Webhook-Delivery"),
	})
}

func judged(a delivery.Answer) (delivery.Verdict, delivery.Answer) {
	verdict, class := delivery.Judge(a)
	a.Class = class
	return verdict, a
}
