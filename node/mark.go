package node

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markFile says where the log ended when the store was closed in order. The
// library starts with less when its list of tables has lost its end, and takes
// that for the whole.
const markFile = "END"

const markFormat = "the log ended at %d (%08x)\n"

// writeMark replaces the mark in one step.
func (n *Node) writeMark(end uint64) error {
	f := files{fs: n.fs}
	if err := f.writeFile(n.fs.PathJoin(n.cfg.Dir, markFile), fmt.Appendf(nil, markFormat, end, checksum(end, nil))); err != nil {
		return err
	}
	return f.syncDir(n.cfg.Dir)
}

// readMark is where the log begins when there is no mark.
func readMark(files vfs.FS, dir string) (end uint64, err error) {
	path := files.PathJoin(dir, markFile)
	text, err := readFile(files, path, 256)
	if errors.Is(err, fs.ErrNotExist) {
		return logStart, nil
	}
	if err != nil {
		return 0, err
	}
	var sum uint32
	if _, err := fmt.Sscanf(string(text), markFormat, &end, &sum); err != nil || sum != checksum(end, nil) {
		return 0, fmt.Errorf("%s says %q: %w", path, text, ErrDamaged)
	}
	return end, nil
}

// mustReach refuses a log that ends before the mark.
func (n *Node) mustReach(end uint64) error {
	mark, err := readMark(n.fs, n.cfg.Dir)
	if err != nil || end >= mark {
		return err
	}
	return fmt.Errorf("the log ends at %d, but ended at %d when the store was closed, a file is missing or was cut: %w", end, mark, ErrDamaged)
}

// mustHaveList refuses tables and a mark without the files that name the list of
// tables and its format: the library would make a new store of what else there
// is.
func mustHaveList(files vfs.FS, dir string) error {
	names, err := files.List(dir)
	if err != nil {
		return err
	}
	has := func(match func(name, part string) bool, part string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return match(name, part) })
	}
	if !has(strings.HasSuffix, ".sst") && !slices.Contains(names, markFile) {
		return nil
	}
	for _, name := range []string{"marker.manifest.", "marker.format-version."} {
		if !has(strings.HasPrefix, name) {
			return fmt.Errorf("%s is missing: %w", files.PathJoin(dir, name+"*"), ErrDamaged)
		}
	}
	return nil
}
