package node_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// TestTheClockIsSetBack: times are those of the clock, whatever it says, and
// order, revisions and repeats do not depend on them. Of a stream with an age
// the newest events are shown, and scavenging changes no read.
func TestTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	var minutes atomic.Int64
	cfg := config(vfs.NewMem())
	cfg.Index = true
	cfg.Now = func() time.Time { return noon.Add(time.Duration(minutes.Load()) * time.Minute) }
	n := opened(t, cfg)
	mustAppend(t, n, node.Append{Stream: "$$aged-1", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxAge":1800}`)},
	}})
	var want []int64 // minutes
	for _, at := range []int64{0, 20, 80, 85, -90, 90} {
		minutes.Store(at)
		count := 5
		if at == -90 {
			count = 2 // the others of the end are young
		}
		for i := range count {
			want = append(want, at)
			for _, stream := range []string{"aged-1", "whole-1"} {
				a := appendTo(stream, node.ExpectAny, fmt.Sprint(at, "-", i))
				if first, again := mustAppend(t, n, a), mustAppend(t, n, a); first != again {
					t.Fatalf("at %d the repeat answered %v, want %v", at, again, first)
				}
			}
		}
		aged, err := wholeStream(n, "aged-1")
		if err != nil || len(aged) < count || aged[len(aged)-1].Revision != uint64(len(want)-1) {
			t.Fatalf("at %d the stream with an age shows %d events, %v, and not the newest of %d", at, len(aged), err, len(want))
		}
		for _, r := range aged {
			if age := ticksOf(cfg.Now()) - r.Created; age > 1800*10_000_000 {
				t.Errorf("at %d revision %d is shown, which is %s old", at, r.Revision, time.Duration(age*100))
			}
		}
	}
	whole, err := wholeStream(n, "whole-1")
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i, r := range whole {
		if got = append(got, (r.Created-ticksOf(noon))/600_000_000); r.Revision != uint64(i) {
			t.Errorf("revision %d comes at %d", r.Revision, i)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the times (-want +got):\n%s", diff)
	}
	log, err := wholeLog(n, 7)
	if err != nil || !slices.IsSortedFunc(log, func(a, b *node.Record) int { return int(a.Position) - int(b.Position) }) || len(log) != 2*len(want)+1 {
		t.Errorf("the log has %d events, or another order, %v", len(log), err)
	}
	before := revisions(t, n, "aged-1")
	if _, err := n.Scavenge(deadline(t), node.Scavenge{Pause: -1}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, revisions(t, n, "aged-1")); diff != "" {
		t.Errorf("scavenging changes what is read (-before +after):\n%s", diff)
	}
	if got := revisions(t, n, "whole-1"); len(got) != len(want) {
		t.Errorf("scavenging leaves %d events of a stream without an age, want %d", len(got), len(want))
	}
	if report, err := n.Verify(deadline(t), node.Verification{}); err != nil || !report.OK() {
		t.Errorf("the store is not whole: %v, %v", report, err)
	}
}

func ticksOf(t time.Time) int64 { return t.UnixNano() / 100 }

func revisions(t *testing.T, n *node.Node, stream string) (list []uint64) {
	t.Helper()
	records, err := wholeStream(n, stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		list = append(list, r.Revision)
	}
	return list
}
