package persistent_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func strategy(name string) func(*persistent.Settings) {
	return func(s *persistent.Settings) { s.Strategy = name }
}

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.create("s")
		one, two := w.join("s", 2), w.join("s", 10)
		w.append("s", "abcdefg")
		one.wants("ac")
		two.wants("bdefg")
		one.ack("ac")
		w.append("s", "hijk")
		one.wants("hj")
		two.wants("ik")
	})
}

func TestDispatchToSingleFillsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.create("s", strategy(persistent.DispatchToSingle))
		one, two := w.join("s", 3), w.join("s", 3)
		w.append("s", "abcde")
		one.wants("abc")
		two.wants("de")
		one.ack("abc") // it is no longer the first
		w.append("s", "fg")
		two.wants("f")
		one.wants("g")
	})
}

func toStreams(prefix string, change ...func(*persistent.Settings)) persistent.Definition {
	return persistent.Definition{
		Stream: persistent.All, Group: "g", Settings: defaults(change...),
		Filter: &node.Filter{By: node.ByStream, Prefixes: []string{prefix}},
	}
}

func TestPinnedKeepsStreamsTogether(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p-", strategy(persistent.Pinned)))
		members := []*member{w.join(persistent.All, 1000), w.join(persistent.All, 1000), w.join(persistent.All, 1000)}
		owner := map[string]int{}
		for round := range 5 {
			for i := range 30 {
				w.store(node.Append{Stream: fmt.Sprintf("p-%d", i), Expected: node.ExpectAny, Events: []node.Event{
					{ID: uuid.New(), Type: fmt.Sprintf("<%d>", i)},
				}})
			}
			for who, m := range members {
				for stream := range strings.FieldsFuncSeq(m.got(), func(r rune) bool { return r == '<' || r == '>' }) {
					if before, ok := owner[stream]; ok && before != who {
						t.Fatalf("in round %d stream %s went from %d to %d", round, stream, before, who)
					}
					owner[stream] = who
				}
			}
		}
		var share [3]int
		for _, who := range owner {
			share[who]++
		}
		if len(owner) != 30 || slices.Min(share[:]) < 5 {
			t.Errorf("the streams are shared as %v, want about equally", share)
		}
	})
}

func TestPinnedGoesOnBehindAFullClient(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p-", eager, strategy(persistent.Pinned)))
		one, two := w.join(persistent.All, 1), w.join(persistent.All, 1)
		done := w.append("p-x", "a")
		next := w.append("p-x", "b")
		w.append("p-y", "c")
		w.append("p-y", "d")
		one.wants("a")
		two.wants("c") // b waits for its client
		two.ack("c")
		two.wants("d")
		pass(3 * time.Second)
		if got := position(t, w.checkpoint(persistent.All)); got >= done.Position {
			t.Errorf("the checkpoint %d has passed a, which is at %d", got, done.Position)
		}
		one.ack("a")
		one.wants("b")
		if got := position(t, w.checkpoint(persistent.All)); got < done.Position || got >= next.Position {
			t.Errorf("the checkpoint is %d, want that of a, which is %d, or what was stored between that and b at %d", got, done.Position, next.Position)
		}
	})
}

// position reads a checkpoint of the log.
func position(t *testing.T, text string) (p uint64) {
	t.Helper()
	if _, err := fmt.Sscanf(text, `"C:%d/P:%d"`, &p, &p); err != nil {
		t.Fatalf("the checkpoint %s: %v", text, err)
	}
	return p
}

func TestPinnedStreamsFindAnotherClient(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p-", strategy(persistent.Pinned)))
		one := w.join(persistent.All, 10)
		w.append("p-x", "ab")
		w.append("p-y", "cd")
		one.wants("abcd")
		two := w.join(persistent.All, 10) // takes over half of the streams
		one.client.Close()
		two.wants("a1b1c1d1")
	})
}

func TestPinnedByCorrelation(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p-", strategy(persistent.PinnedByCorrelation)))
		one, two := w.join(persistent.All, 100), w.join(persistent.All, 100)
		add := func(stream, typ, metadata string) {
			w.store(node.Append{Stream: stream, Expected: node.ExpectAny, Events: []node.Event{
				{ID: uuid.New(), Type: typ, Metadata: []byte(metadata)},
			}})
		}
		add("p-1", "a", `{"$correlationId":"red"}`)
		add("p-2", "b", `{"$correlationId":"blue"}`)
		add("p-3", "c", `{"x":1,"$correlationId":"red"}`)
		add("p-4", "d", `{"$correlationId":"blue"}`)
		one.wants("ac")
		two.wants("bd")
		// Without a correlation id the stream counts.
		add("p-5", "e", `{"$correlationId":7}`)
		add("p-6", "f", "not JSON")
		add("p-5", "g", "")
		add("p-6", "h", "{}")
		one.wants("eg")
		two.wants("fh")
	})
}

// The stream of a link's target counts, not that of the link.
func TestPinnedFollowsLinks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("x", "a")
		w.append("y", "b")
		w.create("links", strategy(persistent.Pinned), func(s *persistent.Settings) { s.ResolveLinks = true })
		one, two := w.join("links", 10), w.join("links", 10)
		for _, target := range []string{"0@x", "0@y", "0@x", "0@y", "7@x"} {
			w.store(node.Append{Stream: "links", Expected: node.ExpectAny, Events: []node.Event{
				{ID: uuid.New(), Type: node.TypeLink, Data: []byte(target)},
			}})
		}
		one.wants("aa" + node.TypeLink) // the last one points at nothing, and is x's all the same
		two.wants("bb")
	})
}

// Whoever comes later gets an equal share of the streams that others have had,
// those first on which nobody works.
func TestPinnedSharesWithWhoeverComes(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p-", strategy(persistent.Pinned)))
		round := func(list ...*member) (share []int) {
			for i := range 30 {
				w.append(fmt.Sprintf("p-%d", i), "a")
			}
			for _, m := range list {
				share = append(share, len(m.got()))
			}
			return share
		}
		one := w.join(persistent.All, 1000)
		if share := round(one); share[0] != 30 {
			t.Fatalf("the only one got %v", share)
		}
		two := w.join(persistent.All, 1000)
		if share := round(one, two); share[0]+share[1] != 30 || min(share[0], share[1]) < 13 {
			t.Errorf("two got %v", share)
		}
		three := w.join(persistent.All, 1000)
		if share := round(one, two, three); share[0]+share[1]+share[2] != 30 || slices.Min(share) < 7 {
			t.Errorf("three got %v", share)
		}
	})
}

// TestPinnedMovesWhatNobodyWorksOn: what somebody else still has of a name that
// was moved does not count for the one it has moved to.
func TestPinnedMovesWhatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.define(toStreams("p", strategy(persistent.Pinned)))
		bucket := func(name string) uint32 {
			h := fnv.New32a()
			_, _ = h.Write([]byte(name))
			return h.Sum32() % 1024
		}
		names := []string{"p1", "p2", "p3", "p4", "p5", "p6"}
		slices.SortFunc(names, func(a, b string) int { return cmp.Compare(bucket(a), bucket(b)) })
		first := w.join(persistent.All, 20)
		for i, name := range names {
			w.append(name, string(rune('a'+i)))
		}
		first.wants("abcdef")
		second := w.join(persistent.All, 20) // has the first three names
		for i, name := range names[:3] {
			w.append(name, string(rune('A'+i)))
		}
		second.wants("ABC")
		first.ack("c")
		third := w.join(persistent.All, 20) // and this one a name of each
		w.append(names[0], "x")
		w.append(names[2], "y")
		third.wants("x")
		second.wants("y")
		first.wants("")
	})
}
