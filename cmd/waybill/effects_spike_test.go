package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
)

// spikeEnv says how many orders are placed at once: some by default, and only
// where it is set a platform without handlers of side effects is measured beside.
const spikeEnv = "WAYBILL_TEST_SPIKE"

// TestASpikeOfOrdersIsAcceptedWhileHandlersWorkAtTheirOwnRate places many orders
// at once. Handlers are slower than that: what waits for them stays in the log.
// A caller is only ever sent away with Retry-After, and comes again.
func TestASpikeOfOrdersIsAcceptedWhileHandlersWorkAtTheirOwnRate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Minute)
	defer cancel()
	orders := number(t, spikeEnv, 150)
	if orders != 150 { // for comparison
		alone := startSpike(ctx, t, orders)
		t.Logf("without handlers: %s", alone.place(ctx))
		alone.platform.stop()
	}
	mails := smtptest.New(t, nil)
	s := startSpike(ctx, t, orders, "--effects-smtp", mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example")
	t.Cleanup(s.platform.stop)
	f := &fleet{t: t, mails: mails}
	f.groups(ctx, openLog(t, s.node), "email")
	began := time.Now()
	watched, watch := context.WithCancel(ctx)
	var backlog strings.Builder
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		s.watch(watched, mails, began, &backlog)
	}()
	accepted := s.place(ctx)
	behind := orders - len(mails.Sent())
	eventually(ctx, t, 30*time.Minute, func() error {
		repeats, err := f.mailed(s.keys)
		if repeats > 0 {
			t.Fatalf("%d mails were sent again", repeats)
		}
		return err
	})
	caughtUp := time.Since(began)
	watch()
	<-watching
	if err := metricIs(ctx, s.platform.addr, `waybill_effect_parked{handler="email"}`, "0"); err != nil {
		t.Error(err)
	}
	t.Logf("with handlers: %s; %d mails waited then, the last was sent %s after the first order (%.0f/s)\norders accepted and mails that wait, by time:%s",
		accepted, behind, caughtUp.Round(time.Millisecond), float64(orders)/caughtUp.Seconds(), &backlog)
}

// spike is a platform that many orders come to at once.
type spike struct {
	t        *testing.T
	platform *restarting
	node     string
	keys     []string
	accepted atomic.Int64
	sentAway atomic.Int64
}

func startSpike(ctx context.Context, t *testing.T, orders int, args ...string) *spike {
	t.Helper()
	s := &spike{t: t, node: freeAddr(t)}
	s.platform = &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: append([]string{"--node-addr", s.node}, args...)}
	s.platform.start(ctx)
	if err := bench.Stock(ctx, s.platform.api()); err != nil {
		t.Fatal(err)
	}
	for n := range orders {
		s.keys = append(s.keys, fmt.Sprintf("spike-%d", n))
	}
	return s
}

// result is how orders were accepted.
type result struct {
	orders, sentAway int
	took             time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("%d orders accepted in %s (%.0f/s), %d requests sent away with Retry-After", r.orders, r.took.Round(time.Millisecond), float64(r.orders)/r.took.Seconds(), r.sentAway)
}

// place has as many callers as a shop's servers have connections.
func (s *spike) place(ctx context.Context) result {
	const callers = 64
	todo := make(chan string)
	f := &fleet{t: s.t}
	var group sync.WaitGroup
	began := time.Now()
	for range callers {
		group.Go(func() {
			for key := range todo {
				s.insist(ctx, f, key)
			}
		})
	}
	for _, key := range s.keys {
		todo <- key
	}
	close(todo)
	group.Wait()
	return result{int(s.accepted.Load()), int(s.sentAway.Load()), time.Since(began)}
}

// insist comes again as it is told.
func (s *spike) insist(ctx context.Context, f *fleet, key string) {
	for ctx.Err() == nil {
		err := f.place(ctx, s.platform.api(), key)
		if err == nil {
			s.accepted.Add(1)
			return
		}
		problem, ok := errors.AsType[*client.Problem](err)
		switch {
		case errors.Is(err, errUndecided): // the gateway's answer came late
		case ok && (problem.Status == http.StatusServiceUnavailable || problem.Status == http.StatusTooManyRequests) && problem.RetryAfter > 0:
			s.sentAway.Add(1)
		case ok && problem.Status == http.StatusConflict: // the first request is under way
		default:
			s.t.Errorf("place %s: %v", key, err)
			return
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// watch writes how many orders there are and how many mails wait.
func (s *spike) watch(ctx context.Context, mails *smtptest.Server, began time.Time, into *strings.Builder) {
	for tick := time.Second; ; {
		select {
		case <-time.After(tick):
		case <-ctx.Done():
			return
		}
		accepted := int(s.accepted.Load())
		fmt.Fprintf(into, " %s: %d, %d;", time.Since(began).Round(time.Second), accepted, accepted-len(mails.Sent()))
	}
}
