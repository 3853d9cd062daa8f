package node

import (
	"errors"
	"io"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockToRead locks a directory for somebody who changes nothing in it. Where
// nothing can be changed, as on a read-only medium, whoever serves the store
// holds its lock file, which can be asked without writing; where there is no
// such file, nobody does. The files must be read through what comes back.
func lockToRead(files vfs.FS, dir string) (vfs.FS, *directoryLock, error) {
	lock, err := lockDirectory(files, dir)
	if !unwritable(err) {
		return files, lock, err
	}
	shared := sharedLockFS{files}
	l := &directoryLock{fs: files, dir: dir}
	if l.pebble, err = pebble.LockDirectory(dir, shared); err != nil {
		return nil, nil, l.refusal(err)
	}
	return shared, l, nil
}

func unwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// sharedLockFS locks a file without writing to it.
type sharedLockFS struct{ vfs.FS }

// Lock implements [vfs.FS].
func (f sharedLockFS) Lock(name string) (io.Closer, error) {
	file, err := f.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, err
	}
	if file.Fd() == vfs.InvalidFd {
		return file, nil
	}
	if err := lockShared(file.Fd()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
