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

// verify checks that all that was told is there, and that appends are whole or
// absent.
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
	wellFormed(t, n)
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
		if r.Stream != "shared" && !strings.HasPrefix(r.Stream, "own-") {
			continue
		}
		if seen[r.Stream] == nil {
			seen[r.Stream] = map[string]bool{}
		}
		if seen[r.Stream][r.ID.String()] {
			t.Fatalf("event %s is twice in %s", r.ID, r.Stream)
		}
		seen[r.Stream][r.ID.String()] = true
	}
}

// wellFormed lets the node check what it has stored: log, index and heads,
// limits and metadata, whole appends.
func wellFormed(t *testing.T, n *node.Node) {
	t.Helper()
	report, err := n.Verify(deadline(t), node.Verification{})
	if err != nil || !report.OK() {
		t.Fatalf("the store is not well-formed: %v, %+v", err, report)
	}
}
