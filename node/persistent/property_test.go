package persistent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

// seedsVariable asks for more histories than a usual run tries.
const seedsVariable = "WAYBILL_TEST_SEEDS"

// Clients acknowledge, refuse, forget and die; the node crashes, stops and
// starts. Whatever happens, no checkpoint passes an event that nobody has
// processed or parked, nobody has more than he takes, memory is bounded, and in
// the end all is done.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	seeds := uint64(40)
	if n, err := strconv.ParseUint(os.Getenv(seedsVariable), 10, 64); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) { newHistory(w, seed).run() })
		})
	}
}

const (
	clients    = 4
	maxBuffer  = 6
	maxHistory = 24
)

type history struct {
	*world
	rng    *rand.Rand
	def    persistent.Definition
	stream string // of the events
	total  int

	mu      sync.RWMutex // held to write while the world is another
	calm    atomic.Bool  // clients acknowledge everything
	over    atomic.Bool
	settled sync.Map // events that a client has processed or skipped, by their data
}

func newHistory(w *world, seed uint64) *history {
	h := &history{world: w, rng: rand.New(rand.NewPCG(seed, 3)), stream: "s"}
	strategies := []string{persistent.RoundRobin, persistent.DispatchToSingle, persistent.Pinned, persistent.PinnedByCorrelation}
	h.def = persistent.Definition{Stream: "s", Group: "g", Settings: defaults(func(s *persistent.Settings) {
		s.Strategy = strategies[h.rng.IntN(len(strategies))]
		s.HistoryBuffer, s.ReadBatch = 4+h.rng.IntN(maxHistory-3), 1+h.rng.IntN(3)
		s.MaxRetries = h.rng.IntN(5)
		s.MessageTimeout = time.Duration(h.rng.IntN(4000)) * time.Millisecond
		s.MinCheckpoint, s.MaxCheckpoint = 1+h.rng.IntN(3), 1+h.rng.IntN(20)
		s.CheckpointAfter = time.Duration(h.rng.IntN(3)) * time.Second
	})}
	if h.rng.IntN(2) == 0 {
		h.def.Stream = persistent.All
		h.def.Filter = &node.Filter{By: node.ByStream, Prefixes: []string{"s"}}
	}
	if h.rng.IntN(3) == 0 {
		h.def.Start.End = true
	}
	return h
}

func (h *history) run() {
	h.define(h.def)
	var running sync.WaitGroup
	for i := range clients {
		seed := h.rng.Uint64()
		running.Go(func() { h.client(i, rand.New(rand.NewPCG(seed, 5))) })
	}
	for range 25 {
		h.grow()
		h.watch(time.Duration(h.rng.IntN(3000)) * time.Millisecond)
		h.disturb()
		h.check()
	}
	h.calm.Store(true)
	h.finish()
	h.over.Store(true)
	running.Wait()
	h.checkAll()
}

// grow stores events, each known by its data.
func (h *history) grow() {
	h.Helper()
	for range h.rng.IntN(4) {
		stream := fmt.Sprintf("s%d", h.rng.IntN(5))
		if h.def.Stream != persistent.All {
			stream = h.stream
		}
		a := node.Append{Stream: stream, Expected: node.ExpectAny}
		for range 1 + h.rng.IntN(8) {
			h.total++
			a.Events = append(a.Events, node.Event{
				ID: h.id(), Type: "T", Data: fmt.Append(nil, h.total),
				Metadata: fmt.Appendf(nil, `{"$correlationId":"c%d"}`, h.rng.IntN(6)),
			})
		}
		h.store(a)
	}
	h.append("other", strings.Repeat("x", h.rng.IntN(4)))
}

// watch lets time pass and looks at the bounds meanwhile.
func (h *history) watch(d time.Duration) {
	h.Helper()
	for step := time.Duration(0); step < d; step += 100 * time.Millisecond {
		time.Sleep(100 * time.Millisecond)
		i, err := h.engine.Info(h.def.Stream, "g")
		if err != nil {
			h.Fatal(err)
		}
		taken := 0
		for _, c := range i.Clients {
			taken += c.InFlight
			if c.InFlight > c.Buffer || c.InFlight < 0 {
				h.Fatalf("a client has %d messages and takes %d", c.InFlight, c.Buffer)
			}
		}
		if taken != i.InFlight {
			h.Fatalf("the clients have %d messages, the group counts %d", taken, i.InFlight)
		}
		limit := h.def.Settings.HistoryBuffer + clients*maxBuffer
		if n := i.ReadBuffer + i.RetryBuffer + i.Outstanding; n > limit {
			h.Fatalf("%d messages are in memory, want %d at most", n, limit)
		}
	}
}

func (h *history) disturb() {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.rng.IntN(8) {
	case 0:
		h.crashAnyhow()
	case 1:
		h.close()
		h.open()
	case 2:
		if err := h.engine.Restart(); err != nil {
			h.Fatal(err)
		}
	case 3:
		if h.checkpoint(h.def.Stream) != "" { // it would start at the end, and be right
			if err := h.engine.Update(h.def); err != nil {
				h.Fatal(err)
			}
		}
	case 4, 5:
		if err := h.engine.Replay(h.def.Stream, "g", nil); err != nil {
			h.Fatal(err)
		}
	}
}

// crashAnyhow loses some of what was not synced.
func (h *history) crashAnyhow() {
	h.Helper()
	clone := h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: h.rng.IntN(101), RNG: h.rng})
	h.close()
	h.fs = clone
	h.open()
}

func (h *history) current() *persistent.Engine {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.engine
}

func (h *history) client(i int, rng *rand.Rand) {
	for !h.over.Load() {
		c, err := h.current().Connect(h.def.Stream, "g", persistent.Consumer{Buffer: 1 + rng.IntN(maxBuffer), Name: fmt.Sprint(i)})
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		h.talk(c, rng)
		c.Close()
	}
}

func (h *history) talk(c *persistent.Client, rng *rand.Rand) {
	for range 1 + rng.IntN(60) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		d, err := c.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && !h.over.Load() {
			continue
		}
		if err != nil || !h.handle(c, rng, &d) {
			return
		}
	}
}

// handle reports whether the client lives.
func (h *history) handle(c *persistent.Client, rng *rand.Rand, d *persistent.Delivery) bool {
	original := d.Event.ID
	if d.Link != nil {
		original = d.Link.ID
	}
	roll := rng.IntN(100)
	switch {
	case h.calm.Load() || roll < 50:
		h.settled.Store(string(d.Event.Data), true)
		c.Ack(original)
	case roll < 62:
		c.Nack(persistent.ActionRetry, "retry", original)
	case roll < 70:
		c.Nack(persistent.ActionPark, "park", original)
	case roll < 74:
		h.settled.Store(string(d.Event.Data), true)
		c.Nack(persistent.ActionSkip, "skip", original)
	case roll < 80: // forgotten
	case roll < 83:
		return false
	default:
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		h.settled.Store(string(d.Event.Data), true)
		c.Ack(original)
	}
	return true
}

// check compares the stored checkpoint with what became of the events.
func (h *history) check() {
	h.Helper()
	text := h.checkpoint(h.def.Stream)
	if text == "" {
		return
	}
	mark := h.place(text)
	parked := h.everParked()
	for _, r := range h.events() {
		at := int64(r.Position)
		if h.def.Stream != persistent.All {
			at = int64(r.Revision)
		}
		if _, settled := h.settled.Load(string(r.Data)); at <= mark && !settled && !parked[fmt.Sprintf("%d@%s", r.Revision, r.Stream)] {
			h.Fatalf("the checkpoint %s has passed event %s at %d, which nobody has processed or parked", text, r.Data, at)
		}
	}
}

func (h *history) place(text string) int64 {
	h.Helper()
	if h.def.Stream == persistent.All {
		return int64(position(h.T, text))
	}
	var s string
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		h.Fatal(err)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// events are those that the group is for.
func (h *history) events() []*node.Record {
	h.Helper()
	return h.readLog(&node.Filter{By: node.ByStream, Prefixes: []string{"s"}})
}

// everParked has the links that were ever parked, also those that were replayed.
func (h *history) everParked() map[string]bool {
	h.Helper()
	all := map[string]bool{}
	name := "$persistentsubscription-" + h.def.Stream + "::g-parked"
	for _, r := range h.readLog(&node.Filter{By: node.ByStream, Exact: name}) {
		all[string(r.Data)] = true
	}
	return all
}

func (h *history) readLog(f *node.Filter) []*node.Record {
	h.Helper()
	var list []*node.Record
	r := node.AllRead{Limit: 1 << 20, Filter: f}
	for {
		p, err := h.node.ReadAll(r)
		if err != nil {
			h.Fatal(err)
		}
		list = append(list, p.Records...)
		if p.End {
			return list
		}
		r.From = p.Next
	}
}

// finish replays what is parked until nothing is left.
func (h *history) finish() {
	h.Helper()
	for range 100 {
		pass(5 * time.Second)
		i := h.info(h.def.Stream)
		if i.Parked == 0 && i.Outstanding == 0 && i.ReadBuffer+i.RetryBuffer == 0 && !strings.Contains(i.Status, "Behind") {
			return
		}
		if err := h.engine.Replay(h.def.Stream, "g", nil); err != nil {
			h.Fatal(err)
		}
	}
	h.Fatalf("the group does not come to an end: %+v", h.info(h.def.Stream))
}

func (h *history) checkAll() {
	h.Helper()
	synctest.Wait()
	events := h.events()
	if len(events) != h.total {
		h.Fatalf("%d of %d events are stored", len(events), h.total)
	}
	for _, r := range events {
		if _, ok := h.settled.Load(string(r.Data)); !ok {
			h.Errorf("event %s of %s was lost", r.Data, r.Stream)
		}
	}
	h.check()
}
