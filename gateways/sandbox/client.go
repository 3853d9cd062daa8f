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

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/go-resty/resty/v2"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/gateways/payment"
)

// Client asks a sandbox gateway. It implements [payment.Gateway].
type Client struct {
	http    *resty.Client
	breaker circuitbreaker.CircuitBreaker[*resty.Response]
}

// NewClient returns a client of the gateway at a URL that waits at most so long
// for each answer. After ten failures in a row it stops asking for five
// seconds. A caller who leaves is no failure of the gateway.
func NewClient(baseURL string, timeout time.Duration) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}
	return &Client{
		http: resty.New().SetTransport(transport).SetBaseURL(baseURL).SetTimeout(timeout).SetRedirectPolicy(resty.NoRedirectPolicy()),
		breaker: circuitbreaker.NewBuilder[*resty.Response]().
			HandleIf(func(response *resty.Response, err error) bool {
				if err != nil {
					return !errors.Is(err, context.Canceled)
				}
				return response.StatusCode() >= http.StatusInternalServerError
			}).
			WithFailureThreshold(10).WithDelay(5 * time.Second).Build(),
	}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// Authorise implements [payment.Gateway].
func (c *Client) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	if !strings.HasPrefix(request.Method, "sandbox:") {
		return payment.Authorisation{}, fmt.Errorf("%q: %w", request.Method, payment.ErrUnsupportedMethod)
	}
	body := authorisation{Amount: request.Amount.Amount, Currency: request.Amount.Currency, Method: request.Method}
	return c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetHeader("Idempotency-Key", request.Key).SetBody(body).Post("/v1/authorisations")
	})
}

// Find implements [payment.Gateway].
func (c *Client) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	return c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.Get("/v1/authorisations/" + url.PathEscape(key))
	})
}

// Void implements [payment.Gateway].
func (c *Client) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	return c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.Post("/v1/authorisations/" + url.PathEscape(key) + "/void")
	})
}

func (c *Client) ask(ctx context.Context, request func(*resty.Request) (*resty.Response, error)) (payment.Authorisation, error) {
	var connected atomic.Bool // without a connection, nothing can have been sent
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	response, err := failsafe.With(c.breaker).Get(func() (*resty.Response, error) {
		return request(c.http.R().SetContext(ctx))
	})
	switch {
	case errors.Is(err, circuitbreaker.ErrOpen):
		return payment.Authorisation{}, payment.ErrNotSent
	case err != nil && !connected.Load():
		return payment.Authorisation{}, fmt.Errorf("%w: %w", payment.ErrNotSent, err)
	case err != nil:
		return payment.Authorisation{}, fmt.Errorf("%w: %w", payment.ErrUnknownOutcome, err)
	case response.StatusCode() >= http.StatusInternalServerError:
		return payment.Authorisation{}, fmt.Errorf("%w: status %d", payment.ErrUnknownOutcome, response.StatusCode())
	case response.StatusCode() == http.StatusNotFound:
		return payment.Authorisation{}, payment.ErrNotFound
	case response.StatusCode() == http.StatusUnprocessableEntity:
		return payment.Authorisation{}, payment.ErrUnsupportedMethod
	case response.StatusCode() != http.StatusOK:
		return payment.Authorisation{}, fmt.Errorf("the gateway refused with %d: %s", response.StatusCode(), response.Body())
	}
	var entry Entry
	if err := json.Unmarshal(response.Body(), &entry); err != nil {
		return payment.Authorisation{}, fmt.Errorf("%w: %w", payment.ErrUnknownOutcome, err)
	}
	return payment.Authorisation{
		Ref: entry.Ref, Status: payment.Status(entry.Status), Amount: domain.Money{Amount: entry.Amount, Currency: entry.Currency},
		Code: entry.Code, Message: entry.Message, ExpiresAt: entry.ExpiresAt,
	}, nil
}
