package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
)

// Client asks a sandbox gateway.
type Client struct {
	payment.Provider
	http *resty.Client
}

// ClientConfig is how a client behaves.
type ClientConfig struct {
	URL        string
	Protection payment.Protection
	Secret     string           // what callbacks are signed with
	Now        func() time.Time // needed for callbacks
	// Transport is the way there, see [Server.Direct]; nil makes connections.
	Transport http.RoundTripper
}

// NewClient returns a client of the gateway at a URL that waits at most so long
// for each answer and takes no callbacks. After ten failures in a row it stops
// asking for five seconds. A caller who leaves is no failure of the gateway.
func NewClient(baseURL string, timeout time.Duration) *Client {
	return Connect(ClientConfig{URL: baseURL, Protection: payment.Protection{Timeout: timeout}})
}

// Connect returns a client that behaves as configured.
func Connect(cfg ClientConfig) *Client {
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}
	}
	client := resty.New().SetTransport(cfg.Transport).SetBaseURL(cfg.URL).SetRedirectPolicy(resty.NoRedirectPolicy())
	return &Client{
		Provider: payment.Protect(&asker{http: client, secret: cfg.Secret, now: cfg.Now}, cfg.Protection),
		http:     client,
	}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// asker asks once each time.
type asker struct {
	http   *resty.Client
	secret string
	now    func() time.Time
}

// Authorise implements [payment.Gateway].
func (a *asker) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	if !strings.HasPrefix(request.Method, "sandbox:") {
		return payment.Authorisation{}, fmt.Errorf("%q: %w", request.Method, payment.ErrUnsupportedMethod)
	}
	body := authorisation{request.Amount.Amount, request.Amount.Currency, request.Method, request.ReturnURL}
	return a.entry(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetHeader("Idempotency-Key", request.Key).SetBody(body).Post("/v1/authorisations")
	})
}

// Find implements [payment.Gateway].
func (a *asker) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	return a.entry(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.Get("/v1/authorisations/" + url.PathEscape(key))
	})
}

// Void implements [payment.Gateway].
func (a *asker) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	return a.entry(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.Post("/v1/authorisations/" + url.PathEscape(key) + "/void")
	})
}

// Capture implements [payment.Collector].
func (a *asker) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return a.move(ctx, c.Key, "captures", c.ID, movement{c.Amount.Amount, c.Amount.Currency, c.Final})
}

// FindCapture implements [payment.Collector].
func (a *asker) FindCapture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return a.findMovement(ctx, c.Key, "captures", c.ID)
}

// Refund implements [payment.Collector].
func (a *asker) Refund(ctx context.Context, c payment.Refund) (payment.Movement, error) {
	return a.move(ctx, c.Key, "refunds", c.ID, movement{Amount: c.Amount.Amount, Currency: c.Amount.Currency})
}

// FindRefund implements [payment.Collector].
func (a *asker) FindRefund(ctx context.Context, c payment.Refund) (payment.Movement, error) {
	return a.findMovement(ctx, c.Key, "refunds", c.ID)
}

// Callback implements [payment.Listener].
func (a *asker) Callback(_ context.Context, header http.Header, body []byte) (payment.Callback, error) {
	if a.secret == "" {
		return payment.Callback{}, payment.ErrBadSignature
	}
	if err := verify(a.secret, header.Get(SignatureHeader), a.now(), body); err != nil {
		return payment.Callback{}, err
	}
	var c callback
	if err := json.Unmarshal(body, &c); err != nil || c.ID == "" {
		return payment.Callback{}, fmt.Errorf("%w: %w", payment.ErrBadCallback, err)
	}
	e := c.Authorisation
	told := payment.Callback{ID: c.ID, Kind: payment.CallbackKind(c.Kind), Key: e.Key, Ref: e.Ref, Authorisation: e.answer()}
	switch {
	case told.Kind == payment.TellsAuthorisation:
	case told.Kind == payment.TellsMovement && c.Movement != nil:
		told.Movement = c.Movement.answer()
	case told.Kind == payment.TellsChargeback && c.Chargeback != nil:
		told.Chargeback = payment.Chargeback{
			CaseRef: c.Chargeback.CaseRef, Amount: domain.Money{Amount: c.Chargeback.Amount, Currency: c.Chargeback.Currency},
		}
	default:
		told.Kind = payment.TellsOther
	}
	return told, nil
}

func (a *asker) entry(ctx context.Context, request func(*resty.Request) (*resty.Response, error)) (payment.Authorisation, error) {
	var e Entry
	if err := a.ask(ctx, request, &e); err != nil {
		return payment.Authorisation{}, err
	}
	return e.answer(), nil
}

func (a *asker) move(ctx context.Context, key, kind, id string, body movement) (payment.Movement, error) {
	var m Movement
	err := a.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetHeader("Idempotency-Key", id).SetBody(body).Post("/v1/authorisations/" + url.PathEscape(key) + "/" + kind)
	}, &m)
	if err != nil {
		return payment.Movement{}, err
	}
	return m.answer(), nil
}

func (a *asker) findMovement(ctx context.Context, key, kind, id string) (payment.Movement, error) {
	var m Movement
	err := a.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.Get("/v1/authorisations/" + url.PathEscape(key) + "/" + kind + "/" + url.PathEscape(id))
	}, &m)
	if err != nil {
		return payment.Movement{}, err
	}
	return m.answer(), nil
}

func (a *asker) ask(ctx context.Context, request func(*resty.Request) (*resty.Response, error), into any) error {
	var connected atomic.Bool // without a connection, nothing can have been sent
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	response, err := request(a.http.R().SetContext(ctx))
	switch {
	case err != nil && !connected.Load():
		return fmt.Errorf("%w: %w", payment.ErrNotSent, err)
	case err != nil:
		return fmt.Errorf("%w: %w: %w", payment.ErrUnknownOutcome, payment.ErrHungUp, err)
	case response.StatusCode() >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %w: status %d", payment.ErrUnknownOutcome, payment.ErrFailed, response.StatusCode())
	case response.StatusCode() == http.StatusNotFound:
		return payment.ErrNotFound
	case response.StatusCode() == http.StatusUnprocessableEntity:
		return payment.ErrUnsupportedMethod
	case response.StatusCode() != http.StatusOK:
		return refused(response)
	}
	if err := json.Unmarshal(response.Body(), into); err != nil {
		return fmt.Errorf("%w: %w", payment.ErrUnknownOutcome, err)
	}
	return nil
}

func refused(response *resty.Response) error {
	var body refusalBody
	err := fmt.Errorf("the gateway refused with %d: %s", response.StatusCode(), response.Body())
	if json.Unmarshal(response.Body(), &body) == nil && body.Code != "" {
		return errors.Join(&payment.RefusedError{Code: body.Code, Message: body.Error}, err)
	}
	return err
}

func (e Entry) answer() payment.Authorisation {
	money := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: e.Currency} }
	return payment.Authorisation{
		Ref: e.Ref, Status: payment.Status(e.Status), Amount: money(e.Amount), Code: e.Code, Message: e.Message,
		ExpiresAt: e.ExpiresAt, ActionURL: e.ActionURL, Captured: money(e.Captured), Refunded: money(e.Refunded),
	}
}

func (m Movement) answer() payment.Movement {
	return payment.Movement{
		Kind: payment.Kind(m.Kind), ID: m.ID, Ref: m.Ref, Status: payment.MovementStatus(m.Status),
		Amount: domain.Money{Amount: m.Amount, Currency: m.Currency}, Code: m.Code, Message: m.Message,
	}
}
