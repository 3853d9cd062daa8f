// Package stripe is Stripe as a payment gateway: PaymentIntents that are
// captured by hand. The key of an authorisation, the id of a capture and that
// of a refund are Stripe's idempotency keys, and are kept in its metadata too,
// because Stripe forgets idempotency keys after a day. It promises to ask once
// for each call: the library's own retries are off. It must know nothing of
// orders.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	sdk "github.com/stripe/stripe-go/v85"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// Prefix is what methods of this gateway begin with. The rest is the id of one
// of Stripe's payment methods: "stripe:pm_card_visa".
const Prefix = "stripe:"

// Config is how Stripe is reached.
type Config struct {
	Key           string        // the secret key of the account
	WebhookSecret string        // whsec_...; without it no callback is believed
	Timeout       time.Duration // of each request; 0 means 10 s
	URL           string        // of another Stripe, for tests; empty is the real one
	Now           func() time.Time
}

// Gateway asks Stripe. It implements [payment.Provider]; [payment.Protect]
// keeps it from being asked too much.
type Gateway struct {
	cfg    Config
	client *sdk.Client
	http   *http.Client
	// refs remembers Stripe's ids by our keys, so that the payments of the last
	// minutes need not be searched for.
	refs *lru.Cache[string, string]
}

var _ payment.Provider = (*Gateway)(nil)

const rememberedRefs = 10_000

// New returns a gateway that uses an account.
func New(cfg Config) (*Gateway, error) {
	if cfg.Key == "" || cfg.Now == nil {
		return nil, errors.New("stripe: a secret key and a clock are needed")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	refs, err := lru.New[string, string](rememberedRefs)
	if err != nil {
		return nil, fmt.Errorf("remember payment intents: %w", err)
	}
	client := &http.Client{Timeout: cfg.Timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
	}}
	backend := &sdk.BackendConfig{
		HTTPClient: client, MaxNetworkRetries: sdk.Int64(0), EnableTelemetry: new(false),
		// Its log would hold what Stripe says of the shopper.
		LeveledLogger: &sdk.LeveledLogger{Level: sdk.LevelNull},
	}
	if cfg.URL != "" {
		backend.URL = new(cfg.URL)
	}
	return &Gateway{
		cfg: cfg, http: client, refs: refs,
		client: sdk.NewClient(cfg.Key, sdk.WithBackends(sdk.NewBackendsWithConfig(backend))),
	}, nil
}

// Close closes the connections that are kept open.
func (g *Gateway) Close() { g.http.CloseIdleConnections() }

// ask asks Stripe once. The error is [payment.ErrUnknownOutcome] or
// [payment.ErrNotSent], or a *sdk.Error with which Stripe said no for certain.
func ask[A any](ctx context.Context, do func(context.Context) (A, error)) (A, error) {
	var none A
	var connected atomic.Bool // without a connection, nothing can have been sent
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	answer, err := do(ctx)
	if err == nil {
		return answer, nil
	}
	var said *sdk.Error
	switch {
	case !errors.As(err, &said) && !connected.Load():
		return none, fmt.Errorf("%w: %w", payment.ErrNotSent, err)
	case !errors.As(err, &said):
		return none, fmt.Errorf("%w: %w: %w", payment.ErrUnknownOutcome, payment.ErrHungUp, err)
	case notDone(said):
		return none, fmt.Errorf("%w: %s", payment.ErrNotSent, words(said))
	case said.HTTPStatusCode >= http.StatusInternalServerError:
		return none, fmt.Errorf("%w: %w: %s", payment.ErrUnknownOutcome, payment.ErrFailed, words(said))
	case unclear(said):
		return none, fmt.Errorf("%w: %s", payment.ErrUnknownOutcome, words(said))
	}
	return none, said
}

// notDone reports whether Stripe turned a request away before looking at it:
// too many requests, or a key that is not good.
func notDone(e *sdk.Error) bool {
	switch e.HTTPStatusCode {
	case http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return false
}

// unclear reports whether Stripe may have acted all the same: another request
// with the same key is under way or was made with other words.
func unclear(e *sdk.Error) bool {
	return e.HTTPStatusCode == http.StatusConflict || e.Type == sdk.ErrorTypeIdempotency
}

// words tells an error without what Stripe knows of the shopper.
func words(e *sdk.Error) string {
	return fmt.Sprintf("stripe answered %d %s %s, request %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
}

// code is why Stripe said no, for programs.
func code(e *sdk.Error) string {
	for _, c := range []string{string(e.DeclineCode), string(e.Code), string(e.Type)} {
		if c != "" {
			return c
		}
	}
	return "refused"
}

// gone reports whether what was asked about is not there.
func gone(e *sdk.Error) bool {
	return e.HTTPStatusCode == http.StatusNotFound || e.Code == sdk.ErrorCodeResourceMissing
}

// said returns Stripe's own refusal.
func said(err error) (*sdk.Error, bool) {
	var e *sdk.Error
	return e, errors.As(err, &e)
}

// found makes a plain error of a refusal to tell something.
func found(err error) error {
	e, refused := said(err)
	switch {
	case !refused:
		return err
	case gone(e):
		return payment.ErrNotFound
	}
	return errors.New(words(e))
}

// method returns the id of Stripe's payment method.
func method(m string) (string, error) {
	id, ours := strings.CutPrefix(m, Prefix)
	if !ours || id == "" {
		return "", fmt.Errorf("%q: %w", m, payment.ErrUnsupportedMethod)
	}
	return id, nil
}
