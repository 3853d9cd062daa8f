package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/timeout"
)

// Protection bounds what a gateway may cost its callers.
type Protection struct {
	Timeout  time.Duration // of each call; 0 means none
	Failures uint          // this many in a row, and it is not asked for a while; 0 means 10
	Pause    time.Duration // for how long; 0 means 5 s
	// AtOnce is how many authorisations may be under way, and apart from them
	// how many other calls, so that a rush of shoppers does not keep anybody
	// from getting money back; 0 means any number.
	AtOnce uint
}

// Protect returns a gateway that stops waiting for another one after a time,
// does not ask it for a while when it fails again and again, and does not ask
// too much of it at once. What was not asked is [ErrNotSent]; a time-out is
// [ErrUnknownOutcome]. It repeats nothing. A caller who leaves is no failure of
// the gateway.
func Protect(next Provider, p Protection) Provider {
	if p.Failures == 0 {
		p.Failures = 10
	}
	if p.Pause == 0 {
		p.Pause = 5 * time.Second
	}
	breaker := circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return failed(err) }).
		WithFailureThreshold(p.Failures).WithDelay(p.Pause).Build()
	return &protected{next: next, shoppers: p.executor(breaker), others: p.executor(breaker)}
}

// executor composes the outermost policy first. Both sides share one breaker:
// it is one gateway.
func (p Protection) executor(breaker circuitbreaker.CircuitBreaker[any]) failsafe.Executor[any] {
	var policies []failsafe.Policy[any]
	if p.AtOnce > 0 {
		policies = append(policies, bulkhead.New[any](p.AtOnce))
	}
	policies = append(policies, breaker)
	if p.Timeout > 0 {
		policies = append(policies, timeout.New[any](p.Timeout))
	}
	return failsafe.With(policies...)
}

func failed(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	return errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrNotSent) || errors.Is(err, timeout.ErrExceeded)
}

type protected struct {
	next             Provider
	shoppers, others failsafe.Executor[any]
}

// Authorise implements [Gateway].
func (p *protected) Authorise(ctx context.Context, request Authorise) (Authorisation, error) {
	return call(ctx, p.shoppers, request, p.next.Authorise)
}

// Find implements [Gateway].
func (p *protected) Find(ctx context.Context, key string) (Authorisation, error) {
	return call(ctx, p.others, key, p.next.Find)
}

// Void implements [Gateway].
func (p *protected) Void(ctx context.Context, key string) (Authorisation, error) {
	return call(ctx, p.others, key, p.next.Void)
}

// Capture implements [Collector].
func (p *protected) Capture(ctx context.Context, capture Capture) (Movement, error) {
	return call(ctx, p.others, capture, p.next.Capture)
}

// FindCapture implements [Collector].
func (p *protected) FindCapture(ctx context.Context, capture Capture) (Movement, error) {
	return call(ctx, p.others, capture, p.next.FindCapture)
}

// Refund implements [Collector].
func (p *protected) Refund(ctx context.Context, refund Refund) (Movement, error) {
	return call(ctx, p.others, refund, p.next.Refund)
}

// FindRefund implements [Collector].
func (p *protected) FindRefund(ctx context.Context, refund Refund) (Movement, error) {
	return call(ctx, p.others, refund, p.next.FindRefund)
}

// Callback implements [Listener]. The gateway is not waited for.
func (p *protected) Callback(ctx context.Context, header http.Header, body []byte) (Callback, error) {
	return p.next.Callback(ctx, header, body)
}

func call[Q, A any](
	ctx context.Context, executor failsafe.Executor[any], request Q, do func(context.Context, Q) (A, error),
) (A, error) {
	var (
		none, answer A
		called       bool
		own          error // what the gateway said, whatever the policies make of it
	)
	err := executor.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
		called = true
		answer, own = do(e.Context(), request)
		return own
	})
	switch {
	case err == nil:
		return answer, nil
	case !called:
		return none, fmt.Errorf("%w: %w", ErrNotSent, err)
	case !errors.Is(err, timeout.ErrExceeded):
		return answer, own
	case own == nil, settled(own):
		return answer, own // the answer came in the last moment
	}
	return none, fmt.Errorf("%w: %w: %w", ErrUnknownOutcome, context.DeadlineExceeded, own)
}

// settled reports whether an error says for certain what happened.
func settled(err error) bool {
	var refused *RefusedError
	return errors.Is(err, ErrNotSent) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupportedMethod) || errors.As(err, &refused)
}
