package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/imports/retail"
)

// How many orders are placed in a second while read models go from process to
// process, for how long; what is there before is ten times as much as comes in
// a second. More than a test should be may be named, see ./task test:takeover.
const (
	takeoverRateEnv    = "WAYBILL_TEST_TAKEOVER_RATE"
	takeoverSecondsEnv = "WAYBILL_TEST_TAKEOVER_SECONDS" // at least
)

// TestAReadModelIsTakenOverFromAProcessThatIsKilled kills the process that
// brings the list of orders forward, or some parts of it, while orders are
// placed, in the middle of a rebuild and after an event that cannot be applied.
// Whoever reads through the other one notices nothing. Then a process is stopped
// for longer than its lease lasts, and wakes.
func TestAReadModelIsTakenOverFromAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string]int{"whole": 1, "in parts": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			defer cancel()
			w := startTakeover(ctx, t, parts)
			w.killTheOwner(ctx)
			w.wakeTheOwner(ctx)
			if parts > 1 {
				w.otherParts(ctx)
			}
		})
	}
}

// takeover is two platforms over one Postgres and one event store.
type takeover struct {
	t        *testing.T
	a, b     *restarting
	store    *eventstore.Client
	parts    int
	ownerOfA string
	shop     *shoppers
	rate     int // orders a second
}

func startTakeover(ctx context.Context, t *testing.T, parts int) *takeover {
	t.Helper()
	node := &restartingNode{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	node.start()
	t.Cleanup(node.kill)
	database := databasetest.URL(t)
	platform := func() *restarting {
		return &restarting{
			t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--eventstore", "esdb://" + node.addr + "?tls=false"},
			env: inParts(database, parts),
		}
	}
	w := &takeover{t: t, a: platform(), b: platform(), store: openLog(t, node.addr), parts: parts, rate: number(t, takeoverRateEnv, 10)}
	w.start(ctx, w.a)
	for owner := range w.owners(ctx, w.a, map[int]bool{1: true}) {
		w.ownerOfA = owner
	}
	w.start(ctx, w.b)
	if parts > 1 {
		w.owners(ctx, w.b, map[int]bool{2: true})
	}
	w.shop = &shoppers{t: t, platforms: []*restarting{w.a, w.b}, placed: &acks{orders: map[string]client.Order{}}, asked: map[string]bool{}}
	if err := bench.Stock(ctx, w.b.api()); err != nil {
		t.Fatal(err)
	}
	return w
}

func inParts(database string, parts int) []string {
	return []string{
		"WAYBILL_DATABASE=" + database, "WAYBILL_MASTER_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		fmt.Sprint("WAYBILL_PROJECTIONS_PARTITIONS=", parts),
	}
}

func (w *takeover) start(ctx context.Context, p *restarting) {
	w.t.Helper()
	p.start(ctx)
	w.t.Cleanup(p.stop)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("a platform's log:\n%s", p.output())
		}
	})
}

// owners waits until the list of orders, each part of it, is brought forward by
// one of so many processes, and none of them is one of the dead.
func (w *takeover) owners(ctx context.Context, through *restarting, processes map[int]bool, dead ...string) (owners map[string]int) {
	w.t.Helper()
	eventually(ctx, w.t, 3*time.Minute, func() error {
		p, err := through.api().Projection(ctx, "orders")
		if err != nil {
			return err
		}
		owners = map[string]int{}
		for _, part := range p.Parts {
			owners[part.Owner]++
		}
		if w.parts == 1 {
			owners[p.Owner]++
		}
		for _, name := range append(dead, "") {
			if owners[name] > 0 {
				return fmt.Errorf("owned by %v, wanted nothing of %q", owners, name)
			}
		}
		if len(p.Parts) != w.parts && w.parts > 1 || w.parts == 1 && len(p.Parts) > 0 || !processes[len(owners)] {
			return fmt.Errorf("%d parts, owned by %v", len(p.Parts), owners)
		}
		return nil
	})
	return owners
}

func (w *takeover) killTheOwner(ctx context.Context) {
	t, api := w.t, w.b.api()
	w.place(ctx, "before", 10*w.rate)
	stop := w.traffic(ctx, w.b)
	reading := startReader(ctx, t, w.b.addr)
	began := time.Now()
	begun, err := api.StartRebuild(ctx, "orders", "k", client.StartRebuild{Rate: 3 * w.rate})
	if err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, time.Minute, func() error {
		r, err := api.Rebuild(ctx, "orders")
		if err == nil && r.Events < int64(w.rate) {
			err = fmt.Errorf("%s, %d events are filled", r.State, r.Events)
		}
		return err
	})
	w.poison(ctx)
	killed := time.Now()
	w.a.kill()
	w.shop.platforms = []*restarting{w.b}
	w.owners(ctx, w.b, map[int]bool{1: true}, w.ownerOfA)
	took := time.Since(killed)
	var r client.Rebuild
	eventually(ctx, t, 5*time.Minute, func() error {
		r, err = api.Rebuild(ctx, "orders")
		if err == nil && !r.Ended {
			err = fmt.Errorf("%s, %d events, %s", r.State, r.Events, r.Error)
		}
		return err
	})
	for time.Since(began) < time.Duration(number(t, takeoverSecondsEnv, 1))*time.Second && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	unknown := stop()
	for _, key := range unknown {
		w.shop.asked[key] = true
		w.shop.place(ctx, key, 1) // whoever got no answer asks again
	}
	reads := reading()
	if r.ID != begun.ID || !r.Swapped || !r.Equal {
		t.Errorf("begun as %+v, ended as %+v", begun, r)
	}
	w.check(ctx)
	t.Logf("%d orders, %d of them asked for twice; taken over %s after the kill; %d reads beside it, none failed or went back",
		len(w.shop.placed.orders), len(unknown), took.Round(10*time.Millisecond), reads)
	w.start(ctx, w.a)
	w.shop.platforms = []*restarting{w.a, w.b}
	w.place(ctx, "again", 4)
	w.check(ctx)
}

// wakeTheOwner stops a process that brings the list of orders forward, or parts of
// it, until the other one does that, and lets it go on: what it had in hand is
// written by nobody.
func (w *takeover) wakeTheOwner(ctx context.Context) {
	t, stopped, other := w.t, w.b, w.a
	send := func(signal syscall.Signal) {
		if err := syscall.Kill(stopped.now.Pid(), signal); err != nil {
			t.Error(err)
		}
	}
	var asleep string
	for owner := range w.owners(ctx, other, map[int]bool{min(w.parts, 2): true}) {
		if strings.Contains(owner, fmt.Sprintf("-%d-", stopped.now.Pid())) {
			asleep = owner
		}
	}
	if asleep == "" {
		t.Fatal("it has nothing of the list of orders")
	}
	stop := w.traffic(ctx, other)
	reading := startReader(ctx, t, other.addr)
	w.shop.platforms = []*restarting{other}
	send(syscall.SIGSTOP)
	defer send(syscall.SIGCONT)
	began := time.Now()
	took := w.owners(ctx, other, map[int]bool{1: true}, asleep)
	slept := time.Since(began)
	w.place(ctx, "asleep", 2*w.rate)
	send(syscall.SIGCONT)
	w.shop.platforms = []*restarting{w.a, w.b}
	w.place(ctx, "awake", 2*w.rate)
	for owner := range took {
		if has := w.owners(ctx, stopped, map[int]bool{min(w.parts, 2): true}); has[owner] == 0 {
			t.Errorf("the one that woke has everything again: %v", has)
		}
	}
	for _, key := range stop() {
		w.shop.asked[key] = true
		w.shop.place(ctx, key, 1)
	}
	t.Logf("a process slept, the other one had everything after %s; %d reads beside it, none failed or went back", slept.Round(10*time.Millisecond), reading())
	w.check(ctx)
}

// otherParts changes the number of parts from process to process.
func (w *takeover) otherParts(ctx context.Context) {
	for _, parts := range []int{3, 1} {
		w.a.stop()
		w.a.env = slices.Concat(w.a.env[:2], []string{fmt.Sprint("WAYBILL_PROJECTIONS_PARTITIONS=", parts)})
		w.a.start(ctx) // and waits
		stop := w.traffic(ctx, w.a)
		w.b.kill()
		w.shop.platforms = []*restarting{w.a}
		w.parts = parts
		w.owners(ctx, w.a, map[int]bool{1: true})
		for _, key := range stop() {
			w.shop.asked[key] = true
			w.shop.place(ctx, key, 1)
		}
		w.b.env = w.a.env
		w.b.start(ctx)
		w.shop.platforms = []*restarting{w.a, w.b}
		w.check(ctx)
	}
}

// place places orders, several at once.
func (w *takeover) place(ctx context.Context, key string, orders int) {
	var placing sync.WaitGroup
	const shoppers = 4
	for n := range shoppers {
		placing.Go(func() { w.shop.place(ctx, fmt.Sprint(key, "-", n), max(orders/shoppers, 2)) })
	}
	placing.Wait()
}

// poison records what the list of orders cannot apply.
func (w *takeover) poison(ctx context.Context) {
	w.t.Helper()
	_, err := w.store.Append(ctx, "order-poison", eventstore.Any, eventstore.NewEvent{
		ID: eventstore.EventID("order-poison", "poison", 0), Event: order.OrderTagged{OrderID: "poison", Add: []string{"poison"}},
		Metadata: eventstore.Metadata{CorrelationID: uuid.NewString(), Actor: eventstore.Actor{Type: "test", ID: "1"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// check compares what is listed with what was acknowledged, and the rows with
// those of read models that are made from the first event, as a whole.
func (w *takeover) check(ctx context.Context) {
	t := w.t
	t.Helper()
	api := w.b.api()
	checkOrders(ctx, t, api, w.shop.placed, retail.Report{Orders: len(w.shop.placed.orders)})
	if blocked, err := api.BlockedStreams(ctx, "orders"); err != nil || len(blocked) != 1 || blocked[0].Stream != "order-poison" {
		t.Errorf("blocked: %+v, %v", blocked, err)
	}
	out, _ := says(t, exitDone, "rebuild", "orders", "timeline", "payments", "--verify", "--json", "--url", "http://"+w.b.addr, "--api-key", bench.AdminKey)
	all := rebuiltLines(t, out)
	for _, name := range []string{"orders", "timeline", "payments"} {
		if !all[name].Equal {
			t.Errorf("%s in %d parts is not what it is as a whole: %+v", name, w.parts, all[name])
		}
	}
}

// traffic places orders at the rate until it is stopped, and returns the keys of
// those it knows nothing about.
func (w *takeover) traffic(ctx context.Context, through *restarting) (stop func() (unknown []string)) {
	api := client.New("http://"+through.addr, bench.AdminKey)
	stopping := make(chan struct{})
	var mu sync.Mutex
	unknown := map[string]bool{}
	prefix := uuid.NewString()
	var ordering sync.WaitGroup
	ordering.Go(func() {
		ticks := time.NewTicker(time.Second / time.Duration(w.rate))
		defer ticks.Stop()
		room := make(chan struct{}, 32) // at once
		for n := 0; ; n++ {
			select {
			case <-stopping:
				return
			case <-ticks.C:
			}
			room <- struct{}{}
			ordering.Go(func() {
				defer func() { <-room }()
				key := fmt.Sprint(prefix, n)
				if placed, err := placeOrder(ctx, api, key); err == nil {
					w.shop.placed.add(key, placed)
				} else {
					mu.Lock()
					unknown[key] = true
					mu.Unlock()
				}
			})
		}
	})
	return func() []string {
		close(stopping)
		ordering.Wait()
		api.Close()
		return slices.Sorted(maps.Keys(unknown))
	}
}

// startReader reads the list of orders until it is stopped, and returns how
// often. No read may fail, and none may know less than one before.
func startReader(ctx context.Context, t *testing.T, addr string) (stop func() (reads int)) {
	t.Helper()
	stopping := make(chan struct{})
	var reads int
	var reading sync.WaitGroup
	reading.Go(func() {
		last, newest := 0, time.Time{}
		for {
			select {
			case <-stopping:
				return
			case <-time.After(10 * time.Millisecond):
			}
			at, placed, err := readList(ctx, addr)
			if err != nil || at < last || placed.Before(newest) {
				t.Errorf("read at %d an order of %s after %d, %s: %v", at, placed, last, newest, err)
				return
			}
			last, newest = at, placed
			reads++
		}
	})
	return func() int {
		close(stopping)
		reading.Wait()
		return reads
	}
}

// readList reads how far the list of orders is, and when the newest was placed.
func readList(ctx context.Context, addr string) (position int, placedAt time.Time, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/orders?limit=3", nil)
	if err != nil {
		return 0, placedAt, err
	}
	r.Header.Set("Authorization", "Bearer "+bench.AdminKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, placedAt, err
	}
	defer answer.Body.Close()
	var list struct {
		Items []struct {
			PlacedAt time.Time `json:"placed_at"`
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return 0, placedAt, err
	}
	if answer.StatusCode != http.StatusOK || len(list.Items) == 0 {
		return 0, placedAt, fmt.Errorf("%s with %d orders", answer.Status, len(list.Items))
	}
	position, err = strconv.Atoi(answer.Header.Get("X-Read-Position"))
	return position, list.Items[0].PlacedAt, err
}
