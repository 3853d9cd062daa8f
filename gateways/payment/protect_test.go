package payment_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/gateways/payment"
)

// script is a gateway that does as it is told, for every call.
type script func(ctx context.Context) error

func (s script) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	return payment.Authorisation{Ref: request.Key}, s(ctx)
}

func (s script) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	return payment.Authorisation{Ref: key}, s(ctx)
}

func (s script) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	return payment.Authorisation{Ref: key}, s(ctx)
}

func (s script) Capture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return payment.Movement{ID: c.ID}, s(ctx)
}

func (s script) FindCapture(ctx context.Context, c payment.Capture) (payment.Movement, error) {
	return payment.Movement{ID: c.ID}, s(ctx)
}

func (s script) Refund(ctx context.Context, c payment.Refund) (payment.Movement, error) {
	return payment.Movement{ID: c.ID}, s(ctx)
}

func (s script) FindRefund(ctx context.Context, c payment.Refund) (payment.Movement, error) {
	return payment.Movement{ID: c.ID}, s(ctx)
}

func (s script) Callback(ctx context.Context, _ http.Header, body []byte) (payment.Callback, error) {
	return payment.Callback{ID: string(body)}, s(ctx)
}

// calls are all that a gateway can be asked. Each returns what names its answer.
func calls(p payment.Provider) map[string]func(context.Context) (string, error) {
	return map[string]func(context.Context) (string, error){
		"authorise": func(ctx context.Context) (string, error) {
			a, err := p.Authorise(ctx, payment.Authorise{Key: "x"})
			return a.Ref, err
		},
		"find": func(ctx context.Context) (string, error) { a, err := p.Find(ctx, "x"); return a.Ref, err },
		"void": func(ctx context.Context) (string, error) { a, err := p.Void(ctx, "x"); return a.Ref, err },
		"capture": func(ctx context.Context) (string, error) {
			m, err := p.Capture(ctx, payment.Capture{ID: "x"})
			return m.ID, err
		},
		"find capture": func(ctx context.Context) (string, error) {
			m, err := p.FindCapture(ctx, payment.Capture{ID: "x"})
			return m.ID, err
		},
		"refund": func(ctx context.Context) (string, error) {
			m, err := p.Refund(ctx, payment.Refund{ID: "x"})
			return m.ID, err
		},
		"find refund": func(ctx context.Context) (string, error) {
			m, err := p.FindRefund(ctx, payment.Refund{ID: "x"})
			return m.ID, err
		},
	}
}

func TestAnswersComeThroughAndNothingIsAskedTwice(t *testing.T) {
	t.Parallel()
	for _, want := range []error{
		nil, payment.ErrNotFound, payment.ErrUnsupportedMethod, payment.ErrUnknownOutcome, payment.ErrNotSent, errors.New("odd"),
	} {
		asked := 0
		p := payment.Protect(script(func(context.Context) error { asked++; return want }), payment.Protection{Timeout: time.Minute, AtOnce: 1, Failures: 100})
		for name, call := range calls(p) {
			asked = 0
			if got, err := call(t.Context()); !errors.Is(err, want) || err == nil && got != "x" || asked != 1 {
				t.Errorf("%s: %q, %v after %d calls; want %v after one", name, got, err, asked, want)
			}
		}
		if got, err := p.Callback(t.Context(), nil, []byte("x")); !errors.Is(err, want) || got.ID != "x" {
			t.Errorf("callback: %v, %v", got, err)
		}
	}
}

func TestATimeOutIsAnUnknownOutcomeUnlessTheGatewayKnowsBetter(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ said, want error }{
		"it says nothing":                 {context.DeadlineExceeded, payment.ErrUnknownOutcome},
		"it cannot tell":                  {payment.ErrUnknownOutcome, payment.ErrUnknownOutcome},
		"it never came to send":           {payment.ErrNotSent, payment.ErrNotSent},
		"nothing is there":                {payment.ErrNotFound, payment.ErrNotFound},
		"the answer came at the last gap": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := payment.Protect(script(func(ctx context.Context) error { <-ctx.Done(); return row.said }), payment.Protection{Timeout: 5 * time.Millisecond})
			for name, call := range calls(p) {
				got, err := call(t.Context())
				if !errors.Is(err, row.want) || errors.Is(err, payment.ErrUnknownOutcome) != (row.want == payment.ErrUnknownOutcome) { //nolint:errorlint // the very one
					t.Errorf("%s: %v, want %v", name, err, row.want)
				}
				if row.want == nil && got != "x" {
					t.Errorf("%s: the answer is lost", name)
				}
				if errors.Is(err, payment.ErrUnknownOutcome) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v does not say that it was late", name, err)
				}
			}
		})
	}
}

func TestFailuresInARowOpenTheCircuitForAWhile(t *testing.T) {
	t.Parallel()
	asked, say := 0, payment.ErrUnknownOutcome
	p := payment.Protect(script(func(context.Context) error { asked++; return say }), payment.Protection{Failures: 3, Pause: 20 * time.Millisecond})
	for range 5 {
		_, _ = p.Authorise(t.Context(), payment.Authorise{})
	}
	if _, err := p.Void(t.Context(), "x"); !errors.Is(err, payment.ErrNotSent) || asked != 3 {
		t.Errorf("after three failures: %v, asked %d times", err, asked)
	}
	say = nil
	for deadline := time.Now().Add(5 * time.Second); ; {
		if _, err := p.Find(t.Context(), "x"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it is never asked again")
		}
	}
}

// The attempt that opens the circuit is the last one that was made: its outcome
// is unknown, and not that nothing was asked, or the money that it holds would
// be looked for by nobody.
func TestTheLastAttemptBeforeTheCircuitOpensWasMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		timeout time.Duration
		say     func(context.Context) error
	}{
		"it says that it does not know": {0, func(context.Context) error { return payment.ErrUnknownOutcome }},
		"it says nothing":               {time.Millisecond, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		asked := 0
		p := payment.Protect(script(func(ctx context.Context) error { asked++; return c.say(ctx) }),
			payment.Protection{Timeout: c.timeout, Failures: 3, Pause: time.Hour})
		for attempt := 1; attempt <= 4; attempt++ {
			_, err := p.Authorise(t.Context(), payment.Authorise{})
			want, other := payment.ErrUnknownOutcome, payment.ErrNotSent
			if attempt > 3 {
				want, other = other, want
			}
			if !errors.Is(err, want) || errors.Is(err, other) || asked != min(attempt, 3) {
				t.Errorf("%s: attempt %d: %v, asked %d times", name, attempt, err, asked)
			}
		}
	}
}

func TestAnswersAndCallersWhoLeaveDoNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	for _, say := range []error{
		payment.ErrNotFound, payment.ErrUnsupportedMethod, &payment.RefusedError{Code: "no"},
		fmt.Errorf("%w: %w", payment.ErrUnknownOutcome, context.Canceled),
	} {
		asked := 0
		p := payment.Protect(script(func(context.Context) error { asked++; return say }), payment.Protection{Failures: 2})
		for range 5 {
			_, _ = p.Find(t.Context(), "x")
		}
		if asked != 5 {
			t.Errorf("%v: asked %d times, want 5", say, asked)
		}
	}
	p := payment.Protect(script(func(context.Context) error { return nil }), payment.Protection{Timeout: time.Minute, AtOnce: 1})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if got, err := p.Find(ctx, "x"); err == nil && got.Ref != "x" || err != nil && !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("a caller who left before: %+v, %v", got, err)
	}
}

func TestARushOfShoppersLeavesRoomToGiveMoneyBack(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}, 2), make(chan struct{})
	p := payment.Protect(script(func(context.Context) error {
		inside <- struct{}{}
		<-leave
		return nil
	}), payment.Protection{AtOnce: 1})
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := p.Authorise(t.Context(), payment.Authorise{}); err != nil {
			t.Error(err)
		}
	})
	<-inside
	if _, err := p.Authorise(t.Context(), payment.Authorise{}); !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("one shopper too many: %v", err)
	}
	group.Go(func() {
		if _, err := p.Refund(t.Context(), payment.Refund{}); err != nil {
			t.Errorf("a refund beside a shopper: %v", err)
		}
	})
	<-inside
	close(leave)
	group.Wait()
	if _, err := p.Authorise(t.Context(), payment.Authorise{}); err != nil {
		t.Errorf("after the rush: %v", err)
	}
}
