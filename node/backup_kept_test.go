package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

// TestCopiesThatAreNotTheSameAreMadeAgain: what an interrupted backup or restore
// has left may be damaged since, and has the length it should have.
func TestCopiesThatAreNotTheSameAreMadeAgain(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := opened(t, config(fs))
	for i := range 200 {
		mustAppend(t, n, node.Append{Stream: fmt.Sprintf("s%d", i%9), Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 2000)}})
	}
	ctx, progress := interrupted(t, 300_000)
	if _, err := n.Backup(ctx, "backup", progress); err == nil {
		t.Fatal("the backup was not interrupted")
	}
	flipCopies(t, fs, "backup.partial")
	if _, err := n.Backup(deadline(t), "backup", nil); err != nil {
		t.Fatal(err)
	}
	if _, problems, err := node.VerifyBackup(deadline(t), fs, "backup", nil); err != nil || len(problems) > 0 {
		t.Errorf("the backup: %v, %v", problems, err)
	}
	cfg := config(fs)
	cfg.Dir = "restored"
	ctx, progress = interrupted(t, 300_000)
	if _, err := node.Restore(ctx, cfg, "backup", progress); err == nil {
		t.Fatal("the restore was not interrupted")
	}
	flipCopies(t, fs, "restored")
	done, err := node.Restore(deadline(t), cfg, "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	isPrefix(t, fs, n, done)
}

// flipCopies damages the files with events that are complete.
func flipCopies(t *testing.T, fs *vfs.MemFS, dir string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
			path := fs.PathJoin(dir, name)
			storeFile(t, fs, path, flip(loadFile(t, fs, path)))
			flipped++
		}
	}
	if flipped == 0 {
		t.Fatalf("in %s are only %v", dir, names)
	}
}
