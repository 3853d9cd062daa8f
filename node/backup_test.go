package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

func TestBackupUnderLoadComesBack(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := opened(t, config(fs))
	l := &ledger{told: map[int]node.Appended{}}
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() { l.write(ctx, n, fmt.Sprint(w), 11) })
	}
	defer writers.Wait()
	defer cancel()
	for len(l.acknowledged()) < 200 {
		if err := n.Wait(deadline(t), n.End()); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // the log grows while each is copied
		s, err := n.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Release(s); err != nil {
			t.Fatal(err)
		}
	}
	before := l.acknowledged()
	m, err := n.Backup(deadline(t), "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	writers.Wait()
	restored := config(fs)
	restored.Dir = "restored"
	done, err := node.Restore(deadline(t), restored, "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Of != n.ID() || done.End != m.End || done.ID == n.ID() {
		t.Errorf("the restore says %+v of a backup %+v", done, m)
	}
	isPrefix(t, fs, n, done)
	all := l.told
	l.told = before
	back := opened(t, restored)
	l.verify(t, back)
	l.told = all
}

// isPrefix checks that the restored store is whole and holds the history of the
// other up to some point, and behind it that it was restored.
func isPrefix(t *testing.T, fs vfs.FS, of *node.Node, done *node.Restored) {
	t.Helper()
	cfg := config(fs)
	cfg.Dir = "restored"
	report, err := node.VerifyDir(deadline(t), cfg, node.Verification{})
	if err != nil || !report.OK() {
		t.Fatalf("the restored store is not whole: %v, %v", report, err)
	}
	back := open(t, cfg)
	defer closeNode(t, back)
	got, err := wholeLog(back, 500)
	if err != nil {
		t.Fatal(err)
	}
	want, err := wholeLog(of, 500)
	if err != nil {
		t.Fatal(err)
	}
	last := got[len(got)-1]
	if last.Stream != node.RestoredStream || last.ID != done.ID || back.ID() != done.ID || last.Position != done.End {
		t.Errorf("the last event is %s of %s at %d, the store %s; the restore was %s at %d", last.ID, last.Stream, last.Position, back.ID(), done.ID, done.End)
	}
	for i, r := range got[:len(got)-1] {
		if w := want[i]; r.ID != w.ID || r.Position != w.Position || r.Revision != w.Revision || !bytes.Equal(r.Data, w.Data) {
			t.Fatalf("event %d is %s at %d, it was %s at %d", i, r.ID, r.Position, w.ID, w.Position)
		}
	}
}

func TestBackupIsRefusedWhereSomethingIs(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := opened(t, config(fs))
	mustAppend(t, n, appendTo("s", node.ExpectAny, "a"))
	if _, err := n.Backup(deadline(t), "backup", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Backup(deadline(t), "backup", nil); err == nil {
		t.Error("a backup is written over another")
	}
	if _, err := node.Restore(deadline(t), config(fs), "backup", nil); err == nil {
		t.Error("a backup is restored over a store")
	}
	if _, err := node.Restore(deadline(t), config(fs), "data", nil); err == nil {
		t.Error("what is no backup is restored")
	}
}

// interrupted cancels when so many bytes were copied.
func interrupted(t *testing.T, after uint64) (context.Context, func(node.Progress)) {
	t.Helper()
	ctx, cancel := context.WithCancel(deadline(t))
	t.Cleanup(cancel)
	return ctx, func(p node.Progress) {
		if p.Done >= after {
			cancel()
		}
	}
}

func TestBackupAndRestoreGoOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := opened(t, config(fs))
	for i := range 200 {
		mustAppend(t, n, node.Append{Stream: fmt.Sprintf("s%d", i%9), Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 2000)}})
	}
	for after := uint64(1); after < 400_000; after += 70_000 {
		ctx, progress := interrupted(t, after)
		if _, err := n.Backup(ctx, "backup", progress); err == nil {
			break
		}
		if _, err := fs.Stat("backup"); err == nil {
			t.Fatal("an interrupted backup looks complete")
		}
		if _, err := node.Restore(deadline(t), node.Config{Dir: "x", FS: fs, Now: config(fs).Now}, "backup.partial", nil); err == nil {
			t.Fatal("an interrupted backup is restored")
		}
	}
	m, err := n.Backup(deadline(t), "backup2", nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(fs)
	cfg.Dir = "restored"
	for after := uint64(1); after < uint64(m.Size()); after += 50_000 {
		ctx, progress := interrupted(t, after)
		if _, err := node.Restore(ctx, cfg, "backup2", progress); err == nil {
			break
		}
		if _, err := node.Open(cfg); err == nil {
			t.Fatal("a store that is restored in part is opened")
		}
	}
	done, err := node.Restore(deadline(t), cfg, "backup2", nil)
	if err != nil {
		t.Fatal(err)
	}
	isPrefix(t, fs, n, done)
	if names, err := fs.List("data"); err != nil || slices.ContainsFunc(names, func(name string) bool { return len(name) > 9 && name[:9] == "snapshot-" }) {
		t.Errorf("the store still holds on to the backup's files: %v, %v", names, err)
	}
}

func TestRestoreGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	n := open(t, config(fs))
	for i := range 100 {
		mustAppend(t, n, node.Append{Stream: fmt.Sprintf("s%d", i%9), Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 2000)}})
	}
	m, err := n.Backup(deadline(t), "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	cfg := config(nil)
	cfg.Dir = "restored"
	rng := rand.New(rand.NewPCG(5, 5))
	for after := uint64(1); ; after += 20_000 {
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		cfg.FS = fs
		if names, err := fs.List("backup"); err != nil || len(names) <= len(m.Files) {
			t.Fatalf("the backup did not survive: %v, %v", names, err)
		}
		ctx, progress := interrupted(t, after)
		if _, err := node.Restore(ctx, cfg, "backup", progress); err == nil {
			break
		}
	}
	cfg.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rng})
	if report, err := node.VerifyDir(deadline(t), cfg, node.Verification{}); err != nil || !report.OK() || report.Records != 101 {
		t.Errorf("after a crash the restored store is %+v, %v", report, err)
	}
}

func TestFilesHeldForABackupAreForgottenAfterAKill(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	n := open(t, config(fs))
	mustAppend(t, n, appendTo("s", node.ExpectAny, "a"))
	s, err := n.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := errors.Join(n.Release(s), n.Close()); err != nil {
		t.Fatal(err)
	}
	opened(t, config(killed))
	if _, err := killed.Stat(s.Dir); err == nil {
		t.Errorf("%s is still there", s.Dir)
	}
}

func TestDamagedBackupIsNotRestored(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := opened(t, config(fs))
	for i := range 50 {
		mustAppend(t, n, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 2000)}})
	}
	m, err := n.Backup(deadline(t), "backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range append(slices.Clone(m.Files), node.ManifestFile{Name: "BACKUP.json"}) {
		path := "backup/" + name.Name
		whole := loadFile(t, fs, path)
		if len(whole) == 0 {
			continue
		}
		for what, broken := range map[string][]byte{"changed": flip(whole), "shorter": whole[:len(whole)-1]} {
			storeFile(t, fs, path, broken)
			cfg := config(fs)
			cfg.Dir = fmt.Sprintf("restored-%s-%d", what, i)
			_, problems, err := node.VerifyBackup(deadline(t), fs, "backup", nil)
			if err == nil && (len(problems) != 1 || problems[0].Where != name.Name) || err != nil && name.Name != "BACKUP.json" {
				t.Errorf("with %s %s the backup has the problems %v, %v", path, what, problems, err)
			}
			if _, err := node.Restore(deadline(t), cfg, "backup", nil); !errors.Is(err, node.ErrDamaged) {
				t.Errorf("with %s %s the restore answers %v", path, what, err)
			}
			storeFile(t, fs, path, whole)
			if _, err := node.Restore(deadline(t), cfg, "backup", nil); err != nil {
				t.Errorf("with %s mended the restore answers %v", path, err)
			}
		}
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 4
	return b
}

func loadFile(tb testing.TB, fs vfs.FS, path string) []byte {
	tb.Helper()
	f, err := fs.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func storeFile(tb testing.TB, fs vfs.FS, path string, b []byte) {
	tb.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	// With the race detector the file system changes what it was given to write.
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}
