package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// calmEnv is how many courses are tried on each engine, from the first seed.
const calmEnv = "WAYBILL_TEST_CALM_WEBHOOKS"

// TestWithoutACrashNothingComesTwice whatever owners do with their endpoints, and
// processes with each other, while receivers take seconds to answer and the
// machine has other things to do: nothing is lost either, and each order comes in
// its order.
func TestWithoutACrashNothingComesTwice(t *testing.T) {
	t.Parallel()
	seeds := uint64(1)
	if text := os.Getenv(calmEnv); text != "" {
		var err error
		if seeds, err = strconv.ParseUint(text, 10, 16); err != nil {
			t.Fatal(err)
		}
	}
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		for seed := range seeds {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				c := newCalm(t, e.Another(t), seed)
				for range calmSteps {
					c.step()
				}
				c.finish()
			})
		}
	})
}

const (
	calmSteps     = 60
	calmEndpoints = 3
	calmOrders    = 40
)

// calm is a course of random operations on endpoints, and on the processes that
// serve them.
type calm struct {
	*platform

	t       *testing.T
	random  *rand.Rand
	takers  []*taker
	paused  map[string]bool
	main    []*process
	past    *process
	replays []webhooks.Replay
	written int
	fenced  atomic.Int64
	done    map[string]int // operations by their names
}

func newCalm(t *testing.T, e databasetest.Engine, seed uint64) *calm {
	t.Helper()
	c := &calm{
		t: t, platform: newPlatform(t), random: rand.New(rand.NewPCG(seed, 11)), paused: map[string]bool{}, done: map[string]int{},
	}
	c.postgres, c.dir, c.backlog = e.Server, e.Dir, &backlogProcess{}
	c.platform.fenced = func() { c.fenced.Add(1) }
	c.config.Ring, c.config.Lease, c.config.Timeout, c.config.Drain = 24, time.Minute, time.Hour, time.Hour
	c.guard.Headers = time.Hour
	c.config.SettleAfter = 200 * time.Millisecond
	c.config.Waits = slices.Repeat([]time.Duration{100 * time.Millisecond}, 12)
	for range calmEndpoints {
		k := newTaker(t, seed)
		k.id = c.endpoint(k.server.URL, "*").ID
		c.takers = append(c.takers, k)
	}
	c.write(8 * calmOrders)
	c.main = []*process{c.start(), c.start()}
	c.past = c.startPast()
	c.occupy()
	return c
}

func (c *calm) startPast() *process {
	cfg := c.config
	cfg.BacklogOnly, cfg.Owner = true, pastOwner
	return c.startAs(cfg, nil)
}

// occupy keeps a processor from the platform for two thirds of the time.
func (c *calm) occupy() {
	ctx, stop := context.WithCancel(c.t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		for ctx.Err() == nil {
			for until := time.Now().Add(20 * time.Millisecond); time.Now().Before(until); {
				runtime.Gosched()
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	c.t.Cleanup(func() { stop(); working.Wait() })
}

func (c *calm) write(events int) {
	for range events {
		c.append(fmt.Sprint("o", c.written%calmOrders), eventstore.Revision(c.written/calmOrders-1), noted{c.written})
		c.written++
	}
}

// step does one thing, and gives it some time.
func (c *calm) step() {
	k := c.takers[c.random.IntN(len(c.takers))]
	operations := []struct {
		name string
		do   func(*taker) error
	}{
		{"write", func(*taker) error { c.write(1 + c.random.IntN(120)); return nil }},
		{"write", func(*taker) error { c.write(1 + c.random.IntN(10)); return nil }},
		{"pause", c.pause},
		{"resume", c.resume},
		{"resume", c.resume},
		{"change", c.change},
		{"rotate", c.rotate},
		{"replay", c.replayAll},
		{"cancel", c.cancel},
		{"set aside", func(k *taker) error { return c.main[0].Ledger.SetAside(c.t.Context(), k.id) }},
		{"take back", func(k *taker) error { return c.main[0].Ledger.TakeBack(c.t.Context(), k.id) }},
		{"restart", c.restart},
	}
	chosen := operations[c.random.IntN(len(operations))]
	err := chosen.do(k)
	if _, refused := errors.AsType[*domain.RuleError](err); err != nil && !refused {
		c.t.Fatalf("%s: %v", chosen.name, err)
	}
	c.done[chosen.name]++
	time.Sleep(time.Duration(c.random.IntN(150)) * time.Millisecond)
}

func (c *calm) request(k *taker) webhooks.Request { return webhooks.Request{ID: k.id, Meta: meta()} }

func (c *calm) pause(k *taker) error {
	c.paused[k.id] = true
	_, err := c.endpoints(c.main[0].Ledger).Pause(c.t.Context(), c.request(k))
	return err
}

func (c *calm) resume(k *taker) error {
	delete(c.paused, k.id)
	_, err := c.endpoints(c.main[0].Ledger).Resume(c.t.Context(), c.request(k), nil)
	return err
}

func (c *calm) change(k *taker) error {
	_, err := c.endpoints(c.main[0].Ledger).Change(c.t.Context(), c.request(k), func(s endpoint.Settings) (endpoint.Settings, error) {
		s.Description = fmt.Sprint("change ", c.random.IntN(1000))
		s.MaxInFlight = 1 + c.random.IntN(16)
		return s, nil
	}, webhooks.Private{})
	return err
}

func (c *calm) rotate(k *taker) error {
	_, err := c.endpoints(c.main[0].Ledger).Rotate(c.t.Context(), c.request(k), time.Duration(c.random.IntN(3))*time.Second)
	return err
}

func (c *calm) replayAll(k *taker) error {
	replay, err := c.platform.replays(c.main[0].Ledger).Request(c.t.Context(), k.id, webhooks.NewReplay{
		ID: webhooks.ReplayID(fmt.Sprint("calm", c.random.Uint64())), From: webhooks.Beginning,
	}, meta())
	if err == nil {
		c.replays = append(c.replays, replay)
	}
	return err
}

func (c *calm) cancel(*taker) error {
	if len(c.replays) == 0 {
		return nil
	}
	one := c.replays[c.random.IntN(len(c.replays))]
	return c.platform.replays(c.main[0].Ledger).Cancel(c.t.Context(), one.EndpointID, one.ReplayID, meta())
}

// restart ends a process in order, and starts another one.
func (c *calm) restart(*taker) error {
	i := c.random.IntN(len(c.main) + 1)
	if i == len(c.main) {
		c.past.stop()
		c.past = c.startPast()
		return nil
	}
	c.main[i].stop()
	c.main[i] = c.start()
	return nil
}

// finish lets everything come to its end, and judges.
func (c *calm) finish() {
	c.t.Helper()
	for _, k := range c.takers {
		if c.paused[k.id] {
			if err := c.resume(k); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	for _, k := range c.takers {
		eventually(c.t, "everything to be delivered", func() bool { return k.came("live") >= c.written })
	}
	for _, replay := range c.replays {
		eventually(c.t, "the replay to end", func() bool { return c.stateOf(c.main[0], replay).State != webhooks.ReplayRunning })
	}
	if n := c.fenced.Load(); n > 0 { // whoever loses a lease may repeat a window
		c.t.Skipf("this machine stood still for longer than a lease lasts: %d were lost", n)
	}
	for i, k := range c.takers {
		requests, faults := k.judge(c.cancelled())
		c.t.Logf("endpoint %d: %d events, %d requests in %d runs, %v", i, c.written, requests, len(k.runs), c.done)
		for _, fault := range faults[:min(len(faults), 5)] {
			c.t.Errorf("endpoint %d: %s", i, fault)
		}
	}
}

// cancelled are the runs that were to end at once.
func (c *calm) cancelled() map[string]bool {
	runs := map[string]bool{}
	for _, replay := range c.replays {
		runs[replay.ReplayID] = c.stateOf(c.main[0], replay).State == webhooks.ReplayCancelled
	}
	return runs
}

// taker is a receiver that takes its time, and keeps account of what came in each
// run.
type taker struct {
	server *receiver
	id     string

	mu       sync.Mutex
	random   *rand.Rand
	runs     map[string]map[string]int // the last sequence that was taken, by order
	under    map[string]bool           // orders with a request under way, by run
	took     map[string]int
	requests int
	cut      map[string]int // off, by run
	faults   []string
}

func newTaker(t *testing.T, seed uint64) *taker {
	t.Helper()
	k := &taker{random: rand.New(rand.NewPCG(seed, 12)), runs: map[string]map[string]int{}, under: map[string]bool{}, took: map[string]int{}, cut: map[string]int{}}
	k.server = newReceiver(t, k.answer)
	return k
}

func (k *taker) answer(_ http.ResponseWriter, r *http.Request, m received) int {
	run := m.Header.Get("Webhook-Run")
	wait, status := k.begin(run, m)
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.under, run+m.Aggregate.ID)
	if r.Context().Err() != nil {
		k.cut[run]++
	}
	if status == http.StatusOK {
		k.runs[run][m.Aggregate.ID] = max(k.runs[run][m.Aggregate.ID], m.Sequence)
		k.took[run]++
	}
	return status
}

// begin judges a request when it comes, and says how it is answered.
func (k *taker) begin(run string, m received) (wait time.Duration, status int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.runs[run] == nil {
		k.runs[run] = map[string]int{}
	}
	k.requests++
	last := k.runs[run][m.Aggregate.ID]
	switch {
	case k.under[run+m.Aggregate.ID]:
		k.faults = append(k.faults, fmt.Sprintf("%s: two at once of %s", run, m.Aggregate.ID))
	case m.Sequence <= last:
		k.faults = append(k.faults, fmt.Sprintf("%s: number %d of %s came again after %d", run, m.Sequence, m.Aggregate.ID, last))
	case m.Sequence > last+1:
		k.faults = append(k.faults, fmt.Sprintf("%s: number %d of %s came after %d", run, m.Sequence, m.Aggregate.ID, last))
	}
	k.under[run+m.Aggregate.ID] = true
	wait, status = time.Duration(k.random.IntN(10))*time.Millisecond, http.StatusOK
	switch k.random.IntN(50) {
	case 0:
		wait = time.Second + time.Duration(k.random.IntN(2000))*time.Millisecond
	case 1:
		status = http.StatusServiceUnavailable
	}
	return wait, status
}

// came returns how many messages of a run were taken.
func (k *taker) came(run string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.took[run]
}

func (k *taker) judge(cancelled map[string]bool) (requests int, faults []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	faults = slices.Clone(k.faults)
	for run, times := range k.cut {
		if !cancelled[run] {
			faults = append(faults, fmt.Sprintf("%s: %d requests were cut off", run, times))
		}
	}
	return k.requests, faults
}
