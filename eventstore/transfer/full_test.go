package transfer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/eventstore/transfer"
	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// withRoom serves a store on a disk that has so much room.
func withRoom(t *testing.T, bytes uint64) (disk *vfs.MemFS, address string) {
	t.Helper()
	disk = vfs.NewMem()
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes})
	target := nodetest.New(t, nodetest.Config{Node: node.Config{Dir: "data", FS: disk, CacheBytes: 1 << 20, MemTableBytes: 1 << 20}})
	return disk, target.ConnectionString()
}

// TestATargetWhoseDiskIsFullIsNamed: the import gives up with the reason, and
// goes on when there is room.
func TestATargetWhoseDiskIsFullIsNamed(t *testing.T) {
	t.Parallel()
	disk, to := withRoom(t, 1<<30)
	from, file := serve(t).ConnectionString(), fileIn(t)
	history(t, from, 11, 200)
	exportTo(t, from, file)
	i := transfer.Import{To: transfer.Database{ConnectionString: to, Patience: 300 * time.Millisecond}, File: file, Workers: 4}
	steps := 0
	i.Progress = func(stage string, _, _ uint64) {
		if steps++; stage == transfer.StageImport && steps == 60 {
			disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 10 << 20})
		}
	}
	if _, err := i.Run(deadline(t)); err == nil || !strings.Contains(err.Error(), "10 MiB free") {
		t.Fatalf("the error is %v", err)
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30})
	i.Progress = nil
	if _, err := i.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	same(t, from, to)
}

// TestAnImportSaysWhatItWaitsFor: once the cause is gone it goes on.
func TestAnImportSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	disk, to := withRoom(t, 10<<20)
	from, file := serve(t).ConnectionString(), fileIn(t)
	history(t, from, 12, 100)
	exportTo(t, from, file)
	var told []string
	i := transfer.Import{File: file, Workers: 4, To: transfer.Database{ConnectionString: to, Patience: 20 * time.Second}}
	i.To.Waits = func(cause error, left time.Duration) {
		told = append(told, cause.Error())
		if left <= 0 || left > 19*time.Second {
			t.Errorf("%s are left", left)
		}
		disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30})
	}
	if _, err := i.Run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "10 MiB free") {
		t.Errorf("it was told %q", told)
	}
	same(t, from, to)
}
