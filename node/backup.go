package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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

// Backup copies the store, as it is when Backup begins or a little later, to
// the directory dir, which must not exist. Readers and writers go on. The
// backup is complete when dir is there: until then it is in dir.partial, with
// which an interrupted backup goes on when it is called again.
func (n *Node) Backup(ctx context.Context, dir string, progress func(Progress)) (*Manifest, error) {
	if !n.backup.TryLock() {
		return nil, errors.New("another backup is being made")
	}
	defer n.backup.Unlock()
	var m *Manifest
	err := n.reading(func() (err error) {
		b := backup{node: n, dir: dir, files: files{fs: n.fs, stage: "backup", progress: progress}}
		m, err = b.run(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("back up %s to %s: %w", n.cfg.Dir, dir, err)
	}
	return m, nil
}

type backup struct {
	files
	node *Node
	dir  string
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
	snapshot, err := b.node.snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.fs.RemoveAll(snapshot)) }()
	if m, err = b.describe(snapshot); err != nil {
		return nil, err
	}
	if err := b.tidy(partial, m); err != nil {
		return nil, err
	}
	if err := b.copyAll(ctx, snapshot, partial, m); err != nil {
		return nil, err
	}
	return m, b.complete(partial, m)
}

// snapshot links the files into a directory beside them.
func (n *Node) snapshot() (string, error) {
	dir := n.fs.PathJoin(n.cfg.Dir, snapshotPrefix+uuid.NewString())
	if err := n.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return "", fmt.Errorf("hold on to the files: %w", err)
	}
	return dir, n.failure.err()
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

// describe opens the snapshot, which also shows that it can be opened.
func (b *backup) describe(snapshot string) (m *Manifest, err error) {
	m = &Manifest{Format: manifestFormat, ID: b.node.id, Taken: b.node.cfg.Now().UTC()}
	if m.End, err = endOf(&b.node.cfg, b.fs, snapshot); err != nil {
		return nil, err
	}
	names, err := b.fs.List(snapshot)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		if name == lockFile {
			continue
		}
		info, err := b.fs.Stat(b.fs.PathJoin(snapshot, name))
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, ManifestFile{Name: name, Size: info.Size()})
	}
	return m, nil
}

// endOf reads where the log of a stopped store ends.
func endOf(cfg *Config, files vfs.FS, dir string) (end uint64, err error) {
	of := *cfg
	of.Dir, of.FS = dir, files
	lock, err := lockDirectory(files, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	cache := pebble.NewCache(mebi)
	defer cache.Unref()
	db, err := openReadOnly(&of, lock, cache)
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
