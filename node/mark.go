package node

import (
	"errors"
	"fmt"
	"io/fs"
)

// markFile says where the log ended when the store was closed in order. The
// library starts with less when its list of tables has lost its end, and takes
// that for the whole.
const markFile = "END"

const markFormat = "the log ended at %d (%08x)\n"

func (n *Node) markPath() string { return n.fs.PathJoin(n.cfg.Dir, markFile) }

// writeMark replaces the mark in one step.
func (n *Node) writeMark(end uint64) error {
	f := files{fs: n.fs}
	if err := f.writeFile(n.markPath(), fmt.Appendf(nil, markFormat, end, checksum(end, nil))); err != nil {
		return err
	}
	return f.syncDir(n.cfg.Dir)
}

// readMark is where the log begins when there is no mark.
func (n *Node) readMark() (end uint64, err error) {
	text, err := readFile(n.fs, n.markPath(), 256)
	if errors.Is(err, fs.ErrNotExist) {
		return logStart, nil
	}
	if err != nil {
		return 0, err
	}
	var sum uint32
	if _, err := fmt.Sscanf(string(text), markFormat, &end, &sum); err != nil || sum != checksum(end, nil) {
		return 0, fmt.Errorf("%s says %q: %w", n.markPath(), text, ErrDamaged)
	}
	return end, nil
}

// mustReach refuses a log that ends before the mark.
func (n *Node) mustReach(end uint64) error {
	mark, err := n.readMark()
	if err != nil || end >= mark {
		return err
	}
	return fmt.Errorf("the log ends at %d, but ended at %d when the store was closed, a file is missing or was cut: %w", end, mark, ErrDamaged)
}
