package node_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
)

// TestFullDisk runs each case in a process of its own: a store that failed may
// leave goroutines behind, and must not end the process.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		breaks func(errorfs.Op) bool
	}{
		{"every write", func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }},
		{"writes to the write-ahead log", func(op errorfs.Op) bool {
			return strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileWrite
		}},
		{"syncs of the write-ahead log", func(op errorfs.Op) bool {
			return strings.HasSuffix(op.Path, ".log") &&
				(op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo)
		}},
		{"new tables", func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpFileWrite }},
		{"new files", func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite }},
		{"the manifest", func(op errorfs.Op) bool {
			return strings.Contains(op.Path, "MANIFEST") && op.Kind == errorfs.OpFileWrite
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if os.Getenv(childVariable) == "" {
				name, _ := strings.CutPrefix(t.Name(), "TestFullDisk/")
				child(t, "TestFullDisk$/^"+name, "full")
				return
			}
			fillDisk(t, tc.breaks)
		})
	}
}

func fillDisk(t *testing.T, breaks func(errorfs.Op) bool) {
	t.Helper()
	var full atomic.Bool
	disk := vfs.NewCrashableMem()
	n := open(t, config(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && breaks(op) {
			return syscall.ENOSPC
		}
		return nil
	}))))
	told := map[string]node.Appended{}
	store := func(name string) error {
		done, err := n.Append(deadline(t), node.Append{
			Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event(name, 4096)},
		})
		if err == nil {
			told[name] = done
		}
		return err
	}
	for _, name := range names("before", 20) {
		if err := store(name); err != nil {
			t.Fatal(err)
		}
	}
	full.Store(true)
	var err error
	for _, name := range names("full", 2000) {
		if err = store(name); err != nil {
			break
		}
	}
	failed := (*node.FailedError)(nil)
	if !errors.As(err, &failed) {
		t.Fatalf("the append answered %v, want a FailedError", err)
	}
	oneLine(t, err, "data", "no space")
	select {
	case said := <-n.Failed():
		if !errors.As(said, &failed) || n.Err() == nil {
			t.Errorf("the node failed with %v", said)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the node does not say that it failed")
	}
	if list, err := wholeStream(n, "s"); err != nil || len(list) < len(told) {
		t.Errorf("the failed node reads %d events, %v; acknowledged were %d", len(list), err, len(told))
	}
	saved := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := store("after"); !errors.As(err, &failed) {
		t.Errorf("the next append answered %v, want a FailedError", err)
	}
	_, deleted := n.Delete(deadline(t), "s", node.ExpectAny)
	_, tombstoned := n.Tombstone(deadline(t), "s", node.ExpectAny)
	for _, err := range []error{deleted, tombstoned} {
		if !errors.As(err, &failed) {
			t.Errorf("a delete answered %v, want a FailedError", err)
		}
		oneLine(t, err, "data", "no space")
	}
	full.Store(false) // lets what hangs end
	closeNode(t, n)

	n = opened(t, config(saved))
	list, err := wholeStream(n, "s")
	if err != nil {
		t.Fatal(err)
	}
	for name, done := range told {
		if int(done.Revision) >= len(list) || list[done.Revision].ID != event(name, 0).ID {
			t.Errorf("%s was acknowledged at %d and is not there", name, done.Revision)
		}
	}
}

// oneLine checks that a person can read what is wrong.
func oneLine(t *testing.T, err error, words ...string) {
	t.Helper()
	text := fmt.Sprint(err)
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("the error %q does not say %q", text, word)
		}
	}
	if strings.ContainsAny(text, "\n\t") || strings.Contains(text, "goroutine") || len(text) > 250 {
		t.Errorf("the error is more than a line: %q", text)
	}
}

func TestAppendsAreRefusedBeforeTheDiskIsFull(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 300 << 20})
	n := opened(t, config(disk))
	first := mustAppend(t, n, appendTo("s", node.ExpectAny, "a"))
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 200 << 20})
	_, err := n.Append(deadline(t), appendTo("s", node.ExpectAny, "b"))
	want := &node.NoSpaceError{Dir: "data", Free: 200 << 20, Need: 256 << 20}
	got := (*node.NoSpaceError)(nil)
	errors.As(err, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the append answered (-want +got):\n%s", diff)
	}
	_, deleted := n.Delete(deadline(t), "s", node.ExpectAny)
	_, tombstoned := n.Tombstone(deadline(t), "s", node.ExpectAny)
	for _, err := range []error{err, deleted, tombstoned} {
		if !errors.As(err, &got) {
			t.Errorf("the request answered %v, want a NoSpaceError", err)
		}
		oneLine(t, err, "data", "200 MiB free")
	}
	if again := mustAppend(t, n, appendTo("s", node.ExpectAny, "a")); again != first {
		t.Errorf("the repeat of a stored append answered %v, want %v", again, first)
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 300 << 20})
	mustAppend(t, n, appendTo("s", node.ExpectAny, "b"))
	if n.Err() != nil {
		t.Errorf("the node failed: %v", n.Err())
	}
}

// roomyDisk counts how often it is asked how much room it has.
type roomyDisk struct {
	vfs.FS
	free, asked atomic.Uint64
}

func (d *roomyDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.asked.Add(1)
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestADiskWithPlentyOfRoomIsNotAskedAtEveryAppend(t *testing.T) {
	t.Parallel()
	disk := &roomyDisk{FS: vfs.NewMem()}
	disk.free.Store(100 << 30)
	cfg := config(disk)
	var later atomic.Int64
	cfg.Now = func() time.Time { return noon.Add(time.Duration(later.Load())) }
	n := opened(t, cfg)
	asked := func(appends int) uint64 {
		before := disk.asked.Load()
		for i := range appends {
			mustAppend(t, n, appendTo("s", node.ExpectAny, fmt.Sprint(before, "-", i)))
		}
		return disk.asked.Load() - before
	}
	if first, next := asked(1), asked(50); first != 1 || next != 0 {
		t.Errorf("asked %d times at the first append and %d times at the next 50", first, next)
	}
	later.Store(int64(time.Second))
	if again := asked(50); again != 1 {
		t.Errorf("asked %d times a second later", again)
	}
	disk.free.Store(300 << 20)
	later.Store(int64(2 * time.Second))
	if little := asked(50); little != 50 {
		t.Errorf("asked %d times at 50 appends when there is little room", little)
	}
	disk.free.Store(1 << 20)
	if _, err := n.Append(deadline(t), appendTo("s", node.ExpectAny, "last")); err == nil {
		t.Error("the append is not refused when there is none")
	}
}

// A gate holds every sync of the write-ahead log while it is shut.
type gate struct {
	shut  atomic.Pointer[chan struct{}]
	holds atomic.Int32 // syncs
}

func (g *gate) close() (open func()) {
	held := make(chan struct{})
	g.shut.Store(&held)
	return func() {
		if g.shut.CompareAndSwap(&held, nil) {
			close(held)
		}
	}
}

// waitUntilHeld returns when a sync stands at the gate.
func (g *gate) waitUntilHeld(tb testing.TB) {
	tb.Helper()
	for ctx := deadline(tb); g.holds.Load() == 0; time.Sleep(50 * time.Microsecond) {
		if ctx.Err() != nil {
			tb.Fatal("nothing is on its way to the disk")
		}
	}
}

func (g *gate) fs() vfs.FS { return g.over(vfs.NewMem()) }

func (g *gate) over(fs vfs.FS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		held := g.shut.Load()
		if held != nil && strings.HasSuffix(op.Path, ".log") && op.Kind != errorfs.OpFileWrite {
			g.holds.Add(1)
			<-*held
			g.holds.Add(-1)
		}
		return nil
	}))
}

func TestTooManyWaitingAppendsAreRefused(t *testing.T) {
	t.Parallel()
	var g gate
	cfg := config(g.fs())
	cfg.MaxQueuedBytes = 64 << 10
	n := opened(t, cfg)
	open := g.close()
	defer open()
	const writers = 40
	answered := make(chan error, writers)
	for _, name := range names("w", writers) {
		go func() {
			_, err := n.Append(deadline(t), node.Append{
				Stream: name, Expected: node.ExpectAny, Events: []node.Event{event(name, 8<<10)},
			})
			answered <- err
		}()
	}
	if err := <-answered; !errors.Is(err, node.ErrBusy) {
		t.Fatalf("the first answer is %v, want ErrBusy", err)
	}
	open()
	stored := 0
	for range writers - 1 {
		if err := <-answered; err == nil {
			stored++
		} else if !errors.Is(err, node.ErrBusy) {
			t.Error(err)
		}
	}
	if stored == 0 {
		t.Error("nothing was stored")
	}
	mustAppend(t, n, appendTo("later", node.ExpectAny, "a"))
}

// TestOpeningOnAFullDisk runs in a process of its own, for what it leaves
// behind: the library would try for ever.
func TestOpeningOnAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(childVariable) == "" {
		child(t, t.Name(), "full")
		return
	}
	disk := vfs.NewCrashableMem()
	n := open(t, config(disk))
	for _, name := range names("before", 20) {
		mustAppend(t, n, appendTo("s", node.ExpectAny, name))
	}
	saved := disk.CrashClone(vfs.CrashCloneCfg{})
	closeNode(t, n)
	full := errorfs.Wrap(saved, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpFileWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	cfg := config(full)
	_, err := node.Open(cfg)
	if failed := (*node.FailedError)(nil); !errors.As(err, &failed) {
		t.Errorf("open answered %v, want a FailedError", err)
	}
	oneLine(t, err, "data", "no space")
}
