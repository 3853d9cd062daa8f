package node

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// room is how much longer a write-ahead log is made at a time: some hundreds of
// appends.
const room = 256 << 10

var nothing [room]byte //nolint:gochecknoglobals // zeros to write

// A roomyFile is longer than what was written to it. A write within the length
// changes nothing but data, and syncing that is one write to the disk. A write
// that makes the file longer makes the file system keep a record of that too,
// which is a second one, and waits for whatever else it has to record.
//
// What follows the last record is zeros, or what the file held before: the
// library knows the end of its log by neither.
type roomyFile struct {
	vfs.File
	written atomic.Int64
	length  int64
	narrow  bool // there is no more room
}

// newRoomyFile is for a file that is written from its beginning.
func newRoomyFile(f vfs.File) (*roomyFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at a write-ahead log: %w", err)
	}
	return &roomyFile{File: f, length: info.Size()}, nil
}

// Write implements [vfs.File].
func (f *roomyFile) Write(p []byte) (int, error) {
	for f.written.Load()+int64(len(p)) > f.length && !f.narrow {
		f.lengthen()
	}
	n, err := f.File.Write(p)
	f.length = max(f.length, f.written.Add(int64(n)))
	return n, err
}

// lengthen fails without a word: whether the disk is full or broken shows in the
// write that wants the room.
func (f *roomyFile) lengthen() {
	n, err := f.WriteAt(nothing[:], f.length)
	f.length += int64(n)
	f.narrow = err != nil
}

// A writtenFile ends where a [roomyFile] had been written to when it was opened.
// Whoever copies a log that is being written would else read zeros in one piece
// and, in the next, what was written behind them meanwhile: a log with a hole.
type writtenFile struct {
	vfs.File
	written *io.SectionReader
}

func (f *roomyFile) reader(file vfs.File) vfs.File {
	return &writtenFile{File: file, written: io.NewSectionReader(file, 0, f.written.Load())}
}

// Read implements [vfs.File].
func (f *writtenFile) Read(p []byte) (int, error) { return f.written.Read(p) }

// ReadAt implements [vfs.File].
func (f *writtenFile) ReadAt(p []byte, offset int64) (int, error) { return f.written.ReadAt(p, offset) }
