package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A LockedError says that another process serves the directory.
type LockedError struct {
	Dir     string
	Address string // where the other one listens; empty when it did not say
}

func (e *LockedError) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("another process uses the data directory %s", e.Dir)
	}
	return fmt.Sprintf("another process serves the data directory %s at %s", e.Dir, e.Address)
}

const (
	addressFile = "ADDRESS"
	lockFile    = "LOCK" // of the library
)

type directoryLock struct {
	fs     vfs.FS
	dir    string
	pebble *pebble.Lock
	kept   atomic.Bool
}

func lockDirectory(files vfs.FS, dir string) (*directoryLock, error) {
	if err := files.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	l := &directoryLock{fs: files, dir: dir}
	lock, err := pebble.LockDirectory(dir, files)
	if err != nil {
		return nil, l.refusal(err)
	}
	l.pebble = lock
	l.forget()
	return l, nil
}

// refusal tells a lock that is held, which comes as a bare error, from a
// directory that cannot be used, which comes with a path.
func (l *directoryLock) refusal(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("lock the directory: %w", err)
	}
	return &LockedError{Dir: l.dir, Address: l.announced()}
}

func (l *directoryLock) path() string { return l.fs.PathJoin(l.dir, addressFile) }

func (l *directoryLock) announce(address string) {
	f, err := l.fs.Create(l.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	_, _ = io.WriteString(f, address+"\n")
	_ = f.Close()
}

func (l *directoryLock) announced() string {
	text, err := readFile(l.fs, l.path(), 256)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (l *directoryLock) forget() { _ = l.fs.Remove(l.path()) }

// keep makes release do nothing.
func (l *directoryLock) keep() { l.kept.Store(true) }

func (l *directoryLock) release() error {
	if l.kept.Load() {
		return nil
	}
	l.forget()
	return l.pebble.Close()
}
