package node_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

func indexed(fs vfs.FS) node.Config {
	cfg := config(fs)
	cfg.Index = true
	return cfg
}

// caughtUp waits until the index has what the log has.
func caughtUp(t *testing.T, n *node.Node) {
	t.Helper()
	end := n.End()
	for at := n.StreamEnd("$ce-x"); at < end; at = n.StreamEnd("$ce-x") {
		if err := n.WaitStream(deadline(t), "$ce-x", at); err != nil {
			t.Fatal(err)
		}
	}
}

// texts are what the links of a stream say.
func texts(t *testing.T, n *node.Node, stream string) []string {
	t.Helper()
	list, err := wholeStream(n, stream)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, r := range list {
		if r.Type != node.TypeLink || r.Revision != uint64(i) || r.Stream != stream {
			t.Fatalf("number %d of %s is %+v", i, stream, r)
		}
		out = append(out, string(r.Data))
	}
	return out
}

func TestIndexHasALinkToEveryEvent(t *testing.T) {
	t.Parallel()
	n := opened(t, indexed(vfs.NewMem()))
	typed := func(stream, typ string, data string) node.Append {
		e := event(stream+typ+data, 8)
		e.Type, e.Data = typ, []byte(data)
		return node.Append{Stream: stream, Expected: node.ExpectAny, Events: []node.Event{e}}
	}
	mustAppend(t, n, typed("order-1", "Placed", "{}"))
	mustAppend(t, n, typed("order-1", "Paid", "{}"))
	mustAppend(t, n, typed("order-2-b", "Placed", "{}"))
	mustAppend(t, n, typed("lonely", "Placed", "{}"))
	mustAppend(t, n, typed("-odd", "Odd", "{}"))
	mustAppend(t, n, typed("$system-1", "Odd", "{}"))
	mustAppend(t, n, typed("order-links", node.TypeLink, "0@lonely"))
	if _, err := n.Delete(deadline(t), "order-1", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Tombstone(deadline(t), "order-2-b", node.ExpectAny); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, n)
	for stream, want := range map[string][]string{
		"$ce-order":    {"0@order-1", "1@order-1", "0@order-2-b", "0@lonely", "0@$$order-1", "9223372036854775807@order-2-b"},
		"$ce-lonely":   nil,
		"$ce-":         nil,
		"$ce-$system":  nil,
		"$et-Placed":   {"0@order-1", "0@order-2-b", "0@lonely"},
		"$et-Paid":     {"1@order-1"},
		"$et-Odd":      {"0@-odd", "0@$system-1"},
		"$et-$>":       nil,
		"$et-$deleted": {"0@order-1", "9223372036854775807@order-2-b"},
	} {
		if got := texts(t, n, stream); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", stream, got, want)
		}
	}
}

func TestNobodyWritesToTheIndex(t *testing.T) {
	t.Parallel()
	n := opened(t, indexed(vfs.NewMem()))
	bad := (*node.InvalidError)(nil)
	if _, err := n.Append(deadline(t), appendTo("$ce-order", node.ExpectAny, "a")); !errors.As(err, &bad) {
		t.Errorf("the append answered %v", err)
	}
	if _, err := n.Begin(deadline(t), appendTo("$ce-order", node.ExpectAny, "a")); !errors.As(err, &bad) {
		t.Errorf("the append that was begun answered %v", err)
	}
	if _, err := n.Tombstone(deadline(t), "$et-Placed", node.ExpectAny); !errors.As(err, &bad) {
		t.Errorf("the tombstone answered %v", err)
	}
	ordinary := opened(t, config(vfs.NewMem()))
	mustAppend(t, ordinary, appendTo("$ce-order", node.ExpectAny, "a"))
}

func TestIndexObeysItsMetadata(t *testing.T) {
	t.Parallel()
	n := opened(t, indexed(vfs.NewMem()))
	for i := range 5 {
		mustAppend(t, n, appendTo(fmt.Sprintf("order-%d", i), node.ExpectAny, fmt.Sprint(i)))
	}
	mustAppend(t, n, node.Append{Stream: "$$$ce-order", Expected: node.ExpectAny, Events: []node.Event{
		{ID: event("meta", 0).ID, Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)},
	}})
	caughtUp(t, n)
	list, err := wholeStream(n, "$ce-order")
	if err != nil || len(list) != 2 || list[0].Revision != 3 {
		t.Fatalf("got %v, %v", list, err)
	}
}

// TestIndexIsTheSameAfterCrashes lets the index be taken back at any point: it
// must come again with the same numbers, whatever was read from it before.
func TestIndexIsTheSameAfterCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 5))
			fs := vfs.NewCrashableMem()
			for range 4 {
				n := open(t, indexed(fs))
				for i := range 60 {
					stream := fmt.Sprintf("c%d-%d", rng.IntN(3), rng.IntN(5))
					mustAppend(t, n, appendTo(stream, node.ExpectAny, fmt.Sprint(seed, i, rng.Uint64())))
				}
				if rng.IntN(2) == 0 {
					caughtUp(t, n)
				}
				next := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				closeNode(t, n)
				fs = next
			}
			n := open(t, indexed(fs))
			defer closeNode(t, n)
			caughtUp(t, n)
			compareIndex(t, n)
		})
	}
}

func compareIndex(t *testing.T, n *node.Node) {
	t.Helper()
	log, err := wholeLog(n, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, r := range log {
		category, _, _ := strings.Cut(r.Stream, "-")
		text := fmt.Sprintf("%d@%s", r.Revision, r.Stream)
		want["$ce-"+category] = append(want["$ce-"+category], text)
		want["$et-"+r.Type] = append(want["$et-"+r.Type], text)
	}
	for _, stream := range slices.Sorted(maps.Keys(want)) {
		if got := texts(t, n, stream); !slices.Equal(got, want[stream]) {
			t.Errorf("%s has %d links, want %d, or others", stream, len(got), len(want[stream]))
		}
	}
}
