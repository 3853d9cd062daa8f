package node

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A RoomError says that a disk has too little room for a copy. Nothing was
// copied.
type RoomError struct {
	Dir        string
	Free, Need uint64 // bytes; Need with what the event store must be left with
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("the disk of %s has %d MiB free, and %d MiB are needed: make room, or name a directory of another disk",
		e.Dir, e.Free/mebi, (e.Need+mebi-1)/mebi)
}

// mustHaveRoom refuses to begin with a copy that does not fit, so that nobody
// waits for hours to learn it. A file system that cannot tell how much is free
// has enough.
func (f *files) mustHaveRoom(to string, m *Manifest, spare uint64) error {
	usage, err := usageOf(f.fs, to)
	if err != nil {
		return nil //nolint:nilerr // then the copy shows whether there is room
	}
	if need := f.missing(to, m) + spare; usage.AvailBytes < need {
		return &RoomError{Dir: to, Free: usage.AvailBytes, Need: need}
	}
	return nil
}

// missing is how many bytes an interrupted attempt has not copied.
func (f *files) missing(to string, m *Manifest) (bytes uint64) {
	for _, file := range m.Files {
		info, err := f.fs.Stat(f.fs.PathJoin(to, file.Name))
		if err != nil || info.Size() != file.Size {
			bytes += uint64(file.Size)
		}
	}
	return bytes
}

// usageOf is of the disk on which a directory is, or would be made.
func usageOf(files vfs.FS, dir string) (vfs.DiskUsage, error) {
	usage, err := files.GetDiskUsage(dir)
	for errors.Is(err, fs.ErrNotExist) && files.PathDir(dir) != dir {
		dir = files.PathDir(dir)
		usage, err = files.GetDiskUsage(dir)
	}
	return usage, err
}

// spareBeside is what a copy has to leave of the disk it goes to: where that is
// the disk of the store, too, a full one would stop the store.
func (f *files) spareBeside(s *Snapshot, to string) uint64 {
	of, err := usageOf(f.fs, s.Dir)
	if err != nil {
		return 0
	}
	if other, err := usageOf(f.fs, to); err != nil || other.TotalBytes != of.TotalBytes {
		return 0
	}
	return s.MinFree
}
