package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

// A ledger is what writers asked for and what they were told.
type ledger struct {
	mu    sync.Mutex
	asked []node.Append
	told  map[int]node.Appended
}

func (l *ledger) ask(a node.Append) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, a)
	return len(l.asked) - 1
}

func (l *ledger) tell(i int, done node.Appended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[i] = done
}

// acknowledged copies what was told so far.
func (l *ledger) acknowledged() map[int]node.Appended {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.told)
}

// write appends random batches to streams of its own and to a shared one, until
// ctx ends.
func (l *ledger) write(ctx context.Context, n *node.Node, name string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	revision := node.ExpectNoStream
	for i := 0; ctx.Err() == nil; i++ {
		a := node.Append{Stream: "own-" + name, Expected: revision}
		if rng.IntN(3) == 0 {
			a = node.Append{Stream: "shared", Expected: node.ExpectAny}
		}
		for j := range 1 + rng.IntN(4) {
			a.Events = append(a.Events, event(fmt.Sprintf("%s/%d/%d", name, i, j), rng.IntN(2000)))
		}
		k := l.ask(a)
		done, err := n.Append(ctx, a)
		if err != nil {
			return
		}
		l.tell(k, done)
		if a.Expected != node.ExpectAny {
			revision = node.Expected(done.Revision)
		}
	}
}

func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
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
	l := &ledger{told: map[int]node.Appended{}}
	cfg := func() node.Config {
		c := config(fs)
		c.Streams = 1 + int(seed%3) // so that heads are forgotten within a group
		return c
	}
	for life := range 3 {
		n := open(t, cfg())
		if life > 0 {
			l.verify(t, n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() { l.write(ctx, n, fmt.Sprintf("%d.%d", life, w), seed) })
		}
		time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
		told := l.acknowledged()
		fs = fs.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: rng.IntN(101), RNG: rng,
		})
		cancel()
		writers.Wait()
		closeNode(t, n)
		l.told = told
	}
	n := open(t, cfg())
	defer closeNode(t, n)
	l.verify(t, n)
	l.retry(t, n)
}

// verify checks that all that was told is there, that appends are whole or
// absent, and that the log and the streams agree.
func (l *ledger) verify(t *testing.T, n *node.Node) {
	t.Helper()
	streams := map[string][]*node.Record{}
	for i, done := range l.told {
		a := l.asked[i]
		list, read := streams[a.Stream]
		if !read {
			var err error
			if list, err = wholeStream(n, a.Stream); err != nil {
				t.Fatal(err)
			}
			streams[a.Stream] = list
		}
		if int(done.Revision) >= len(list) {
			t.Fatalf("%s has %d events, but revision %d was acknowledged", a.Stream, len(list), done.Revision)
		}
		first := int(done.Revision) + 1 - len(a.Events)
		for j, e := range a.Events {
			r := list[first+j]
			if r.ID != e.ID || len(r.Data) != len(e.Data) {
				t.Fatalf("%s at %d is not what was acknowledged", a.Stream, first+j)
			}
		}
		if got := list[done.Revision].Position; got != done.Position {
			t.Fatalf("%s at %d is at %d, acknowledged was %d", a.Stream, done.Revision, got, done.Position)
		}
	}
	verifyLog(t, n)
}

func verifyLog(t *testing.T, n *node.Node) {
	t.Helper()
	log, err := wholeLog(n, 100)
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string][]*node.Record{}
	var before uint64
	for _, r := range log {
		if r.Position <= before {
			t.Fatalf("position %d comes after %d", r.Position, before)
		}
		before = r.Position
		if int(r.Revision) != len(streams[r.Stream]) {
			t.Fatalf("%s has revision %d where %d is next", r.Stream, r.Revision, len(streams[r.Stream]))
		}
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	for stream, want := range streams {
		got, err := wholeStream(n, stream)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s has %d events in its index and %d in the log", stream, len(got), len(want))
		}
		for i := range got {
			if got[i].Position != want[i].Position {
				t.Fatalf("%s at %d is at %d in its index and at %d in the log", stream, i, got[i].Position, want[i].Position)
			}
		}
	}
}

// retry repeats every append: what was acknowledged answers the same and
// changes nothing, what was not is stored or was already.
func (l *ledger) retry(t *testing.T, n *node.Node) {
	t.Helper()
	ctx := deadline(t)
	for i, a := range l.asked {
		got, err := n.Append(ctx, a)
		want, told := l.told[i]
		if told && (err != nil || got != want) {
			t.Fatalf("append %d to %s was acknowledged with %v, its repeat with %v, %v", i, a.Stream, want, got, err)
		}
		if wrong := (*node.WrongExpectedError)(nil); err != nil && !errors.As(err, &wrong) {
			t.Fatal(err)
		}
	}
	seen := map[string]map[string]bool{}
	log, err := wholeLog(n, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		if seen[r.Stream] == nil {
			seen[r.Stream] = map[string]bool{}
		}
		if seen[r.Stream][r.ID.String()] {
			t.Fatalf("event %s is twice in %s", r.ID, r.Stream)
		}
		seen[r.Stream][r.ID.String()] = true
	}
	verifyLog(t, n)
}
