package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/imports/retail"
)

// TestKilledDuringARebuildItGoesOnWhereItWas kills the platform in the middle of
// a rebuild while orders are placed.
func TestKilledDuringARebuildItGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	if err := bench.Stock(ctx, platform.api()); err != nil {
		t.Fatal(err)
	}
	shop := &shoppers{t: t, platforms: []*restarting{platform}, placed: &acks{orders: map[string]client.Order{}}, asked: map[string]bool{}}
	shop.place(ctx, "before", 60)
	listedOrders(t, platform.api(), 60)
	begun, err := platform.api().StartRebuild(ctx, "orders", "k", client.StartRebuild{Rate: 4}) // slower than orders come
	if err != nil {
		t.Fatal(err)
	}
	stop := keepOrdering(ctx, platform.addr, shop.placed)
	var before, after, events int64
	eventually(ctx, t, time.Minute, func() (err error) {
		if before, events, err = checkpointOf(ctx, platform.dir, begun.Version); err == nil && (before == 0 || events < 20) {
			err = fmt.Errorf("%d events are filled", events)
		}
		return err
	})
	platform.kill()
	if after, _, err = checkpointOf(ctx, platform.dir, begun.Version); err != nil || after < before {
		t.Errorf("checkpoint %d before it was killed, %d after, %v", before, after, err)
	}
	platform.start(ctx)
	if now, _, err := checkpointOf(ctx, platform.dir, begun.Version); err != nil || now < after {
		t.Errorf("checkpoint %d when it was killed, %d after the restart, %v", after, now, err)
	}
	for _, key := range stop() {
		shop.asked[key] = true
		shop.place(ctx, key, 1) // whoever got no answer asks again
	}
	shop.place(ctx, "after", 2)
	var r client.Rebuild
	eventually(ctx, t, 3*time.Minute, func() error {
		r, err = platform.api().Rebuild(ctx, "orders")
		if err == nil && !r.Ended {
			err = fmt.Errorf("%s, %d events", r.State, r.Events)
		}
		return err
	})
	if r.ID != begun.ID || !r.Swapped || !r.Equal || r.Version != begun.Version || r.Error != "" {
		t.Errorf("begun as %+v, ended as %+v", begun, r)
	}
	checkOrders(ctx, t, platform.api(), shop.placed, retail.Report{Orders: len(shop.placed.orders)})
	// Whoever begins at the first event counts as many events: none was applied
	// twice, which is what going on means.
	out, _ := says(t, exitDone, "rebuild", "orders", "--verify", "--json", "--url", "http://"+platform.addr, "--api-key", bench.AdminKey)
	live, err := platform.api().Projection(ctx, "orders")
	if again := rebuiltLines(t, out)["orders"]; err != nil || !again.Equal || again.Events != live.Events {
		t.Errorf("compared once more: %+v, the live one has %d events, %v", again, live.Events, err)
	}
}

// checkpointOf reads from its file how far a version of the list of orders is.
func checkpointOf(ctx context.Context, dir, version string) (at, events int64, err error) {
	file := filepath.Join(dir, "projections", "orders-v"+strings.Replace(version, ".", "-", 1)+".db")
	if _, err := os.Stat(file); err != nil {
		return 0, 0, err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=query_only(true)")
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT position, events FROM checkpoint`).Scan(&at, &events)
	return at, events, err
}

// keepOrdering places orders until it is stopped, and returns the keys of those
// it knows nothing about.
func keepOrdering(ctx context.Context, addr string, placed *acks) (stop func() (unknown []string)) {
	api := client.New("http://"+addr, bench.AdminKey)
	stopping := make(chan struct{})
	var unknown []string
	var ordering sync.WaitGroup
	ordering.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stopping:
				return
			case <-time.After(100 * time.Millisecond):
			}
			key := fmt.Sprint("meanwhile-", n)
			if order, err := placeOrder(ctx, api, key); err == nil {
				placed.add(key, order)
			} else {
				unknown = append(unknown, key)
			}
		}
	})
	return func() []string {
		close(stopping)
		ordering.Wait()
		api.Close()
		return unknown
	}
}
