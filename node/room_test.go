package node_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/waybill-dev/waybill/node"
)

// TestAppendsDoNotLengthenTheWriteAheadLog says what a sync costs: one that
// finds the file longer than before has more to write than data.
func TestAppendsDoNotLengthenTheWriteAheadLog(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	n := opened(t, config(disk))
	mustAppend(t, n, appendTo("s", node.ExpectNoStream, "first"))
	before := logSizes(t, disk)
	for _, name := range names("next", 50) {
		mustAppend(t, n, appendTo("s", node.ExpectAny, name))
	}
	if after := logSizes(t, disk); after != before {
		t.Errorf("after 50 more appends the write-ahead log is %d bytes long, before them it was %d", after, before)
	}
	again := opened(t, config(disk.CrashClone(vfs.CrashCloneCfg{})))
	if list, err := wholeStream(again, "s"); err != nil || len(list) != 51 {
		t.Errorf("after a crash there are %d events, %v, want 51", len(list), err)
	}
}

// TestNoRoomForTheWriteAheadLog has a disk that takes a record and nothing for
// later ones.
func TestNoRoomForTheWriteAheadLog(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	n := opened(t, config(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileWriteAt {
			return syscall.ENOSPC
		}
		return nil
	}))))
	for _, name := range names("event", 20) {
		mustAppend(t, n, appendTo("s", node.ExpectAny, name))
	}
	again := opened(t, config(disk.CrashClone(vfs.CrashCloneCfg{})))
	if list, err := wholeStream(again, "s"); err != nil || len(list) != 20 {
		t.Errorf("after a crash there are %d events, %v, want 20", len(list), err)
	}
}

// logSizes is how long the write-ahead logs are together.
func logSizes(t *testing.T, fs vfs.FS) (size int64) {
	t.Helper()
	files, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		info, err := fs.Stat(fs.PathJoin("data", name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}
