// Package remote is what the clients of other systems over HTTP have in common:
// JSON both ways, a key that tells a repeat, a deadline, and the difference
// between a system that is away ([ErrAway]) and one that refuses
// ([ErrRefused]). It repeats nothing on its own account and must not know what
// is asked.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// What a call may fail with.
var (
	// ErrAway says that there was no answer, or one that it may pass: what was
	// asked may have happened, and is to be asked again with the same key.
	ErrAway = errors.New("the other system does not answer")
	// ErrDown is an [ErrAway] that has nothing to do with what was asked: nobody
	// answered, or somebody in front of the system, or it does not let us in.
	ErrDown = fmt.Errorf("%w at all", ErrAway)
	// ErrRefused says that it does not take this, however often it is asked.
	ErrRefused = errors.New("the other system refuses")
)

// Config is where a system is.
type Config struct {
	URL     string
	Token   string        // of the header Authorization: Bearer; empty sends none
	Timeout time.Duration // of one call; 0 is 10 s
	// Header are sent with every call.
	Header map[string]string
}

// Client calls a system. It may be used by many goroutines.
type Client struct{ http *resty.Client }

// Connect returns a client. Nothing is called.
func Connect(cfg Config) *Client {
	const timeout, idle, kept = 10 * time.Second, 30 * time.Second, 32
	if cfg.Timeout == 0 {
		cfg.Timeout = timeout
	}
	client := resty.New().SetTransport(&http.Transport{MaxIdleConnsPerHost: kept, IdleConnTimeout: idle, Proxy: http.ProxyFromEnvironment}).
		SetBaseURL(strings.TrimRight(cfg.URL, "/")).SetTimeout(cfg.Timeout).SetRedirectPolicy(resty.NoRedirectPolicy()).
		SetHeader("User-Agent", "waybill").SetHeaders(cfg.Header).SetResponseBodyLimit(1 << 20)
	if cfg.Token != "" {
		client.SetAuthToken(cfg.Token)
	}
	return &Client{client}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// Call is one request.
type Call struct {
	Method string
	Path   string
	Key    string // the same on every repeat; empty sends none
	Header map[string]string
	Query  map[string]string
	Body   any // nil sends none
	Into   any // what the answer is read into; may be nil
	// Fine are statuses beyond 2xx that are as good: 409 where it says that
	// something newer is there, for example.
	Fine []int
}

// Do asks once.
func (c *Client) Do(ctx context.Context, call Call) (status int, err error) {
	request := c.http.R().SetContext(ctx).SetHeaders(call.Header).SetQueryParams(call.Query)
	if call.Body != nil {
		request.SetBody(call.Body)
	}
	if call.Into != nil {
		request.SetResult(call.Into)
	}
	if call.Key != "" {
		request.SetHeader("Idempotency-Key", call.Key)
	}
	response, err := request.Execute(call.Method, call.Path)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %s: %w", ErrDown, call.Method, call.Path, err)
	}
	status = response.StatusCode()
	if response.IsSuccess() || slices.Contains(call.Fine, status) {
		return status, nil
	}
	// The body may repeat what was sent, and this is logged.
	switch {
	case down(status):
		return status, fmt.Errorf("%w: %s %s: status %d", ErrDown, call.Method, call.Path, status)
	case passing(status):
		return status, fmt.Errorf("%w: %s %s: status %d", ErrAway, call.Method, call.Path, status)
	}
	return status, fmt.Errorf("%w: %s %s: status %d", ErrRefused, call.Method, call.Path, status)
}

// down are answers that are the same whatever is asked.
func down(status int) bool {
	return slices.Contains([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, status)
}

// passing are answers that may be another one later. One about our account is
// for the operator, and what waits for it is not to be given up meanwhile.
func passing(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError || status < http.StatusBadRequest
}
