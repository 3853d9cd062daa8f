package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/node"
)

// childVariable is set in processes that tests start: they may leave goroutines
// behind, which a broken store does.
const childVariable = "WAYBILL_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// child runs one test of this package in a process of its own, which finds
// value in childVariable, and returns what it printed.
func child(t *testing.T, test, value string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), childVariable+"="+value)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "no tests to run") {
		t.Fatalf("the other process ended with %v:\n%s", err, out)
	}
	return string(out)
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func config(fs vfs.FS) node.Config {
	return node.Config{
		Dir: "data", FS: fs, Now: func() time.Time { return noon },
		CacheBytes: 1 << 20, MemTableBytes: 64 << 10, TailBytes: 32 << 10,
	}
}

// open leaves closing to the caller.
func open(tb testing.TB, cfg node.Config) *node.Node {
	tb.Helper()
	n, err := node.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func opened(tb testing.TB, cfg node.Config) *node.Node {
	tb.Helper()
	n := open(tb, cfg)
	tb.Cleanup(func() { closeNode(tb, n) })
	return n
}

func closeNode(tb testing.TB, n *node.Node) {
	tb.Helper()
	if err := n.Close(); err != nil {
		tb.Error(err)
	}
}

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// event has an id made from its name.
func event(name string, size int) node.Event {
	data := make([]byte, size)
	copy(data, name)
	return node.Event{ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)), Type: "Happened", JSON: true, Data: data}
}

func appendTo(stream string, expected node.Expected, names ...string) node.Append {
	a := node.Append{Stream: stream, Expected: expected}
	for _, name := range names {
		a.Events = append(a.Events, event(name, 64))
	}
	return a
}

func mustAppend(tb testing.TB, n *node.Node, a node.Append) node.Appended {
	tb.Helper()
	done, err := n.Append(deadline(tb), a)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// wholeStream reads page by page; a stream that does not exist is empty.
func wholeStream(n *node.Node, stream string) ([]*node.Record, error) {
	var list []*node.Record
	r := node.StreamRead{Stream: stream, Limit: 7}
	for {
		p, err := n.ReadStream(r)
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p.Records...)
		if p.End {
			return list, nil
		}
		r.From = p.Next
	}
}

func wholeLog(n *node.Node, limit int) ([]*node.Record, error) {
	var list []*node.Record
	r := node.AllRead{Limit: limit}
	for {
		p, err := n.ReadAll(r)
		if err != nil {
			return nil, err
		}
		list = append(list, p.Records...)
		if p.End {
			return list, nil
		}
		r.From = p.Next
	}
}

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s/%d", prefix, i)
	}
	return list
}
