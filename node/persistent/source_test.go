package persistent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

func TestGroupFollowsAStreamThatIsDeletedAndComesBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s", eager)
		m := w.join("s", 10)
		m.wants("ab")
		m.ack("ab")
		if _, err := w.node.Delete(w.Context(), "s", node.ExpectAny); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		w.append("s", "cd")
		m.wants("cd")
		w.crash()
		w.join("s", 10).wants("cd")
	})
}

// Events that were hidden before the group came to them are not for it.
func TestGroupPassesOverWhatIsTruncated(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "abcdef")
		w.store(node.Append{Stream: node.MetadataStream("s"), Expected: node.ExpectAny, Events: []node.Event{
			{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$tb":4}`)},
		}})
		w.create("s")
		w.join("s", 10).wants("ef")
	})
}

func tombstone(w *world, stream string) {
	w.Helper()
	if _, err := w.node.Tombstone(w.Context(), stream, node.ExpectAny); err != nil {
		w.Fatal(err)
	}
}

// Whoever is live sees the last events and the tombstone; nothing spins
// afterwards, or time would stand still.
func TestTombstoneOfALiveGroup(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s")
		m := w.join("s", 10)
		m.wants("ab")
		w.append("s", "cd")
		tombstone(w, "s")
		m.wants("cd" + node.TypeTombstone)
		pass(31 * time.Second)
		m.wants("a1b1c1d1" + node.TypeTombstone + "1")
		m.ack("abcd")
		pass(time.Hour)
	})
}

func TestTombstoneOfAGroupThatIsBehind(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", strings.Repeat("a", 100))
		for range 50 {
			w.store(node.Append{Stream: "other", Expected: node.ExpectAny, Events: []node.Event{
				{ID: uuid.New(), Type: "x", Data: make([]byte, 10_000)}, // out of memory with s
			}})
		}
		w.create("s", func(s *persistent.Settings) { s.HistoryBuffer, s.ReadBatch = 10, 5 })
		m := w.join("s", 1)
		m.wants("a")
		tombstone(w, "s")
		for range 10 {
			m.client.Ack(m.has["a"])
			_ = m.got()
		}
		m.wantsDropped()
		pass(time.Hour)
		w.join("s", 1).wantsDropped()
		if i := w.info("s"); i.Status != "Behind, OutstandingPageRequest" {
			t.Errorf("the status is %q", i.Status)
		}
		w.crash()
		pass(time.Hour)
		w.join("s", 1).wantsDropped()
		if err := w.engine.Delete("s", "g", ""); err != nil {
			t.Error(err)
		}
	})
}

// pagesRead is how many pages of streams the node has read.
func pagesRead(t *testing.T, n *node.Node) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "waybill_node_pages_read_total" && m.GetLabel()[0].GetValue() == "stream" {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// Appends to other streams do not make a group read its own.
func TestQuietStreamsAreLeftAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("quiet", "a")
		w.create("quiet")
		m := w.join("quiet", 10)
		m.wants("a")
		before := pagesRead(t, w.node)
		for range 100 {
			w.append("busy", "xyz")
			pass(time.Millisecond)
		}
		if n := pagesRead(t, w.node) - before; n != 0 {
			t.Errorf("%v pages were read because of other streams", n)
		}
		w.append("quiet", "b")
		m.wants("b")
	})
}

// What has left the memory before the group could look at it is delivered as
// well: nothing else may ever come to its stream.
func TestWhatHasLeftTheMemoryIsDelivered(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "a")
		w.create("s")
		m := w.join("s", 100)
		m.wants("a")
		flood := node.Append{Stream: "other", Expected: node.ExpectAny}
		for range 100 {
			flood.Events = append(flood.Events, node.Event{ID: w.id(), Type: "x", Data: make([]byte, 4096)})
		}
		for letter := range strings.SplitSeq("bcdefghijklmnopqrstu", "") {
			first, err := w.node.Begin(context.Background(), node.Append{
				Stream: "s", Expected: node.ExpectAny, Events: []node.Event{{ID: w.id(), Type: letter}},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.store(flood)
			if _, err := first.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
			m.wants(letter)
			for i := range flood.Events {
				flood.Events[i].ID = w.id()
			}
		}
	})
}

func TestVirtualStreams(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		stream  string
		resolve bool
		want    string
	}{
		{"$ce-order", true, "abc"},
		{"$ce-order", false, "$>$>$>"},
		{"$et-b", true, "b"},
	} {
		t.Run(tc.stream, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.append("order-1", "a")
				w.define(persistent.Definition{
					Stream: tc.stream, Group: "g",
					Settings: defaults(eager, func(s *persistent.Settings) { s.ResolveLinks = tc.resolve }),
				})
				m := w.join(tc.stream, 10)
				got := m.got()
				w.append("order-2", "bc")
				w.append("invoice-1", "x")
				pass(100 * time.Millisecond)
				if got += m.got(); got != tc.want {
					t.Errorf("the client got %q, want %q", got, tc.want)
				}
				if i := w.info(tc.stream); i.Lag != int64(len(m.has)) && tc.resolve {
					t.Errorf("the group is %d events behind, want %d", i.Lag, len(m.has))
				}
				for _, id := range m.has {
					m.client.Ack(id)
				}
				pass(time.Second)
				if tc.resolve && w.info(tc.stream).InFlight != 0 {
					t.Errorf("links are acknowledged by their own ids: %+v", w.info(tc.stream))
				}
			})
		})
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		target := w.append("x", "a")
		for _, data := range []string{"0@x", "5@x", "0@nowhere", "no link"} {
			w.store(node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{
				{ID: uuid.New(), Type: node.TypeLink, Data: []byte(data)},
			}})
		}
		w.append("s", "z")
		w.create("s", func(s *persistent.Settings) { s.ResolveLinks = true })
		c, err := w.engine.Connect("s", "g", persistent.Consumer{Buffer: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i, want := range []struct{ event, link bool }{
			{true, true}, {false, true}, {false, true}, {true, false}, {true, false},
		} {
			d, err := c.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if (d.Event != nil) != want.event || (d.Link != nil) != want.link {
				t.Errorf("message %d has event %v and link %v", i, d.Event, d.Link)
			}
			if i == 0 && (d.Event.Position != target.Position || d.Position() != d.Link.Position) {
				t.Errorf("message 0 is at %d, its event at %d", d.Position(), d.Event.Position)
			}
		}
	})
}

// Reading that fails is tried again, not for ever at once.
func TestNodeThatIsClosedFirst(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.append("s", "ab")
		w.create("s")
		m := w.join("s", 1)
		m.wants("a")
		if err := w.node.Close(); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		w.engine.Close()
		m.wantsDropped()
		if _, err := w.engine.Connect("s", "g", persistent.Consumer{Buffer: 1}); !errors.Is(err, node.ErrClosed) {
			t.Errorf("a closed engine answered %v", err)
		}
	})
}
