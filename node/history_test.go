package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// An action is one step of a random history. It says everything, so that it
// means the same when others before it are left out.
type action struct {
	kind     string
	stream   string
	expected node.Expected
	events   []node.Event
	by       time.Duration // of a clock that is set
	seed     uint64        // of what the action does at random
	together []action      // in the queue before the first of them is on the disk
	crash    bool          // the disk loses power before any of them is
}

func (a action) String() string {
	text := a.kind
	if a.stream != "" {
		text += fmt.Sprintf(" %s at %s", a.stream, a.expected)
	}
	for _, e := range a.events {
		text += fmt.Sprintf(" %s:%s", e.ID.String()[:8], strings.TrimRight(string(e.Data), "\x00"))
	}
	if a.by != 0 {
		text += " " + a.by.String()
	}
	for _, b := range a.together {
		text += "\n\t\t" + b.String()
	}
	if a.crash {
		text += "\n\t\tand a crash"
	}
	return text
}

// apply does to the model what the action asks of the node.
func (a action) apply(m *model) result {
	switch a.kind {
	case "append":
		return m.append(a.stream, a.expected, a.events)
	case "delete":
		return m.delete(a.stream, a.expected)
	}
	return m.tombstone(a.stream, a.expected)
}

func (a action) begin(ctx context.Context, n *node.Node) (node.Begun, error) {
	switch a.kind {
	case "append":
		return n.Begin(ctx, node.Append{Stream: a.stream, Expected: a.expected, Events: a.events})
	case "delete":
		return n.BeginDelete(ctx, a.stream, a.expected)
	}
	return n.BeginTombstone(ctx, a.stream, a.expected)
}

// A world is a node beside its model.
type world struct {
	disk  *vfs.MemFS
	gate  gate
	clock atomic.Int64 // ns
	cfg   node.Config
	node  *node.Node
	model *model
}

// newWorld differs from seed to seed in what the node remembers.
func newWorld(seed uint64) (*world, error) {
	w := &world{disk: vfs.NewCrashableMem(), model: newModel()}
	w.cfg = config(nil)
	w.cfg.Now = func() time.Time { return time.Unix(0, w.clock.Load()) }
	w.cfg.Streams = []int{1, 2, 1000}[seed%3]
	w.cfg.TailBytes = []int64{1, 2000, 1 << 20}[seed/3%3]
	w.cfg.Index = seed%4 == 0
	w.set(noon.UnixNano())
	return w, w.open()
}

func (w *world) set(ns int64) {
	w.clock.Store(ns)
	w.model.now = ns / 100
}

func (w *world) open() (err error) {
	w.cfg.FS = w.gate.over(w.disk)
	w.node, err = node.Open(w.cfg)
	return err
}

const patience = 20 * time.Second

func (w *world) do(a action) error {
	rng := rand.New(rand.NewPCG(a.seed, 1))
	switch a.kind {
	case "clock":
		w.set(w.clock.Load() + int64(a.by))
		return nil
	case "look":
		return w.model.diff(w.node, rng)
	case "restart":
		if err := w.node.Close(); err != nil {
			return err
		}
		return w.open()
	case "crash":
		return w.restartFrom(w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), []*model{w.model}, rng)
	case "together":
		return w.doTogether(a, rng)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	one, err := a.begin(ctx, w.node)
	if err != nil {
		return err
	}
	return w.await(ctx, []action{a}, []node.Begun{one})
}

// await compares the answers with those of the model, which has not seen the
// actions.
func (w *world) await(ctx context.Context, list []action, begun []node.Begun) error {
	for i, a := range list {
		want := a.apply(w.model)
		done, err := begun[i].Wait(ctx)
		got := result{refusal: refusal(err), revision: done.Revision, position: done.Position}
		if got.refusal != "" {
			got = result{refusal: got.refusal}
		}
		if got != want {
			return fmt.Errorf("%s answered %q, in the model %q", a, got, want)
		}
	}
	return nil
}

// doTogether queues several requests while nothing reaches the disk. Meanwhile
// everybody must see the store as it was. Then either the disk goes on, or it
// loses power.
func (w *world) doTogether(a action, rng *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	open := w.gate.close()
	defer open()
	var begun []node.Begun
	for _, b := range a.together {
		one, err := b.begin(ctx, w.node)
		if err != nil {
			return err
		}
		begun = append(begun, one)
	}
	if err := w.held(ctx, begun); err != nil {
		return err
	}
	if err := w.lookWhileHeld(rng); err != nil {
		return fmt.Errorf("while a group is on its way to the disk: %w", err)
	}
	if !a.crash {
		open()
		return w.await(ctx, a.together, begun)
	}
	saved := w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	open()
	possible := []*model{w.model}
	for _, b := range a.together {
		next := possible[len(possible)-1].clone()
		b.apply(next)
		possible = append(possible, next)
	}
	return w.restartFrom(saved, possible, rng)
}

// held waits until the gate holds the writer, or all was answered.
func (w *world) held(ctx context.Context, begun []node.Begun) error {
	for w.gate.holds.Load() == 0 {
		answered := 0
		for _, b := range begun {
			if b.Answered() {
				answered++
			}
		}
		if answered == len(begun) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the requests do not reach the disk: %w", ctx.Err())
		}
		time.Sleep(20 * time.Microsecond)
	}
	return nil
}

func (w *world) lookWhileHeld(rng *rand.Rand) error {
	if rng.IntN(2) == 0 {
		return nil
	}
	looked := make(chan error, 1)
	go func() { looked <- w.model.diff(w.node, rng) }()
	select {
	case err := <-looked:
		return err
	case <-time.After(patience):
		return fmt.Errorf("readers wait")
	}
}

// restartFrom opens what a crash has left, which is one of the possible states.
func (w *world) restartFrom(disk *vfs.MemFS, possible []*model, rng *rand.Rand) error {
	if err := w.node.Close(); err != nil {
		return err
	}
	w.disk = disk
	if err := w.open(); err != nil {
		return err
	}
	var errs []string
	for _, m := range possible {
		err := m.diff(w.node, rng)
		if err == nil {
			w.model = m
			return nil
		}
		errs = append(errs, err.Error())
	}
	return fmt.Errorf("after the crash the store is in none of the %d states it may be in:\n\t%s", len(possible), strings.Join(errs, "\n\t"))
}

const linkStream = "links"

var streamNames = []string{"a", "b", "c-1", linkStream, "$$a", "$$b", "$$c-1", "$$$$a", "$sys", "$persistentsubscription-$all::g-checkpoint", "$$never"}

// A generator makes actions that are often repeats, and often nearly right.
type generator struct {
	rng     *rand.Rand
	streams []string // the first ones are chosen more often
	name    string   // makes ids differ from those of others
	last    action
	ids     int
}

func (g *generator) next(m *model) action {
	a := g.choose(m)
	a.seed = g.rng.Uint64()
	return a
}

func (g *generator) choose(m *model) action {
	switch n := g.rng.IntN(100); {
	case n < 2:
		return action{kind: "restart"}
	case n < 4:
		return action{kind: "crash"}
	case n < 14:
		by := time.Duration(g.rng.IntN(6000)) * time.Millisecond
		if g.rng.IntN(8) == 0 {
			by = -by
		}
		return action{kind: "clock", by: by}
	case n < 26:
		return action{kind: "look"}
	case n < 36:
		return g.several(m.clone())
	}
	return g.request(m)
}

// several is made on a model of its own, which has seen the earlier ones.
func (g *generator) several(m *model) action {
	a := action{kind: "together", crash: g.rng.IntN(4) == 0}
	for range 2 + g.rng.IntN(6) {
		b := g.request(m)
		b.apply(m)
		a.together = append(a.together, b)
	}
	return a
}

func (g *generator) request(m *model) action {
	if g.last.kind != "" && g.rng.IntN(8) == 0 {
		return g.last // a repeat by somebody who got no answer
	}
	stream := g.streams[int(g.rng.Float64()*g.rng.Float64()*float64(len(g.streams)))]
	a := action{kind: "append", stream: stream, expected: g.expected(m, stream)}
	switch n := g.rng.IntN(100); {
	case n < 12:
		a.kind = "delete"
	case n < 14:
		a.kind = "tombstone"
	default:
		a.events = g.events(m, stream)
	}
	g.last = a
	return a
}

func (g *generator) expected(m *model, stream string) node.Expected {
	switch g.rng.IntN(6) {
	case 0, 1:
		return node.ExpectAny
	case 2:
		return node.ExpectExists
	case 3:
		return node.ExpectNoStream
	}
	return node.Expected(max(-1, m.last(stream)-int64(g.rng.IntN(5))+int64(g.rng.IntN(2))))
}

// events begin with some that are stored already, sometimes out of order, and
// sometimes have one twice.
func (g *generator) events(m *model, stream string) []node.Event {
	var list []node.Event
	have := slices.DeleteFunc(slices.Clone(m.streams[stream]), func(f *fact) bool { return f.event.ID == uuid.Nil })
	if len(have) > 0 && g.rng.IntN(3) == 0 {
		from := g.rng.IntN(len(have))
		for _, f := range have[from:min(len(have), from+1+g.rng.IntN(4))] {
			list = append(list, f.event)
		}
	}
	for range g.rng.IntN(4) {
		list = append(list, g.event(m, stream))
	}
	if len(list) > 1 && g.rng.IntN(8) == 0 {
		i, j := g.rng.IntN(len(list)), g.rng.IntN(len(list))
		list[i] = list[j]
	}
	return list
}

func (g *generator) event(m *model, stream string) node.Event {
	g.ids++
	e := event(g.name+fmt.Sprint(g.ids), g.rng.IntN(40))
	switch {
	case strings.HasPrefix(stream, "$$") && g.rng.IntN(10) > 0:
		e.Type, e.Data = node.TypeMetadata, []byte(metadata[g.rng.IntN(len(metadata))].text)
		e.JSON = g.rng.IntN(12) > 0
	case stream == linkStream:
		to := g.streams[g.rng.IntN(len(g.streams))]
		e.Type, e.Data = node.TypeLink, []byte(fmt.Sprintf("%d@%s", g.rng.Int64N(m.last(to)+3), to))
	}
	return e
}

// TestRandomHistoriesAreThoseOfTheModel runs as many histories as
// WAYBILL_TEST_HISTORIES says.
func TestRandomHistoriesAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(number("WAYBILL_TEST_HISTORIES", 150)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			live(t, seed)
		})
	}
}

// number is the value of an environment variable.
func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// live runs a history. One that goes wrong is made as short as can be.
func live(t *testing.T, seed uint64) {
	t.Helper()
	const steps = 80
	g := &generator{rng: rand.New(rand.NewPCG(seed, 3)), streams: streamNames}
	var list []action
	err := history(seed, func(m *model) (action, bool) {
		if len(list) == steps {
			return action{}, false
		}
		list = append(list, g.next(m))
		return list[len(list)-1], true
	})
	if err == nil {
		return
	}
	list, err = shorten(seed, list, err)
	text := ""
	for _, a := range list {
		text += "\n\t" + a.String()
	}
	t.Errorf("seed %d: %v, after%s", seed, err, text)
}

// history runs the actions that next gives until it gives no more.
func history(seed uint64, next func(m *model) (action, bool)) (err error) {
	w, err := newWorld(seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.node.Close()) }()
	for {
		a, ok := next(w.model)
		if !ok {
			return w.do(action{kind: "look"})
		}
		if err := w.do(a); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
}

func replay(seed uint64, list []action) error {
	i := 0
	return history(seed, func(*model) (action, bool) {
		if i == len(list) {
			return action{}, false
		}
		i++
		return list[i-1], true
	})
}

// shorten leaves out actions for as long as it still goes wrong.
func shorten(seed uint64, list []action, err error) ([]action, error) {
	end := time.Now().Add(patience)
	for size := max(1, len(list)/2); size > 0; size /= 2 {
		for from := 0; from+size <= len(list) && time.Now().Before(end); {
			fewer := slices.Concat(list[:from], list[from+size:])
			if again := replay(seed, fewer); again != nil {
				list, err = fewer, again
			} else {
				from += size
			}
		}
	}
	return list, err
}
