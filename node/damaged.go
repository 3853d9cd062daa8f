package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// nameDamage says in one line which file is damaged, if that is what the library's
// error is about.
func nameDamage(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) {
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return fmt.Errorf("%s: %w: %s", info.Path, ErrDamaged, firstLine(err))
	}
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %s", ErrDamaged, firstLine(err))
	}
	return err
}

// explainOpen says in one line why the files cannot be opened, and which
// write-ahead log is damaged: the library does not name it.
func explainOpen(files vfs.FS, dir string, cause error) error {
	if failed := (*FailedError)(nil); errors.As(cause, &failed) {
		return cause
	}
	logs, err := logFiles(files, dir)
	if err != nil {
		return nameDamage(cause)
	}
	for i, number := range logs {
		path := files.PathJoin(dir, fmt.Sprintf("%06d.log", number))
		if at, err := checkLogFile(files, path, number, i == len(logs)-1); err != nil {
			return fmt.Errorf("the write-ahead log %s is not whole behind byte %d: %w: %s", path, at, ErrDamaged, firstLine(cause))
		}
	}
	if errors.Is(cause, fs.ErrNotExist) {
		return fmt.Errorf("a file is missing, or the list of files is damaged: %w: %s", ErrDamaged, firstLine(cause))
	}
	cause = nameDamage(cause)
	if line := firstLine(cause); line != cause.Error() {
		return errors.New(line) // the others are of other files
	}
	return cause
}

// logFiles are the numbers of the write-ahead logs, the newest is the last.
func logFiles(files vfs.FS, dir string) ([]uint64, error) {
	names, err := files.List(dir)
	var list []uint64
	for _, name := range names {
		if number, ok := strings.CutSuffix(name, ".log"); ok {
			if n, err := strconv.ParseUint(number, 10, 64); err == nil {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list, err
}

// checkLogFile reads a write-ahead log until something is not whole, and says up
// to where it was. At the end of the newest one that is no damage.
func checkLogFile(files vfs.FS, path string, number uint64, newest bool) (at int64, err error) {
	f, err := files.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := record.NewReader(f, like(pebble.SSTableInfo{}.BackingSSTNum, number))
	for {
		at = r.Offset()
		chunk, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, chunk)
		}
		switch {
		case errors.Is(err, io.EOF), newest && errors.Is(err, record.ErrUnexpectedEOF):
			return at, nil
		case err != nil:
			return at, err
		}
	}
}

// like converts to a type of the library that has no name outside it.
func like[T ~uint64](_ T, n uint64) T { return T(n) }
