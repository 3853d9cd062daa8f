package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/imports/retail"
)

// TestPostgresIsKilledUnderTwoProcessesAndEverythingGoesOn runs two platforms
// over one Postgres and one event store. Postgres is killed while orders are
// placed through both, and later one of the platforms is.
func TestPostgresIsKilledUnderTwoProcessesAndEverythingGoesOn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	server := databasetest.Start(t)
	store := &restartingNode{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	store.start()
	t.Cleanup(store.kill)
	database := server.Database(t)
	var platforms []*restarting
	for range 2 {
		p := &restarting{
			t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--eventstore", "esdb://" + store.addr + "?tls=false", "--webhooks-lease", "3s"},
			env: []string{"WAYBILL_DATABASE=" + database, "WAYBILL_MASTER_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32))},
		}
		p.start(ctx)
		t.Cleanup(p.stop)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("a platform's log:\n%s", p.output())
			}
		})
		platforms = append(platforms, p)
	}
	partner := startPartner(t)
	partner.subscribe(ctx, platforms[1].api())
	if err := bench.Stock(ctx, platforms[0].api()); err != nil {
		t.Fatal(err)
	}
	shop := &shoppers{t: t, platforms: platforms, placed: &acks{orders: map[string]client.Order{}}, asked: map[string]bool{}}
	shop.place(ctx, "before", 10)

	away := outage(t, 4*time.Second)
	stop := shop.keepPlacing(ctx)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(away)
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	shop.place(ctx, "after", 10)
	refused, undecided := stop()
	// Whoever got no order comes again with the same key. What becomes of a
	// payment whose outcome was lost takes some seconds to be found out.
	for _, key := range slices.Concat(refused, undecided) {
		shop.place(ctx, key, 1)
	}
	if len(refused) == 0 {
		t.Error("no request was refused while Postgres was away")
	}
	shop.check(ctx, partner)

	// The other process takes over what the one had, whatever that was.
	platforms[0].kill()
	shop.platforms = platforms[1:]
	shop.place(ctx, "alone", 10)
	shop.check(ctx, partner)
	platforms[0].start(ctx)
	shop.platforms = platforms
	shop.place(ctx, "again", 4)
	shop.check(ctx, partner)
	t.Logf("Postgres away for %s: %d requests refused with 503, %d with a payment not known yet, of which came nothing: %v; %d orders placed and delivered, %d twice",
		away, len(refused), len(undecided), shop.nothing, len(shop.placed.orders), partner.duplicates())
}

func outage(t *testing.T, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(outageEnv)
	if text == "" {
		return otherwise
	}
	away, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return away
}

// shoppers place orders through all platforms by turns.
type shoppers struct {
	t         *testing.T
	platforms []*restarting
	placed    *acks

	mu      sync.Mutex
	asked   map[string]bool // keys whose first request got neither an order nor a refusal
	nothing []string        // of these, what was refused in the end
}

func (s *shoppers) try(ctx context.Context, key string, n int) error {
	order, err := placeOrder(ctx, s.platforms[n%len(s.platforms)].api(), key)
	var problem *client.Problem
	switch {
	case err == nil:
		s.placed.add(key, order)
	case errors.Is(err, errUndecided), errors.As(err, &problem) && problem.Status == http.StatusServiceUnavailable:
		s.mu.Lock()
		s.asked[key] = true
		s.mu.Unlock()
	}
	return err
}

// place places orders, each with a key of its own, until they are placed.
func (s *shoppers) place(ctx context.Context, key string, orders int) {
	s.t.Helper()
	for n := range orders {
		one := key
		if orders > 1 {
			one = fmt.Sprintf("%s-%d", key, n)
		}
		eventually(ctx, s.t, 3*time.Minute, func() error {
			err := s.try(ctx, one, n)
			if s.refused(one, err) {
				return nil
			}
			return err
		})
	}
}

// refused tells whether an order was refused for good that was interrupted: its
// payment never reached the gateway, or it was left alone for too long. A
// request that nothing came between is not refused.
func (s *shoppers) refused(key string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked[key] || !refusedForGood(err) {
		return false
	}
	s.nothing = append(s.nothing, key+": "+err.Error())
	return true
}

func refusedForGood(err error) bool {
	problem, ok := errors.AsType[*client.Problem](err)
	return ok && slices.Contains([]string{"payment-declined", "payment-unresolved", "checkout-abandoned"}, path.Base(problem.Type))
}

// keepPlacing places orders until it is stopped, and returns the keys of those
// that were refused, and of those of which nobody knows yet. Nothing but 503
// with Retry-After is a refusal.
func (s *shoppers) keepPlacing(ctx context.Context) (stop func() (refused, undecided []string)) {
	stopping := make(chan struct{})
	var mu sync.Mutex
	var refused, undecided []string
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			wait := 20 * time.Millisecond
			for n := 0; ; n++ {
				select {
				case <-stopping:
					return
				case <-time.After(wait):
				}
				key := fmt.Sprintf("meanwhile-%d-%d", caller, n)
				err := s.try(ctx, key, caller)
				if wait = 20 * time.Millisecond; err == nil {
					continue
				}
				wait = 100 * time.Millisecond // all of these come again later
				mu.Lock()
				if errors.Is(err, errUndecided) {
					undecided = append(undecided, key)
				} else {
					expectUnavailable(s.t, err)
					refused = append(refused, key)
				}
				mu.Unlock()
			}
		})
	}
	return func() (_, _ []string) {
		close(stopping)
		group.Wait()
		return refused, undecided
	}
}

// check expects every order in the lists of all platforms and at the partner.
func (s *shoppers) check(ctx context.Context, partner *partner) {
	s.t.Helper()
	for _, p := range s.platforms {
		checkOrders(ctx, s.t, p.api(), s.placed, retail.Report{Orders: len(s.placed.orders)})
	}
	partner.check(s.t, s.placed)
}

func TestADatabaseThatCannotBeUsedIsExplained(t *testing.T) {
	t.Parallel()
	server := databasetest.URL(t)
	for name, row := range map[string]struct{ database, want string }{
		"no such database":   {strings.Replace(server, "/waybill_test_", "/nowhere_", 1), "createdb"},
		"no string for this": {"mysql://u:secret@host/d", "postgres://user:password@host:5432/database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			binary, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			_, err = bench.StartPlatform(ctx, bench.Place{
				Binary: binary, Dir: t.TempDir(), Addr: freeAddr(t), Env: []string{"WAYBILL_DATABASE=" + row.database},
			})
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error = %v, want one with %s", err, row.want)
			}
		})
	}
}
