package node

import (
	"fmt"
	"time"
)

// A NoSpaceError says that the disk is nearly full. Nothing was stored; appends
// are taken again when there is room.
type NoSpaceError struct {
	Dir        string
	Free, Need uint64 // bytes
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("the disk of %s has %d MiB free and the event store needs %d MiB: make room",
		e.Dir, e.Free/mebi, e.Need/mebi)
}

// defaultMinFree is of [Config].
const defaultMinFree = 256 * mebi

// diskRoom is what is known of the disk. It belongs to the writer.
type diskRoom struct {
	plenty bool // no group, and no other program, fills the disk in a moment
	asked  time.Time
}

const (
	plenty        = 8 // times what is needed
	askRoomyEvery = 100 * time.Millisecond
)

// checkSpace keeps appends away from a disk that is nearly full, because what
// happens on one that is full is worse. A file system that cannot tell how much
// is free has enough. One with plenty of room is not asked at every group.
func (w *writer) checkSpace() error {
	n, now := w.node, w.node.cfg.Now()
	if since := now.Sub(w.room.asked); w.room.plenty && since >= 0 && since < askRoomyEvery {
		return nil
	}
	usage, err := n.fs.GetDiskUsage(n.cfg.Dir)
	w.room = diskRoom{plenty: err != nil || usage.AvailBytes/plenty > n.cfg.MinFreeBytes, asked: now}
	if err != nil || usage.AvailBytes >= n.cfg.MinFreeBytes {
		return nil
	}
	return &NoSpaceError{Dir: n.cfg.Dir, Free: usage.AvailBytes, Need: n.cfg.MinFreeBytes}
}
