package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/timeout"
	"github.com/go-resty/resty/v2"
)

// Config is how a client behaves. The zero value of each setting means the one
// named.
type Config struct {
	URL      string        // of the warehouse's system
	Timeout  time.Duration // of each call: 5 s
	Failures uint          // this many in a row, and it is not asked for a while: 10
	Pause    time.Duration // for how long: 5 s
	AtOnce   uint          // calls under way: 32
}

// Client asks a warehouse's system over HTTP, see docs/warehouse.md. It repeats
// nothing on its own account.
type Client struct {
	http     *resty.Client
	executor failsafe.Executor[any]
}

// Connect returns a client of the system at a URL.
func Connect(cfg Config) *Client {
	cfg.Timeout, cfg.Pause = cmp.Or(cfg.Timeout, 5*time.Second), cmp.Or(cfg.Pause, 5*time.Second)
	cfg.Failures, cfg.AtOnce = cmp.Or(cfg.Failures, 10), cmp.Or(cfg.AtOnce, 32)
	transport := &http.Transport{MaxIdleConnsPerHost: int(cfg.AtOnce), IdleConnTimeout: 30 * time.Second} //nolint:gosec // a small number
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(cfg.Failures).WithDelay(cfg.Pause).Build()
	return &Client{
		http:     resty.New().SetTransport(transport).SetBaseURL(cfg.URL).SetRedirectPolicy(resty.NoRedirectPolicy()),
		executor: failsafe.With(bulkhead.New[any](cfg.AtOnce), breaker, timeout.New[any](cfg.Timeout)),
	}
}

// Close closes the connections that are kept open.
func (c *Client) Close() { c.http.GetClient().CloseIdleConnections() }

// Submit implements [Warehouse].
func (c *Client) Submit(ctx context.Context, job Job) error {
	return c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetHeader("Idempotency-Key", job.RequestID).SetBody(job).Post("/v1/jobs")
	})
}

// Decision is the body of what stops or resumes a job.
type Decision struct {
	Revision int `json:"revision"` // of what was decided; a lower one than was heard before changes nothing
}

// Stop implements [Warehouse].
func (c *Client) Stop(ctx context.Context, requestID string, revision int) (Stopped, error) {
	var state State
	err := c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetResult(&state).SetBody(Decision{revision}).Post("/v1/jobs/" + url.PathEscape(requestID) + "/stop")
	})
	if err != nil {
		return "", err
	}
	if s := Stopped(state.Status); s == Done || s == Picked {
		return s, nil
	}
	return "", fmt.Errorf("%w: it answered that the job is %q", ErrAway, state.Status)
}

// Resume implements [Warehouse].
func (c *Client) Resume(ctx context.Context, requestID string, revision int) error {
	return c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		return r.SetBody(Decision{revision}).Post("/v1/jobs/" + url.PathEscape(requestID) + "/resume")
	})
}

// Look implements [Warehouse].
func (c *Client) Look(ctx context.Context, requestID string) (State, error) {
	var state State
	unknown := false
	err := c.ask(ctx, func(r *resty.Request) (*resty.Response, error) {
		response, err := r.SetResult(&state).Get("/v1/jobs/" + url.PathEscape(requestID))
		unknown = err == nil && response.StatusCode() == http.StatusNotFound
		return response, err
	}, http.StatusNotFound)
	switch {
	case err != nil:
		return State{}, err
	case unknown:
		return State{}, ErrUnknown
	case state.RequestID != requestID:
		return State{}, fmt.Errorf("%w: it answered with the job %q", ErrAway, state.RequestID)
	}
	return state, nil
}

// ask asks once. Whatever is not an answer is [ErrAway]: 2xx is one, and what
// else is expected.
func (c *Client) ask(ctx context.Context, request func(*resty.Request) (*resty.Response, error), expected ...int) error {
	err := c.executor.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
		response, err := request(c.http.R().SetContext(e.Context()))
		if err == nil && !response.IsSuccess() && !slices.Contains(expected, response.StatusCode()) {
			err = fmt.Errorf("status %d", response.StatusCode()) // the body may repeat an address, and this is logged
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}
