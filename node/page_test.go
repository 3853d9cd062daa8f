package node_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// TestPagesAreTheSameFromMemoryAndFromDisk reads random pieces of one log twice:
// of a node that has all of it in memory, and of one that has nearly nothing.
func TestPagesAreTheSameFromMemoryAndFromDisk(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	cfg := config(fs)
	n := open(t, cfg)
	for i := range 900 {
		a := appendTo([]string{"order-1", "order-2", "stock-1"}[i%3], node.ExpectAny, fmt.Sprint(i))
		if i%50 == 0 {
			a.Events = nil
		}
		mustAppend(t, n, a)
	}
	closeNode(t, n)
	cfg.TailBytes = 1
	disk := open(t, cfg)
	fromDisk, end := pieces(t, disk), disk.End()
	closeNode(t, disk)
	cfg.TailBytes = 16 << 20
	memory := opened(t, cfg)
	if memory.End() != end {
		t.Fatalf("the log ends at %d and at %d", end, memory.End())
	}
	if diff := cmp.Diff(fromDisk, pieces(t, memory)); diff != "" {
		t.Errorf("memory differs from the disk (-disk +memory):\n%s", diff)
	}
}

// A piece is what a reader gets for one question, over all pages.
type piece struct {
	Question string
	Records  []string
	Marks    []uint64
}

func pieces(t *testing.T, n *node.Node) []piece {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	filters := []*node.Filter{
		nil,
		{By: node.ByStream, Prefixes: []string{"stock-", "none"}},
		{By: node.ByStream, Regex: regexp.MustCompile("^order-[2-9]$")},
		{By: node.ByStream, Exact: "order-1"},
		{By: node.ByType, Prefixes: []string{"Happ"}},
		{By: node.ByType, Exact: "Other"},
	}
	var list []piece
	for range 120 {
		r := node.AllRead{
			From: rng.Uint64N(n.End() + 10), Limit: 1 + rng.IntN(200), Filter: filters[rng.IntN(len(filters))], Every: rng.IntN(40),
		}
		list = append(list, readPiece(t, n, r))
	}
	return list
}

func readPiece(t *testing.T, n *node.Node, r node.AllRead) piece {
	t.Helper()
	p := piece{Question: fmt.Sprintf("from %d, %d at a time, filter %v, every %d", r.From, r.Limit, r.Filter, r.Every)}
	for {
		page, err := n.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Records) > r.Limit {
			t.Fatalf("a page has %d records, the limit is %d", len(page.Records), r.Limit)
		}
		for _, rec := range page.Records {
			p.Records = append(p.Records, fmt.Sprintf("%s@%d=%d", rec.Stream, rec.Revision, rec.Position))
		}
		for _, m := range page.Marks {
			p.Marks = append(p.Marks, m.Position)
		}
		r.Counted += page.Considered
		if page.End {
			return p
		}
		if page.Next <= r.From {
			t.Fatalf("after a page from %d comes one from %d", r.From, page.Next)
		}
		r.From = page.Next
	}
}

func TestFilterOfUnknownSyntaxIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := node.NewRegexFilter(node.ByType, "(?<=a)b"); err == nil {
		t.Error("a lookbehind was taken")
	}
}

// TestExpiredEventsAreNotLookedAt in either direction: there may be millions.
func TestExpiredEventsAreNotLookedAt(t *testing.T) {
	t.Parallel()
	cfg := config(vfs.NewMem())
	var now atomic.Int64
	cfg.Now = func() time.Time { return noon.Add(time.Duration(now.Load()) * time.Second) }
	n := opened(t, cfg)
	mustAppend(t, n, node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxAge":10}`)},
	}})
	mustAppend(t, n, appendTo("s", node.ExpectAny, names("old", 300)...))
	now.Store(60)
	for _, young := range []int{0, 2} {
		if young > 0 {
			mustAppend(t, n, appendTo("s", node.ExpectAny, names("young", young)...))
		}
		for _, r := range []node.StreamRead{{Stream: "s", Limit: 100}, {Stream: "s", From: node.FromEnd, Backwards: true, Limit: 100}} {
			p, err := n.ReadStream(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Records) != young || p.Considered != young || !p.End {
				t.Errorf("backwards %v: it has %d of %d records that were looked at, end %v; want %d", r.Backwards, len(p.Records), p.Considered, p.End, young)
			}
		}
	}
}

// TestAnEventIsShownAsLongAsItsAgeAllows: to the tick.
func TestAnEventIsShownAsLongAsItsAgeAllows(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	cfg := config(vfs.NewMem())
	cfg.Now = func() time.Time { return noon.Add(time.Duration(passed.Load())) }
	n := opened(t, cfg)
	mustAppend(t, n, node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxAge":10}`)},
	}})
	mustAppend(t, n, appendTo("s", node.ExpectAny, "a", "b"))
	for after, want := range map[time.Duration]int{10 * time.Second: 2, 10*time.Second + 100*time.Nanosecond: 0} {
		passed.Store(int64(after))
		for _, r := range []node.StreamRead{{Stream: "s", Limit: 9}, {Stream: "s", Limit: 9, Backwards: true, From: node.FromEnd}} {
			p, err := n.ReadStream(r)
			if err != nil || len(p.Records) != want {
				t.Errorf("after %s, backwards %v, there are %d events, %v, want %d", after, r.Backwards, len(p.Records), err, want)
			}
		}
	}
}

// TestALinkNamesItsStreamBehindTheFirstAt: names may have more of them.
func TestALinkNamesItsStreamBehindTheFirstAt(t *testing.T) {
	t.Parallel()
	n := opened(t, config(vfs.NewMem()))
	mustAppend(t, n, appendTo("a@b@", node.ExpectAny, "x"))
	r, err := n.Resolve(&node.Record{Type: node.TypeLink, Data: []byte("0@a@b@")})
	if err != nil || r == nil || r.Stream != "a@b@" {
		t.Errorf("the link points at %v, %v", r, err)
	}
}
