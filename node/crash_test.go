package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// An owner is the only writer of some streams and of their metadata: it does
// one thing after the other, and knows what the streams must be at any time.
type owner struct {
	generator
	generation int // of its streams: what has a tombstone is given up

	mu    sync.Mutex
	model *model // at the last start
	done  []step // since then; the last one may be without an answer
	told  int    // how many have one
}

type step struct {
	action
	answer *node.Appended
}

func newOwner(name string, seed uint64) *owner {
	o := &owner{model: newModel(), generator: generator{name: name + "/", rng: rand.New(rand.NewPCG(seed, 7))}}
	o.model.loose, o.model.now = true, noon.UnixNano()/100
	o.takeStreams()
	return o
}

func (o *owner) takeStreams() {
	stream := fmt.Sprintf("%s%d", o.name, o.generation)
	o.streams = append([]string{stream, "$$" + stream}, o.streams...)
	o.generation++
}

// write goes on until the node or ctx ends. Whatever is answered must be what
// the model answers.
func (o *owner) write(ctx context.Context, n *node.Node) error {
	m := o.model.clone()
	for {
		if m.gone(o.streams[0]) {
			o.takeStreams()
		}
		a := o.request(m)
		o.mu.Lock()
		o.done = append(o.done, step{action: a})
		o.mu.Unlock()
		begun, err := a.begin(ctx, n)
		if err != nil {
			return nil //nolint:nilerr // the node was closed
		}
		got, err := begun.Wait(ctx)
		if errors.Is(err, node.ErrClosed) || ctx.Err() != nil {
			return nil //nolint:nilerr // nobody knows what became of it
		}
		var answer *node.Appended
		if err == nil {
			answer = &got
		}
		want := m.after(step{a, answer})
		if refusal(err) != want.refusal || err == nil && got.Revision != want.revision {
			return fmt.Errorf("%s answered %v %s, in the model %s", a, got, refusal(err), want)
		}
		o.tell(answer)
	}
}

func (o *owner) tell(answer *node.Appended) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[o.told].answer = answer
	o.told++
}

// after does what the step did. An answer says where that is in the log.
func (m *model) after(s step) result {
	size := len(m.log)
	r := s.apply(m)
	if s.answer == nil || len(m.log) == size || s.kind == "tombstone" || len(s.events) == 0 && s.kind == "append" {
		return r
	}
	stream := s.stream
	if s.kind == "delete" {
		stream = "$$" + stream
	}
	for _, f := range m.streams[stream] {
		if s.kind == "append" && int64(f.revision) == s.answer.Revision || s.kind == "delete" && int64(f.revision) == m.last(stream) {
			f.position = s.answer.Position
		}
	}
	return r
}

func (o *owner) acknowledged() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.told
}

// recover finds out how much of what the owner did is stored: all that was
// acknowledged before the crash, and perhaps more, but nothing by half.
func (o *owner) recover(n *node.Node, acknowledged int, rng *rand.Rand) error {
	m := o.model
	errs := []string{}
	for i := 0; ; i++ {
		if i >= acknowledged {
			err := o.diff(m, n, rng)
			if err == nil {
				o.model, o.done, o.told = m, nil, 0
				return nil
			}
			errs = append(errs, err.Error())
		}
		if i == len(o.done) {
			return fmt.Errorf("%s: in none of %d possible states:\n\t%s", o.name, len(errs), strings.Join(errs, "\n\t"))
		}
		m = m.clone()
		m.after(o.done[i])
	}
}

func (o *owner) diff(m *model, n *node.Node, rng *rand.Rand) error {
	for _, stream := range o.streams {
		if err := m.diffStream(n, stream, rng); err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	return nil
}

// retry appends again, under the same expectation, what stands at each revision:
// that must answer as the model does, and where it is.
func (o *owner) retry(ctx context.Context, n *node.Node) error {
	for _, stream := range o.streams {
		for _, f := range o.model.streams[stream] {
			if f.event.ID == uuid.Nil {
				continue // the node wrote it
			}
			a := action{kind: "append", stream: stream, expected: node.Expected(f.revision) - 1, events: []node.Event{f.event}}
			want := a.apply(o.model)
			got, err := n.Append(ctx, node.Append{Stream: a.stream, Expected: a.expected, Events: a.events})
			if refusal(err) != want.refusal || err == nil && got.Revision != want.revision || want.position != 0 && got.Position != want.position {
				return fmt.Errorf("the repeat of %s answered %v %s, in the model %s", a, got, refusal(err), want)
			}
		}
	}
	return nil
}

// A witness remembers how many events it has seen of streams.
type witness struct {
	mu     sync.Mutex
	events map[string]int64
}

func (w *witness) read(ctx context.Context, n *node.Node, streams []string) error {
	for i := 0; ctx.Err() == nil; i++ {
		stream := streams[i%len(streams)]
		info, err := n.Info(stream)
		switch {
		case errors.Is(err, node.ErrClosed):
			return nil
		case isDeleted(err):
			continue
		case err != nil:
			return err
		}
		if err := w.see(stream, info.Last+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *witness) see(stream string, events int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.events[stream]; events < before {
		return fmt.Errorf("%s has %d events, but had %d before", stream, events, before)
	}
	w.events[stream] = events
	return nil
}

func isDeleted(err error) bool {
	gone := (*node.StreamDeletedError)(nil)
	return errors.As(err, &gone)
}

func (w *witness) saw() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.events)
}

// verify checks that nothing was read that is not there any more.
func (w *witness) verify(n *node.Node) error {
	for stream, before := range w.events {
		info, err := n.Info(stream)
		if !isDeleted(err) && (err != nil || info.Last+1 < before) {
			return fmt.Errorf("%s has %d events %s, but %d were read before the crash", stream, info.Last+1, refusal(err), before)
		}
	}
	return nil
}

func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(number("WAYBILL_TEST_CRASHES", 25)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			crash(t, seed)
		})
	}
}

func crash(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewCrashableMem()
	shared := &ledger{told: map[int]node.Appended{}}
	owners := []*owner{newOwner("x", seed), newOwner("y", seed+1000), newOwner("z", seed+2000)}
	seen := &witness{events: map[string]int64{}}
	acknowledged := make([]int, len(owners))
	for life := range 4 {
		cfg := config(fs)
		cfg.Streams = 1 + int(seed%3) // so that heads are forgotten within a group
		n := open(t, cfg)
		for i, o := range owners {
			if err := errors.Join(o.recover(n, acknowledged[i], rng), o.retry(deadline(t), n)); err != nil {
				t.Fatalf("life %d: %v", life, err)
			}
		}
		if err := seen.verify(n); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		shared.verify(t, n)
		if life == 3 {
			shared.retry(t, n)
			closeNode(t, n)
			return
		}
		stop := writeAll(t, n, owners, shared, seen, seed)
		time.Sleep(time.Duration(5+rng.IntN(25)) * time.Millisecond)
		for i, o := range owners {
			acknowledged[i] = o.acknowledged()
		}
		told, read := shared.acknowledged(), seen.saw()
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		stop()
		closeNode(t, n)
		shared.told, seen.events = told, read
	}
}

// writeAll lets all write until stop is called.
func writeAll(t *testing.T, n *node.Node, owners []*owner, shared *ledger, seen *witness, seed uint64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	writers.Go(func() { shared.write(ctx, n, uuid.NewString(), seed) })
	writers.Go(func() {
		if err := seen.read(ctx, n, []string{"shared", "x/0", "y/0", "shared", "z/0"}); err != nil {
			t.Error(err)
		}
	})
	for _, o := range owners {
		writers.Go(func() {
			if err := o.write(ctx, n); err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		writers.Wait()
	}
}
