package node

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// TestNoStreamThatIsStoredIsTakenForNew: whether the names of what is stored are
// being read, were read, or are of streams that came meanwhile. Nothing else
// remembers them here: of 16 heads the others are forgotten.
func TestNoStreamThatIsStoredIsTakenForNew(t *testing.T) {
	t.Parallel()
	const streams = 10_000 // more than two pages of names
	cfg := Config{
		Dir: "data", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(1, 0) }, Streams: 16, WindowEvents: 16,
		CacheBytes: mebi, MemTableBytes: mebi,
	}
	for round := range 3 {
		n, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		appendNew(t, n, round*streams, streams) // while the names are read
		deadline := time.Now().Add(20 * time.Second)
		for whole := false; !whole; time.Sleep(time.Millisecond) {
			n.names.mu.Lock()
			whole = n.names.whole
			n.names.mu.Unlock()
			if time.Now().After(deadline) {
				t.Fatal("the names are not known after 20 s")
			}
		}
		appendNew(t, n, (round+3)*streams, 100)
		for i := range (round + 1) * streams { // those of earlier rounds, too
			refusedAsStored(t, n, i)
		}
		unknown := 0
		for i := range streams {
			if n.names.absent(fmt.Sprintf("other-%d", i)) {
				unknown++
			}
		}
		if unknown < streams*95/100 {
			t.Errorf("of %d streams that do not exist %d are looked for", streams, streams-unknown)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(i int) Append {
	return Append{Stream: fmt.Sprintf("order-%d", i), Expected: ExpectNoStream, Events: []Event{{ID: uuid.New(), Type: "T"}}}
}

func appendNew(tb testing.TB, n *Node, first, count int) {
	tb.Helper()
	var group errgroup.Group
	group.SetLimit(64)
	for i := range count {
		group.Go(func() error {
			_, err := n.Append(context.Background(), numbered(first+i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
}

func refusedAsStored(t *testing.T, n *Node, i int) {
	t.Helper()
	a := numbered(i)
	var wrong *WrongExpectedError
	if _, err := n.Append(context.Background(), a); !errors.As(err, &wrong) || wrong.Current != 0 {
		t.Fatalf("a second beginning of %s: %v", a.Stream, err)
	}
}

func TestTheFilterOfNamesGrows(t *testing.T) {
	t.Parallel()
	const stored = 5 * fewestNames
	var filter nameFilter
	filter.expect(0)
	if filter.complete(); !filter.absent("order-0") {
		t.Error("a store without streams has one")
	}
	for i := range stored {
		filter.add(fmt.Sprintf("order-%d", i))
	}
	found := 0
	for i := range stored {
		if filter.absent(fmt.Sprintf("order-%d", i)) {
			t.Fatalf("order-%d is forgotten", i)
		}
		if !filter.absent(fmt.Sprintf("other-%d", i)) {
			found++
		}
	}
	if found > stored/20 {
		t.Errorf("%d of %d names that were not added are looked for", found, stored)
	}
}

// TestAFilterThatIsTooSmallKnowsNothing: it says of no stream that it is absent,
// from the beginning or from the name on for which there is no room.
func TestAFilterThatIsTooSmallKnowsNothing(t *testing.T) {
	t.Parallel()
	var atOnce, later nameFilter
	atOnce.expect(mostNames)
	atOnce.add("order-1")
	if atOnce.complete(); atOnce.absent("order-1") || atOnce.absent("order-2") {
		t.Error("a filter without room knows what is absent")
	}
	later.expect(1)
	later.complete()
	later.room, later.taken = 0, mostNames
	for _, name := range []string{"order-1", "order-2"} {
		later.add(name)
	}
	if later.absent("order-1") || later.absent("order-3") {
		t.Error("a full filter knows what is absent")
	}
	if later.complete(); later.absent("order-1") {
		t.Error("a full filter is complete")
	}
}

func BenchmarkHeadOfANewStream(b *testing.B) {
	n, err := Open(Config{Dir: b.TempDir(), Now: time.Now, MinFreeBytes: 1, Streams: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			b.Error(err)
		}
	}()
	appendNew(b, n, 0, 100_000)
	for _, known := range []bool{false, true} {
		b.Run(fmt.Sprintf("filter=%t", known), func(b *testing.B) {
			n.names.mu.Lock()
			n.names.whole = known
			n.names.mu.Unlock()
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprintf("new-%d", i)
				if !n.names.absent(name) {
					if _, err := n.readHead(name); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
