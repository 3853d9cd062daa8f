package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
)

func onDisk(dir string) node.Config {
	return node.Config{Dir: dir, Now: func() time.Time { return noon }}
}

func TestSecondOpenerIsToldWhoIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := opened(t, onDisk(dir))
	n.Announce("127.0.0.1:2113")
	want := &node.LockedError{Dir: dir, Address: "127.0.0.1:2113"}
	_, err := node.Open(onDisk(dir))
	got := (*node.LockedError)(nil)
	errors.As(err, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a second opener in this process gets %v (-want +got):\n%s", err, diff)
	}
	said := openElsewhere(t, dir)
	if !strings.Contains(said, want.Error()) {
		t.Errorf("another process gets %q, want %q in it", said, want)
	}
	mustAppend(t, n, appendTo("s", node.ExpectAny, "a"))
	closeNode(t, n)
	if said := openElsewhere(t, dir); said != "" {
		t.Errorf("after the first has closed, another process gets %q", said)
	}
}

// openElsewhere opens dir in another process and returns the error it gets.
func openElsewhere(t *testing.T, dir string) string {
	t.Helper()
	text, _, _ := strings.Cut(child(t, "TestOpener", dir), "PASS")
	return strings.TrimSpace(text)
}

// TestOpener is the other process of openElsewhere.
func TestOpener(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(childVariable)
	if dir == "" {
		return // openElsewhere runs it in another process
	}
	n, err := node.Open(onDisk(dir))
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error() + "\n")
		return
	}
	closeNode(t, n)
}

func TestAddressOfADeadProcessIsForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ADDRESS"), []byte("127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, onDisk(dir))
	_, err := node.Open(onDisk(dir))
	if locked := (*node.LockedError)(nil); !errors.As(err, &locked) || locked.Address != "" {
		t.Errorf("a second opener gets %v", err)
	}
}

func TestDirectoriesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		says    string
	}{
		{"a file", func(t *testing.T, dir string) {
			t.Helper()
			writeFile(t, dir, "")
		}, "make the directory"},
		{"a store whose list of files is broken", func(t *testing.T, dir string) {
			t.Helper()
			closeNode(t, open(t, onDisk(dir)))
			list, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
			if err != nil || len(list) == 0 {
				t.Fatal("no manifest", err)
			}
			for _, name := range list {
				writeFile(t, name, "broken")
			}
		}, ""},
		{"a store of another format", func(t *testing.T, dir string) {
			t.Helper()
			closeNode(t, open(t, onDisk(dir)))
			db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Set([]byte("Mformat"), []byte("77"), pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, `the store has format "77", this program reads "1"`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			tc.prepare(t, dir)
			n, err := node.Open(onDisk(dir))
			if err == nil {
				closeNode(t, n)
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the error is %q, want %q and the directory in it", err, tc.says)
			}
		})
	}
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return noon }
	for says, cfg := range map[string]node.Config{
		"no Dir":         {Now: now},
		"no Now":         {Dir: "data", FS: vfs.NewMem()},
		"MaxAppendBytes": {Dir: "data", FS: vfs.NewMem(), Now: now, MaxAppendBytes: 17 << 20},
	} {
		if _, err := node.Open(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("open answered %v, want %q in it", err, says)
		}
	}
}

func TestClosedNodeAnswersThatItIsClosed(t *testing.T) {
	t.Parallel()
	n := open(t, config(vfs.NewMem()))
	mustAppend(t, n, appendTo("s", node.ExpectAny, "a"))
	waited := make(chan error, 1)
	go func() { waited <- n.Wait(deadline(t), n.End()) }()
	time.Sleep(5 * time.Millisecond)
	closeNode(t, n)
	closeNode(t, n)
	_, appended := n.Append(deadline(t), appendTo("s", node.ExpectAny, "b"))
	_, all := n.ReadAll(node.AllRead{Limit: 1})
	_, back := n.ReadAll(node.AllRead{Limit: 1, From: node.FromEnd, Backwards: true})
	_, stream := n.ReadStream(node.StreamRead{Stream: "s", Limit: 1})
	for what, err := range map[string]error{
		"wait": <-waited, "append": appended, "read of all": all, "read of all backwards": back, "read of a stream": stream,
	} {
		if !errors.Is(err, node.ErrClosed) {
			t.Errorf("%s answered %v, want ErrClosed", what, err)
		}
	}
}

func TestIdentityStaysWithTheStore(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := open(t, config(fs))
	id := n.ID()
	closeNode(t, n)
	n = opened(t, config(fs))
	if n.ID() != id {
		t.Errorf("the id was %s and is %s", id, n.ID())
	}
	if other := opened(t, config(vfs.NewMem())); other.ID() == id {
		t.Error("another store has the same id")
	}
}
