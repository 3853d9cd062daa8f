package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// TestHeadsOfLongNamesAreNotRemembered: there may be 200,000, and a name may
// have 16 MiB.
func TestHeadsOfLongNamesAreNotRemembered(t *testing.T) {
	t.Parallel()
	n, err := Open(Config{
		Dir: "data", FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(1, 0) },
		CacheBytes: mebi, MemTableBytes: mebi, Index: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	long := strings.Repeat("s", 2*mostRemembered) + "-"
	for i := range 20 {
		a := Append{Stream: long + strings.Repeat("x", i%4), Expected: Expected(i/4 - 1), Events: []Event{{ID: uuid.New(), Type: "T"}}}
		if done, err := n.Append(ctx, a); err != nil || done.Revision != int64(i/4) {
			t.Fatalf("append %d answered %v, %v", i, done, err)
		}
	}
	if _, err := n.Append(ctx, Append{Stream: "short", Expected: ExpectAny, Events: []Event{{ID: uuid.New(), Type: "T"}}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := n.inWriter(ctx, func(w *writer) error { names = w.heads.Keys(); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || names[0] != "short" {
		t.Errorf("%d heads are remembered, want that of the short name", len(names))
	}
	for n.StreamEnd("$ce-x") < n.End() {
		if err := n.WaitStream(ctx, "$ce-x", n.StreamEnd("$ce-x")); err != nil {
			t.Fatal(err)
		}
	}
	p, err := n.ReadStream(StreamRead{Stream: categoryPrefix + strings.TrimSuffix(long, "-"), Limit: 100})
	if err != nil || len(p.Records) != 20 {
		t.Errorf("the category has %d events, %v", len(p.Records), err)
	}
}
