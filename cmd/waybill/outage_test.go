package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
)

// outageEnv says how long the event store stays away; seconds by default, a
// minute or more for a run that is about it.
const outageEnv = "WAYBILL_TEST_OUTAGE"

// TestWhileTheEventStoreIsAwayCommandsAnswer503AndThenEverythingGoesOn runs
// the store as a process of its own and kills it under the platform.
func TestWhileTheEventStoreIsAwayCommandsAnswer503AndThenEverythingGoesOn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	store := &restartingNode{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	store.start()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--eventstore", "esdb://" + store.addr + "?tls=false"}}
	platform.start(ctx)
	t.Cleanup(func() { platform.stop(); store.kill() })
	partner := startPartner(t)
	partner.subscribe(ctx, platform.api())
	api := platform.api()
	if err := bench.Stock(ctx, api); err != nil {
		t.Fatal(err)
	}
	acknowledged := &acks{orders: map[string]client.Order{}}
	place := func(key string) error {
		order, err := placeOrder(ctx, api, key)
		if err == nil {
			acknowledged.add(key, order)
		}
		return err
	}
	if err := place("before"); err != nil {
		t.Fatal(err)
	}
	store.kill()
	away := 5 * time.Second
	if text := os.Getenv(outageEnv); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for end := time.Now().Add(away); time.Now().Before(end); refused++ {
		expectUnavailable(t, place(fmt.Sprintf("meanwhile-%d", refused)))
		time.Sleep(200 * time.Millisecond)
	}
	store.start()
	eventually(ctx, t, 30*time.Second, func() error { return place("after") })
	for n := range refused {
		key := fmt.Sprintf("meanwhile-%d", n)
		eventually(ctx, t, 30*time.Second, func() error { return place(key) })
	}
	partner.check(t, acknowledged)
	t.Logf("store away for %s: %d requests refused with 503, %d orders placed and delivered", away, refused, len(acknowledged.orders))
}

func benchOrder() client.PlaceOrder {
	return client.PlaceOrder{
		Customer: &client.Customer{Email: "a@example.com", Name: "A"}, Currency: "EUR",
		Lines: []client.OrderLine{{SKU: "BENCH-1", Quantity: 1}}, Payment: client.Payment{Method: "sandbox:approved"},
	}
}

// errUndecided says that a payment's outcome is not known yet: there may be an
// order later, or none.
var errUndecided = errors.New("the payment's outcome is not known yet")

// placeOrder places an order; without an error there is one.
func placeOrder(ctx context.Context, api *client.Client, key string) (client.Order, error) {
	placed, err := api.PlaceOrder(ctx, key, benchOrder())
	if err == nil && placed.CheckoutURL != "" {
		err = errUndecided
	}
	return placed.Order, err
}

func expectUnavailable(t *testing.T, err error) {
	t.Helper()
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusServiceUnavailable || problem.RetryAfter <= 0 {
		t.Errorf("while the store is away: %v, want 503 with Retry-After", err)
	}
}

type restartingNode struct {
	t    *testing.T
	dir  string
	addr string
	now  *bench.Process
}

func (r *restartingNode) start() {
	r.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	if r.now, err = bench.StartProcess(binary, nil, "node", "--data-dir", r.dir, "--node-addr", r.addr); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restartingNode) kill() {
	r.t.Helper()
	if err := r.now.Kill(); err != nil {
		r.t.Fatal(err)
	}
}
