package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/node"
)

func TestRestoreIsRefusedWhereItDoesNotFit(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	m := backedUp(t, disk)
	size := uint64(m.Size())
	cfg := config(disk)
	cfg.Dir = "restored"
	cfg.MinFreeBytes = 300 << 20
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: size + 300<<20 - 1})
	copied := false
	_, err := node.Restore(deadline(t), cfg, "backup", func(node.Progress) { copied = true })
	if diff := cmp.Diff(&node.RoomError{Dir: "restored", Free: size + 300<<20 - 1, Need: size + 300<<20}, roomError(err)); diff != "" || copied {
		t.Fatalf("it answered %v, copied: %t (-want +got):\n%s", err, copied, diff)
	}
	oneLine(t, err, "restored", "MiB free", "make room")
	if names, err := disk.List("restored"); err == nil {
		t.Errorf("the refused restore leaves %v", names)
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: size + 300<<20})
	interrupted := interruptedRestore(t, cfg, uint64(m.Files[0].Size)+1)
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: size - interrupted + 300<<20})
	if _, err := node.Restore(deadline(t), cfg, "backup", nil); err != nil {
		t.Errorf("one that was interrupted and fits does not go on: %v", err)
	}
}

func roomError(err error) *node.RoomError {
	room := (*node.RoomError)(nil)
	errors.As(err, &room)
	return room
}

// interruptedRestore returns how many bytes it has copied for good.
func interruptedRestore(t *testing.T, cfg node.Config, after uint64) (copied uint64) {
	t.Helper()
	ctx, progress := interrupted(t, after)
	if _, err := node.Restore(ctx, cfg, "backup", progress); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	m, err := node.ReadManifest(cfg.FS, "backup")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range m.Files {
		if info, err := cfg.FS.Stat(cfg.FS.PathJoin(cfg.Dir, file.Name)); err == nil && info.Size() == file.Size {
			copied += uint64(file.Size)
		}
	}
	if copied == 0 {
		t.Fatal("nothing was copied before the interruption")
	}
	return copied
}

func backedUp(t *testing.T, fs vfs.FS) *node.Manifest {
	t.Helper()
	n := opened(t, config(fs))
	for i := range 200 {
		mustAppend(t, n, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 2000)}})
	}
	m, err := n.Backup(deadline(t), "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBackupIsRefusedWhereItDoesNotFit(t *testing.T) {
	t.Parallel()
	disk := &twoDisks{FS: vfs.NewMem(), usage: map[string]vfs.DiskUsage{}}
	cfg := config(disk)
	cfg.MinFreeBytes = 100 << 20
	n := opened(t, cfg)
	mustAppend(t, n, appendTo("s", node.ExpectAny, names("s", 50)...))
	probe, err := n.Backup(deadline(t), "probe", nil)
	if err != nil {
		t.Fatal(err)
	}
	size := uint64(probe.Size())
	cases := []struct {
		name        string
		store, here vfs.DiskUsage
		fits        bool
	}{
		{"another disk, too small", vfs.DiskUsage{TotalBytes: 9}, vfs.DiskUsage{TotalBytes: 8, AvailBytes: size / 2}, false},
		{"another disk, just enough", vfs.DiskUsage{TotalBytes: 9}, vfs.DiskUsage{TotalBytes: 8, AvailBytes: size + 10_000}, true},
		{"the store's disk, which it would fill", vfs.DiskUsage{TotalBytes: 9}, vfs.DiskUsage{TotalBytes: 9, AvailBytes: size + 10_000}, false},
		{"the store's disk", vfs.DiskUsage{TotalBytes: 9}, vfs.DiskUsage{TotalBytes: 9, AvailBytes: size + 101<<20}, true},
	}
	for i, tc := range cases {
		dir := fmt.Sprintf("backup-%d", i)
		disk.usage = map[string]vfs.DiskUsage{"data": tc.store, dir: tc.here}
		_, err := n.Backup(deadline(t), dir, nil)
		if tc.fits && err != nil || !tc.fits && roomError(err) == nil {
			t.Errorf("%s: it answered %v", tc.name, err)
		}
	}
}

// twoDisks has a disk for each directory at its top.
type twoDisks struct {
	vfs.FS
	usage map[string]vfs.DiskUsage
}

func (d *twoDisks) GetDiskUsage(dir string) (vfs.DiskUsage, error) {
	for top, usage := range d.usage {
		if len(dir) >= len(top) && dir[:len(top)] == top {
			return usage, nil
		}
	}
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}
