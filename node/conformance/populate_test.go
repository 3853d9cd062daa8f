package main

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/node"
)

// Every event of the client's files has to be where they say, as they say it,
// and the first of them has to be the first of all.
func TestPopulate(t *testing.T) {
	t.Parallel()
	source, err := downloaded(t.Context())
	if err != nil {
		t.Skipf("skipping the populated database: the client's module cannot be had: %v", err)
	}
	fixtures := filepath.Join(source, "resources", "test")
	var c clock
	n, err := node.Open(node.Config{Dir: "node", FS: vfs.NewMem(), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	if err := populate(t.Context(), n, &c, fixtures); err != nil {
		t.Fatal(err)
	}
	f, err := readFixture(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range f.records {
		from := want.position
		if i == 0 {
			from = 0
		}
		page, err := n.ReadAll(node.AllRead{From: from, Limit: 1})
		if err != nil || len(page.Records) != 1 {
			t.Fatalf("at %d: %d records, %v", from, len(page.Records), err)
		}
		if diff := cmp.Diff(&want, restore(page.Records[0]), cmp.AllowUnexported(record{}, location{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("at %d, -want +got:\n%s", from, diff)
		}
	}
	page, err := n.ReadAll(node.AllRead{Limit: math.MaxInt32, Filter: &node.Filter{By: node.ByType, Prefixes: []string{seriesPrefix}}})
	if err != nil {
		t.Fatal(err)
	}
	var series []location
	for _, r := range page.Records {
		series = append(series, location{position: r.Position, revision: r.Revision})
	}
	if diff := cmp.Diff(f.series, series[:min(len(series), len(f.series))], cmp.AllowUnexported(location{})); diff != "" {
		t.Errorf("filtered, -want +got:\n%s", diff)
	}
}

func restore(r *node.Record) *record {
	const tick = 100
	return &record{
		location: location{position: r.Position, revision: r.Revision},
		stream:   r.Stream,
		created:  time.Unix(0, r.Created*tick),
		event:    node.Event{ID: r.ID, Type: r.Type, JSON: r.JSON, Data: r.Data, Metadata: r.Metadata},
	}
}
