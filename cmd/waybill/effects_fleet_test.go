package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
	"github.com/waybill-dev/waybill/handlers/effects/analytics"
)

// killEffectsEnv says for how long processes are killed: seconds and a few
// processes by default; two producers and twenty consumers where it is set.
const killEffectsEnv = "WAYBILL_TEST_KILL_EFFECTS"

// fleet is one installation of many processes: an event store, a Postgres, and
// the systems that its effects are at.
type fleet struct {
	t         *testing.T
	store     *restartingNode
	database  string
	mails     *smtptest.Server
	collector *collected
	producers []*restarting
	consumers []*consumer
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	database := databasetest.Start(t).Database(t)
	f := &fleet{t: t, database: database, store: &restartingNode{t: t, dir: t.TempDir(), addr: freeAddr(t)}, mails: smtptest.New(t, nil), collector: newCollected(t)}
	f.store.start()
	t.Cleanup(f.store.kill)
	return f
}

func (f *fleet) env() []string {
	return []string{"WAYBILL_DATABASE=" + f.database, "WAYBILL_MASTER_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32))}
}

func (f *fleet) args() []string {
	return []string{
		"--eventstore", "esdb://" + f.store.addr + "?tls=false",
		"--effects-smtp", f.mails.Addr, "--effects-smtp-tls", "none", "--effects-mail-from", "orders@shop.example", "--effects-smtp-timeout", "2s",
		"--effects-collector-url", f.collector.url,
	}
}

// produce starts a process that takes orders and looks after everything but
// side effects.
func (f *fleet) produce(ctx context.Context, args ...string) *restarting {
	p := &restarting{t: f.t, dir: f.t.TempDir(), addr: freeAddr(f.t), env: f.env(), args: slices.Concat(f.args(), []string{
		"--only", "tasks", "--database-connections", "16", "--webhooks-lease", "3s",
	}, args)}
	p.start(ctx)
	f.t.Cleanup(p.stop)
	f.producers = append(f.producers, p)
	return p
}

// consumer is a process that has nothing but handlers of side effects.
type consumer struct {
	f    *fleet
	args []string
	addr string // of its metrics
	now  *bench.Process
}

func (f *fleet) consume(only string) *consumer {
	c := &consumer{f: f, addr: freeAddr(f.t)}
	c.args = slices.Concat([]string{"serve", "--roles", "handlers", "--only", only}, f.args(), []string{
		"--data-dir", f.t.TempDir(), "--metrics-addr", c.addr, "--database-connections", "4", "--log-level", "warn",
	})
	c.start()
	f.t.Cleanup(func() {
		if err := c.now.Stop(); err != nil {
			f.t.Error(err)
		}
		if f.t.Failed() {
			f.t.Logf("a consumer's log:\n%s", c.now.Output())
		}
	})
	f.consumers = append(f.consumers, c)
	return c
}

func (c *consumer) start() {
	c.f.t.Helper()
	binary, err := os.Executable()
	if err == nil {
		c.now, err = bench.StartProcess(binary, c.f.env(), c.args...)
	}
	if err != nil {
		c.f.t.Fatal(err)
	}
}

func (c *consumer) kill() {
	c.f.t.Helper()
	if err := c.now.Kill(); err != nil {
		c.f.t.Fatal(err)
	}
}

// metric reads one number of the process; it is zero where there is none.
func (c *consumer) metric(ctx context.Context, line string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.addr+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return 0, nil
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// collected is a collector that keeps what it is told, and knows repeats.
type collected struct {
	url string

	mu    sync.Mutex
	times map[string]int    // by the event's key
	said  map[string]string // what was told, by key
	other []string          // keys that came with something else
}

func newCollected(t *testing.T) *collected {
	t.Helper()
	c := &collected{times: map[string]int{}, said: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		key := r.Header.Get("Idempotency-Key")
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.times[key]++; c.times[key] > 1 && c.said[key] != string(body) {
			c.other = append(c.other, key)
		}
		c.said[key] = string(body)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// groups waits for the groups of handlers, which begin at the end of the log.
func (f *fleet) groups(ctx context.Context, store *eventstore.Client, names ...string) {
	f.t.Helper()
	for _, name := range names {
		eventually(ctx, f.t, 2*time.Minute, func() error {
			status, err := store.GroupStatus(ctx, name)
			if err == nil && status.Subscribers == 0 {
				err = fmt.Errorf("nobody handles %s", name)
			}
			return err
		})
	}
}

// addressOf is where the customer of an order is written to.
func addressOf(key string) string { return key + "@example.com" }

func (f *fleet) place(ctx context.Context, api *client.Client, key string) error {
	order := benchOrder()
	order.Customer = &client.Customer{Email: addressOf(key), Name: "A"}
	placed, err := api.PlaceOrder(ctx, key, order)
	if err == nil && placed.CheckoutURL != "" {
		err = errUndecided
	}
	return err
}

// mailed compares the mails with those who ordered: one each, by Message-ID;
// a repeat has the same bytes. It returns how many repeats there were.
func (f *fleet) mailed(keys []string) (repeats int, err error) {
	ids, bytes := map[string]string{}, map[string]string{}
	for _, m := range f.mails.Sent() {
		id, to := m.Header("Message-ID"), strings.Join(m.To, ",")
		if first, ok := bytes[id]; ok {
			repeats++
			if first != m.Data {
				return repeats, fmt.Errorf("%s was sent again with other bytes", id)
			}
			continue
		}
		bytes[id] = m.Data
		if other, twice := ids[to]; twice {
			return repeats, fmt.Errorf("%s was written to by %s and %s", to, other, id)
		}
		ids[to] = id
	}
	want := map[string]bool{}
	for _, key := range keys {
		want[addressOf(key)] = true
	}
	var missing []string
	for to := range want {
		if ids[to] == "" {
			missing = append(missing, to)
		}
	}
	if len(missing) > 0 || len(ids) != len(want) {
		return repeats, fmt.Errorf("%d of %d were written to, missing for example %v", len(ids), len(want), missing[:min(len(missing), 3)])
	}
	return repeats, nil
}

// told compares what the collector has with the log: every business event at
// least once.
func (f *fleet) told(ctx context.Context, store *eventstore.Client) (events, repeats int, err error) {
	c := f.collector
	feed := store.Feed(eventstore.FeedConfig{Prefixes: analytics.Prefixes()})
	defer feed.Close()
	want := map[string]bool{}
	for live := false; !live; {
		page, err := feed.Next(ctx)
		if err != nil {
			return 0, 0, err
		}
		for _, e := range page.Events {
			want["ana:"+e.ID.String()] = true
		}
		live = page.Live
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.other) > 0 {
		return 0, 0, fmt.Errorf("told something else under the same key: %v", c.other)
	}
	for key, times := range c.times {
		if !want[key] {
			return 0, 0, fmt.Errorf("told of %s, which is not in the log", key)
		}
		repeats += times - 1
	}
	if len(c.times) < len(want) {
		return 0, 0, fmt.Errorf("told of %d events out of %d", len(c.times), len(want))
	}
	return len(want), repeats, nil
}

// TestProcessesThatAreKilledLoseNoEffect kills processes at random, those that
// take orders and those that have the effects. At the end every order has its
// mail, once by Message-ID, and every event was told to the collector.
func TestProcessesThatAreKilledLoseNoEffect(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	lasting, consumers := 10*time.Second, 4
	if text := os.Getenv(killEffectsEnv); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		consumers = 20
	}
	f := newFleet(t)
	for range 2 {
		f.produce(ctx)
	}
	for n := range consumers {
		f.consume([]string{"email", "analytics"}[n%2])
	}
	store := openLog(t, f.store.addr)
	f.groups(ctx, store, "email", "analytics")
	if err := bench.Stock(ctx, f.producers[0].api()); err != nil {
		t.Fatal(err)
	}
	stop := f.keepPlacing(ctx)
	killed := f.killFor(ctx, lasting)
	keys := stop()
	var repeated, events, retold int
	eventually(ctx, t, 5*time.Minute, func() (err error) {
		repeated, err = f.mailed(keys)
		return err
	})
	eventually(ctx, t, 5*time.Minute, func() (err error) {
		events, retold, err = f.told(ctx, store)
		return err
	})
	// Only what a kill caught between the effect and its note is repeated, and a
	// process has four at once.
	if most := 4 * killed["consumer"]; repeated > most {
		t.Errorf("%d mails were sent again, with %d kills", repeated, killed["consumer"])
	}
	for _, name := range []string{"email", "analytics"} {
		if status, err := store.GroupStatus(ctx, name); err != nil || status.Parked > 0 {
			t.Errorf("%s put aside %d: %v", name, status.Parked, err)
		}
	}
	t.Logf("%d producers and %d consumers, %s: %v kills; %d orders, each with one mail by Message-ID (%d sent again with the same bytes); %d events, each told (%d told again with the same key)",
		len(f.producers), len(f.consumers), lasting, killed, len(keys), repeated, events, retold)
}

// killFor kills one process after another, and starts it again at once.
func (f *fleet) killFor(ctx context.Context, lasting time.Duration) map[string]int {
	const between = 400 * time.Millisecond
	killed := map[string]int{}
	for end := time.Now().Add(lasting); time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(time.Duration(rand.Int64N(int64(2 * between)))) //nolint:gosec // a random moment, not a secret
		n := rand.IntN(len(f.producers) + len(f.consumers))        //nolint:gosec // as above
		if n < len(f.producers) {
			f.producers[n].kill()
			f.producers[n].start(ctx)
			killed["producer"]++
			continue
		}
		c := f.consumers[n-len(f.producers)]
		c.kill()
		c.start()
		killed["consumer"]++
	}
	return killed
}

// keepPlacing places orders at all producers until it is stopped; each is asked
// for with its key until it is there. It returns the keys of all.
func (f *fleet) keepPlacing(ctx context.Context) (stop func() []string) {
	const every = 100 * time.Millisecond
	stopping := make(chan struct{})
	var mu sync.Mutex
	keys := map[string]bool{}
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopping:
					return
				case <-time.After(every):
				}
				key := fmt.Sprintf("order-%d-%d", caller, n)
				if f.insist(ctx, key, caller) {
					mu.Lock()
					keys[key] = true
					mu.Unlock()
				}
			}
		})
	}
	return func() []string {
		close(stopping)
		group.Wait()
		return slices.Sorted(maps.Keys(keys))
	}
}

// insist places an order through one producer and then another until there is
// an order, or there will never be one: its payment was lost on the way.
func (f *fleet) insist(ctx context.Context, key string, first int) bool {
	for try := first; ctx.Err() == nil; try++ {
		err := f.place(ctx, client.New("http://"+f.producers[try%len(f.producers)].addr, bench.AdminKey), key)
		if err == nil {
			return true
		}
		if refusedForGood(err) {
			return false
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return false
}

// TestTenProcessesShareOneHandlersWork has ten processes with one handler, and
// kills some of them with work in hand.
func TestTenProcessesShareOneHandlersWork(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	f := newFleet(t)
	f.produce(ctx)
	const processes, orders = 10, 60
	for range processes {
		f.consume("email")
	}
	store := openLog(t, f.store.addr)
	eventually(ctx, t, 3*time.Minute, func() error {
		status, err := store.GroupStatus(ctx, "email")
		if err == nil && status.Subscribers != processes {
			err = fmt.Errorf("%d processes handle mails", status.Subscribers)
		}
		return err
	})
	if err := bench.Stock(ctx, f.producers[0].api()); err != nil {
		t.Fatal(err)
	}
	f.mails.Hang(true) // so that each has something in hand
	var keys []string
	for n := range orders {
		keys = append(keys, "shared-"+strconv.Itoa(n))
		if err := f.place(ctx, f.producers[0].api(), keys[n]); err != nil {
			t.Fatal(err)
		}
	}
	eventually(ctx, t, time.Minute, func() error {
		if n := f.mails.Attempts(); n < 2*processes {
			return fmt.Errorf("%d mails were begun", n)
		}
		return nil
	})
	const died = 3
	for _, c := range f.consumers[:died] {
		c.kill()
	}
	f.mails.Hang(false)
	eventually(ctx, t, 3*time.Minute, func() error { _, err := f.mailed(keys); return err })
	shared := 0
	for _, c := range f.consumers[died:] {
		if n, err := c.metric(ctx, `waybill_effect_attempt_seconds_count{handler="email",outcome="ok"}`); err != nil {
			t.Error(err)
		} else if n > 0 {
			shared++
		}
		if n, err := c.metric(ctx, `waybill_effect_attempt_seconds_count{handler="analytics",outcome="ok"}`); err != nil || n > 0 {
			t.Errorf("a process with --only email told the collector of %g events: %v", n, err)
		}
	}
	if shared < 2 {
		t.Errorf("%d processes wrote all the mails", shared)
	}
	if n := len(f.collector.times); n > 0 {
		t.Errorf("nobody runs the collector's handler, and it was told of %d events", n)
	}
}
