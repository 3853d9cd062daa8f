// Package client calls Waybill's HTTP API from Go: the import, the benchmark
// and the demonstration use it, and a shop written in Go can. It promises one
// method per route and a [*Problem] for every refusal. It imports nothing else
// of Waybill, because it stands on the other side of the wire.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
)

// Client calls one installation with one API key. It may be used by many
// goroutines.
type Client struct{ http *resty.Client }

// New returns a client of the API at a base URL such as http://127.0.0.1:8080.
func New(baseURL, apiKey string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second, Proxy: http.ProxyFromEnvironment}
	return NewOver(transport, baseURL, apiKey)
}

// NewOver returns a client whose requests go by a transport of the caller's.
func NewOver(transport http.RoundTripper, baseURL, apiKey string) *Client {
	return &Client{http: resty.New().SetTransport(transport).SetBaseURL(baseURL).SetAuthToken(apiKey).
		SetTimeout(60*time.Second).SetHeader("User-Agent", "waybill-client")}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// Problem is a refusal: an RFC 9457 problem document.
type Problem struct {
	Type    string    `json:"type"`
	Title   string    `json:"title"`
	Status  int       `json:"status"`
	Detail  string    `json:"detail"`
	TraceID string    `json:"trace_id"`
	Errors  []Mistake `json:"errors"`
	// ETag is the present one of what was to be changed, where the answer says
	// so.
	ETag string `json:"etag"`
	// RetryAfter is how long to wait before the request is repeated; 0 where
	// the answer did not say.
	RetryAfter time.Duration `json:"-"`
}

// Mistake is one thing that is wrong with a request.
type Mistake struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s: %s", p.Status, p.Title, p.Detail)
	for _, m := range p.Errors {
		fmt.Fprintf(&text, "; %s %s", m.Pointer, m.Detail)
	}
	return text.String()
}

// Temporary reports whether the same request may succeed later.
func (p *Problem) Temporary() bool {
	return p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests ||
		(p.Status == http.StatusConflict && p.RetryAfter > 0)
}

// do sends one request and decodes a 2xx answer into out, if there is one.
func (c *Client) do(ctx context.Context, method, path, key string, in, out any) (*resty.Response, error) {
	return c.send(ctx, c.http.R(), method, path, key, in, out)
}

// send is do for a request that has headers of its own.
func (c *Client) send(
	ctx context.Context, request *resty.Request, method, path, key string, in, out any,
) (*resty.Response, error) {
	request.SetContext(ctx)
	if in != nil {
		request.SetBody(in)
	}
	if key != "" {
		request.SetHeader("Idempotency-Key", key)
	}
	response, err := request.Execute(method, path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode() >= http.StatusMultipleChoices {
		return response, problemOf(response)
	}
	if out == nil || len(response.Body()) == 0 {
		return response, nil
	}
	if err := json.Unmarshal(response.Body(), out); err != nil {
		return response, fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return response, nil
}

func problemOf(response *resty.Response) error {
	problem := &Problem{}
	if json.Unmarshal(response.Body(), problem) != nil || problem.Title == "" {
		problem.Title, problem.Detail = response.Status(), string(response.Body()[:min(len(response.Body()), 200)])
	}
	problem.Status = response.StatusCode()
	if seconds, err := strconv.Atoi(response.Header().Get("Retry-After")); err == nil {
		problem.RetryAfter = time.Duration(seconds) * time.Second
	}
	return problem
}
