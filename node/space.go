package node

import "fmt"

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

// checkSpace keeps appends away from a disk that is nearly full, because what
// happens on one that is full is worse. A file system that cannot tell how much
// is free has enough.
func (n *Node) checkSpace() error {
	usage, err := n.fs.GetDiskUsage(n.cfg.Dir)
	if err != nil || usage.AvailBytes >= n.cfg.MinFreeBytes {
		return nil
	}
	return &NoSpaceError{Dir: n.cfg.Dir, Free: usage.AvailBytes, Need: n.cfg.MinFreeBytes}
}
