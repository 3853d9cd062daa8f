package node_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
)

// A readOnlyFS is a medium that nothing can be written to. A mounted one needs
// rights that a test does not have.
type readOnlyFS struct {
	vfs.FS
	cause error
}

func (f readOnlyFS) refuse(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: f.cause}
}

func (f readOnlyFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, f.refuse("open", name)
}

func (f readOnlyFS) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, f.refuse("open", name)
}

func (f readOnlyFS) ReuseForWrite(_, name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, f.refuse("open", name)
}
func (f readOnlyFS) Lock(name string) (io.Closer, error) { return nil, f.refuse("open", name) }
func (f readOnlyFS) Link(_, name string) error           { return f.refuse("link", name) }
func (f readOnlyFS) Remove(name string) error            { return f.refuse("unlink", name) }
func (f readOnlyFS) RemoveAll(name string) error         { return f.refuse("unlink", name) }
func (f readOnlyFS) Rename(_, name string) error         { return f.refuse("rename", name) }

func TestVerifyOnAReadOnlyMedium(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"read-only": syscall.EROFS, "another's": syscall.EACCES} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(vfs.Default)
			cfg.Dir = t.TempDir()
			n := open(t, cfg)
			for _, list := range [][]string{names("a", 40), names("b", 40)} {
				mustAppend(t, n, appendTo("s", node.ExpectAny, list...))
			}
			closeNode(t, n)
			cfg.FS = readOnlyFS{vfs.Default, cause}
			verifyReadOnly(t, cfg)
			if err := os.Remove(filepath.Join(cfg.Dir, "LOCK")); err != nil {
				t.Fatal(err)
			}
			verifyReadOnly(t, cfg)
			damageTable(t, cfg.Dir)
			if report, err := node.VerifyDir(deadline(t), cfg, node.Verification{}); err != nil || report.OK() {
				t.Errorf("a damaged file is not seen: %+v, %v", report, err)
			}
		})
	}
}

func verifyReadOnly(t *testing.T, cfg node.Config) {
	t.Helper()
	report, err := node.VerifyDir(deadline(t), cfg, node.Verification{})
	if err != nil || !report.OK() || report.Records != 80 {
		t.Fatalf("verified %+v, %v", report, err)
	}
}

func damageTable(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 1
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyReadOnlyWhileServed looks from a process of its own: locks of files
// are those of processes.
func TestVerifyReadOnlyWhileServed(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(childVariable); dir != "" {
		cfg := config(readOnlyFS{vfs.Default, syscall.EROFS})
		cfg.Dir = dir
		_, err := node.VerifyDir(deadline(t), cfg, node.Verification{})
		if locked := (*node.LockedError)(nil); !errors.As(err, &locked) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("a store that is served is verified with %v", err)
		}
		return
	}
	cfg := config(vfs.Default)
	cfg.Dir = t.TempDir()
	n := opened(t, cfg)
	n.Announce("127.0.0.1:1")
	child(t, "TestVerifyReadOnlyWhileServed", cfg.Dir)
}
