package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// RestoredStream has an event for each time the store was restored. A restore
// takes back events that consumers may have seen, and gives their positions to
// others: whoever keeps a position beside the store keeps the id of this
// stream's last event with it, and believes the position only as long as the
// two are equal.
const RestoredStream = "waybill-restored"

// TypeRestored is the type of the events of [RestoredStream].
const TypeRestored = "Restored"

// A Restored says what a restore has made.
type Restored struct {
	ID    uuid.UUID `json:"id"`    // of the restored store: another one than that of the backup
	Of    uuid.UUID `json:"of"`    // the store that was backed up
	Taken time.Time `json:"taken"` // when
	End   uint64    `json:"end"`   // of the log in the backup
}

// Restore makes a store in cfg.Dir, which must be missing or empty, of the
// backup in the directory from. When it is interrupted, the same call goes on
// with it; until it is done the directory cannot be opened.
func Restore(ctx context.Context, cfg Config, from string, progress func(Progress)) (*Restored, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	r := restore{cfg: cfg, from: from, files: files{fs: cfg.FS, stage: "restore", progress: progress}}
	done, err := r.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("restore %s into %s: %w", from, cfg.Dir, err)
	}
	return done, nil
}

// VerifyBackup compares the files of the backup in dir with their checksums and
// names those that are broken.
func VerifyBackup(ctx context.Context, fs vfs.FS, dir string, progress func(Progress)) (*Manifest, []Problem, error) {
	m, err := ReadManifest(fs, dir)
	if err != nil {
		return nil, nil, err
	}
	f := files{fs: fs, stage: "files", progress: progress, total: uint64(m.Size())}
	var problems []Problem
	for _, file := range m.Files {
		sum, err := f.sum(ctx, fs.PathJoin(dir, file.Name), file.Size)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil || sum != file.SHA256 {
			problems = append(problems, Problem{"file", file.Name, "is missing, or not the file that was backed up"})
		}
		f.advance(uint64(file.Size))
	}
	return m, problems, nil
}

type restore struct {
	files
	cfg  Config
	from string
}

func (r *restore) run(ctx context.Context) (*Restored, error) {
	m, err := ReadManifest(r.fs, r.from)
	if err != nil {
		return nil, err
	}
	if err := r.mustFit(m); err != nil {
		return nil, err
	}
	mark, err := r.begin(m)
	if err != nil {
		return nil, err
	}
	if err := r.fill(ctx, m); err != nil {
		return nil, err
	}
	if err := r.finish(ctx, m, mark); err != nil {
		return nil, err
	}
	return &mark.Restored, nil
}

// mustFit counts what the store needs to take events, too: it writes one that it
// was restored.
func (r *restore) mustFit(m *Manifest) error {
	if _, err := r.fs.Stat(r.fs.PathJoin(r.cfg.Dir, filledName)); err == nil {
		m = &Manifest{} // all is copied
	}
	return r.mustHaveRoom(r.cfg.Dir, m, r.cfg.MinFreeBytes)
}

// restoringName is of the file that says that a restore is not done.
const restoringName = "RESTORING.json"

// restoring is that file.
type restoring struct {
	Restored
	Manifest string `json:"manifest"` // its checksum
}

// begin marks the directory, unless it belongs to somebody else.
func (r *restore) begin(m *Manifest) (*restoring, error) {
	seal := seal(m.encode())
	mark, err := readRestoring(r.fs, r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	if mark != nil {
		if mark.Manifest != seal {
			return nil, fmt.Errorf("a restore of another backup was not finished there (%s, taken %s): repeat that one, or empty the directory",
				mark.Of, mark.Taken.Format(time.RFC3339))
		}
		return mark, nil
	}
	if err := r.mustBeEmpty(); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	mark = &restoring{Restored: Restored{ID: id, Of: m.ID, Taken: m.Taken, End: m.End}, Manifest: seal}
	b, err := json.Marshal(mark)
	if err != nil {
		return nil, err
	}
	if err := r.fs.MkdirAll(r.cfg.Dir, 0o750); err != nil {
		return nil, err
	}
	if err := r.writeFile(r.fs.PathJoin(r.cfg.Dir, restoringName), b); err != nil {
		return nil, err
	}
	return mark, r.syncDir(r.cfg.Dir)
}

func (r *restore) mustBeEmpty() error {
	names, err := r.fs.List(r.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if name != lockFile && name != addressFile && name != restoringName+copyingSuffix {
			return fmt.Errorf("the directory is not empty, it has %s: name one that is, or move what is there away", name)
		}
	}
	return err
}

// readRestoring is nil when no restore is under way in the directory.
func readRestoring(files vfs.FS, dir string) (*restoring, error) {
	b, err := readFile(files, files.PathJoin(dir, restoringName), mebi)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	mark := &restoring{}
	if err := json.Unmarshal(b, mark); err != nil {
		return nil, damaged(restoringName, "is not understood")
	}
	return mark, nil
}

// mustBeWhole keeps a store that is there in part from being opened.
func mustBeWhole(files vfs.FS, dir string) error {
	mark, err := readRestoring(files, dir)
	if err == nil && mark != nil {
		err = errors.New("a restore of a backup was not finished there: repeat it")
	}
	return err
}

// fill copies the files. The store may have been opened already, by an attempt
// that came to its last step: then there is nothing to copy.
func (r *restore) fill(ctx context.Context, m *Manifest) error {
	lock, err := lockDirectory(r.fs, r.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.release() }() // the store takes it again, and would say what is wrong
	filled := r.fs.PathJoin(r.cfg.Dir, filledName)
	if _, err := r.fs.Stat(filled); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.copyAll(ctx, r.from, r.cfg.Dir, m); err != nil {
		return err
	}
	if err := r.writeFile(filled, nil); err != nil {
		return err
	}
	return r.syncDir(r.cfg.Dir)
}

// filledName is of the file that says that all others are there.
const filledName = "RESTORING.filled"

// finish opens the store, which reads its newest records, gives it an id of its
// own, and writes into it that it was restored.
func (r *restore) finish(ctx context.Context, m *Manifest, mark *restoring) (err error) {
	cfg := r.cfg
	cfg.restoring = true
	n, err := Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if n.id != m.ID && n.id != mark.ID || n.End() < m.End {
		return damaged(r.from, fmt.Sprintf("holds the store %s up to %d, not %s up to %d", n.id, n.End(), m.ID, m.End))
	}
	data, err := json.Marshal(mark.Restored)
	if err != nil {
		return err
	}
	event := Event{ID: mark.ID, Type: TypeRestored, JSON: true, Data: data}
	if _, err := n.Append(ctx, Append{Stream: RestoredStream, Expected: ExpectAny, Events: []Event{event}}); err != nil {
		return err
	}
	if err := n.inWriter(ctx, func(*writer) error { return n.rename(mark.ID) }); err != nil {
		return err
	}
	// In this order: a directory that is being restored and not filled would be
	// filled again.
	for _, name := range []string{restoringName, filledName} {
		if err := r.fs.Remove(r.fs.PathJoin(r.cfg.Dir, name)); err != nil {
			return err
		}
		if err := r.syncDir(r.cfg.Dir); err != nil {
			return err
		}
	}
	return nil
}

// rename is for a store whose positions no longer mean what they meant.
func (n *Node) rename(id uuid.UUID) error {
	if err := n.db.Set(metaKey(metaNodeID), id[:], pebble.Sync); err != nil {
		return err
	}
	return n.failure.err()
}
