package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// partialSuffix is of the name of a backup that is not complete.
const partialSuffix = ".partial"

// snapshotPrefix is of the names of directories, within that of a store, that
// hold on to the files a backup is made of. They are links and take no room
// until the store has replaced the files.
const snapshotPrefix = "snapshot-"

// A Snapshot is the files of a store as they were at one moment.
type Snapshot struct {
	Dir   string    `json:"dir"`
	ID    uuid.UUID `json:"id"`  // of the store
	End   uint64    `json:"end"` // of its log: all records before it are in the files
	Taken time.Time `json:"taken"`
	// MinFree is what a copy on the store's own disk leaves free, in bytes.
	MinFree uint64 `json:"min_free"`
}

// Snapshot holds on to the files as they are, for somebody who copies them, and
// says where they are. What was acknowledged is in them. They must be released.
func (n *Node) Snapshot() (*Snapshot, error) {
	s := &Snapshot{Dir: n.fs.PathJoin(n.cfg.Dir, snapshotPrefix+uuid.NewString()), ID: n.ID(), Taken: n.cfg.Now().UTC(), MinFree: n.cfg.MinFreeBytes}
	err := n.reading(func() error {
		if err := n.db.Checkpoint(s.Dir, pebble.WithFlushedWAL()); err != nil {
			return err
		}
		if err := n.failure.err(); err != nil {
			return err
		}
		var err error
		s.End, err = endOf(&n.cfg, n.fs, s.Dir)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hold on to the files of %s: %w", n.cfg.Dir, err), n.Release(s))
	}
	return s, nil
}

// Release lets go of the snapshot's files.
func (n *Node) Release(s *Snapshot) error { return n.fs.RemoveAll(s.Dir) }

// Backup copies the store, as it is when Backup begins or a little later, to
// the directory dir, which must not exist. Readers and writers go on. See
// [CopySnapshot].
func (n *Node) Backup(ctx context.Context, dir string, progress func(Progress)) (m *Manifest, err error) {
	s, err := n.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Release(s)) }()
	return CopySnapshot(ctx, n.fs, s, dir, progress)
}

// CopySnapshot makes a backup of a snapshot in the directory dir, which must
// not exist. It is complete when dir is there: until then it is in dir.partial,
// with which an interrupted backup goes on when the store is backed up again.
func CopySnapshot(ctx context.Context, fs vfs.FS, s *Snapshot, dir string, progress func(Progress)) (*Manifest, error) {
	b := backup{of: s, dir: dir, files: files{fs: fs, stage: "backup", progress: progress}}
	m, err := b.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	return m, nil
}

type backup struct {
	files
	of  *Snapshot
	dir string
}

func (b *backup) run(ctx context.Context) (m *Manifest, err error) {
	if _, err := b.fs.Stat(b.dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(errors.New("it is there already: name another directory"), err)
	}
	partial := b.dir + partialSuffix
	if err := b.fs.MkdirAll(partial, 0o750); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(partial, b.fs)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", partial, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if m, err = b.describe(); err != nil {
		return nil, err
	}
	if err := b.tidy(partial, m); err != nil {
		return nil, err
	}
	if err := b.mustHaveRoom(partial, m, b.spareBeside(b.of, partial)); err != nil {
		return nil, err
	}
	if err := b.copyAll(ctx, b.of.Dir, partial, m); err != nil {
		return nil, err
	}
	return m, b.complete(partial, m)
}

// forgetSnapshots removes those of a process that was killed.
func (n *Node) forgetSnapshots() error {
	names, err := n.fs.List(n.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, snapshotPrefix) {
			err = errors.Join(err, n.fs.RemoveAll(n.fs.PathJoin(n.cfg.Dir, name)))
		}
	}
	return err
}

func (b *backup) describe() (*Manifest, error) {
	m := &Manifest{Format: manifestFormat, ID: b.of.ID, End: b.of.End, Taken: b.of.Taken}
	names, err := b.fs.List(b.of.Dir)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		if name == lockFile {
			continue
		}
		info, err := b.fs.Stat(b.fs.PathJoin(b.of.Dir, name))
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, ManifestFile{Name: name, Size: info.Size()})
	}
	return m, nil
}

// endOf reads where the log of a stopped store ends, which also shows that it
// can be opened.
func endOf(cfg *Config, files vfs.FS, dir string) (end uint64, err error) {
	of := *cfg
	of.Dir = dir
	lock, err := lockDirectory(files, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	cache := pebble.NewCache(mebi)
	defer cache.Unref()
	db, err := openReadOnly(&of, files, lock, cache)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	it, err := db.NewIter(logBounds(0, ^uint64(0)))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return logStart, it.Error()
	}
	v, err := viewOf(it)
	if err != nil {
		return 0, err
	}
	return v.end(), nil
}

// tidy removes what an earlier attempt has copied and this one does not want.
func (b *backup) tidy(partial string, m *Manifest) error {
	names, err := b.fs.List(partial)
	if err != nil {
		return err
	}
	for _, name := range names {
		wanted := slices.ContainsFunc(m.Files, func(f ManifestFile) bool { return f.Name == name })
		if !wanted && name != lockFile {
			err = errors.Join(err, b.fs.RemoveAll(b.fs.PathJoin(partial, name)))
		}
	}
	return err
}

// complete gives the backup its name once all of it is on the disk.
func (b *backup) complete(partial string, m *Manifest) error {
	if err := b.writeFile(b.fs.PathJoin(partial, manifestName), m.encode()); err != nil {
		return err
	}
	if err := b.syncDir(partial); err != nil {
		return err
	}
	if err := b.fs.Rename(partial, b.dir); err != nil {
		return err
	}
	return b.syncDir(b.fs.PathDir(b.dir))
}
