package node

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between the library and a write-ahead log that cannot be
// written. The library answers some of those errors with a panic that cannot be
// recovered, because mutexes are in the wrong state. So it never sees them: the
// store is marked as failed, which answers everybody who waits, and the
// goroutine that met the error is parked for the rest of the process.
type guardFS struct {
	vfs.FS
	failure *failure
	armed   atomic.Bool // not while the store is opened: then errors come back

	mu   sync.Mutex
	logs map[string]*roomyFile // that are being written, by name
}

// Unwrap implements [vfs.FS].
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// Create implements [vfs.FS].
func (g *guardFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, category)
	return g.file(name, f, err)
}

// ReuseForWrite implements [vfs.FS].
func (g *guardFS) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldName, newName, category)
	return g.file(newName, f, err)
}

// Open implements [vfs.FS]. A log that is being written ends where it has been
// written to.
func (g *guardFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if log := g.logs[name]; log != nil {
		return log.reader(f), nil
	}
	return f, nil
}

// OpenDir implements [vfs.FS]. A new log is in the directory only when that is
// synced.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, guard: g}, nil
}

func (g *guardFS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return f, err
	}
	if err := g.check(err); err != nil {
		return nil, err
	}
	roomy, err := newRoomyFile(f)
	if err := g.check(err); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.logs == nil {
		g.logs = map[string]*roomyFile{}
	}
	g.logs[name] = roomy
	return &guardFile{File: roomy, guard: g, log: name}, nil
}

// written is told that a log is complete: it is closed with its end in it.
func (g *guardFS) written(log string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.logs, log)
}

func (g *guardFS) check(err error) error {
	if err == nil || !g.armed.Load() {
		return err
	}
	g.failure.set(fmt.Errorf("write ahead: %w", err))
	g.failure.park()
	return err
}

type guardFile struct {
	vfs.File
	guard *guardFS
	log   string // its name, where it is one
}

func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.guard.check(err)
}

func (f *guardFile) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.File.WriteAt(p, offset)
	return n, f.guard.check(err)
}

func (f *guardFile) Sync() error { return f.guard.check(f.File.Sync()) }

func (f *guardFile) SyncData() error { return f.guard.check(f.File.SyncData()) }

func (f *guardFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.guard.check(err)
}

func (f *guardFile) Close() error {
	f.guard.written(f.log)
	return f.guard.check(f.File.Close())
}
