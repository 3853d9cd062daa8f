package node

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// formatVersion is that of the keys and values; another one is refused.
const formatVersion = "1"

// logStart is where the first record goes: zero would mean "before everything".
const logStart = 1

// windowBytes bounds what is read to rebuild the window of ids.
const windowBytes = 128 * mebi

// examine recovers a store from its files without changing them. There is no
// writer if there is no store yet. Opened to be written, a store that has lost
// its list of tables, or an end of it, would lose the tables too: the library
// removes those that are not in the list, and what could have been mended is
// gone.
func (n *Node) examine() (w *writer, err error) {
	if err := mustHaveList(n.fs, n.cfg.Dir); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(mebi)
	defer cache.Unref()
	n.db, err = openReadOnly(&n.cfg, n.fs, n.lock, cache)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explainOpen(n.fs, n.cfg.Dir, err)
	}
	defer func() { err = errors.Join(err, n.db.Close()) }()
	format, err := n.meta(metaFormat)
	if err != nil {
		return nil, nameDamage(err)
	}
	if format == nil {
		return nil, n.mustBeEmpty()
	}
	return n.recover()
}

// recover prepares the writer from what is stored. Nothing needs repair, since
// every group was one batch.
func (n *Node) recover() (*writer, error) {
	w, err := n.readState()
	return w, nameDamage(err)
}

func (n *Node) readState() (*writer, error) {
	if err := n.identify(); err != nil {
		return nil, err
	}
	heads, err := simplelru.NewLRU[string, *head](n.cfg.Streams, nil)
	if err != nil {
		return nil, err
	}
	w := &writer{node: n, next: logStart, heads: heads, window: newWindow(n.cfg.WindowEvents)}
	if w.nextID, err = n.number(metaNextStreamID, 1); err != nil {
		return nil, err
	}
	if err := w.rewind(); err != nil {
		return nil, err
	}
	if err := n.mustReach(w.next); err != nil {
		return nil, err
	}
	n.end.Store(w.next)
	return w, nil
}

// rewind reads the newest records: the last tells where the log ends, and the
// others fill the window and the tail.
func (w *writer) rewind() error {
	it, err := w.node.db.NewIter(logBounds(0, ^uint64(0)))
	if err != nil {
		return err
	}
	defer it.Close()
	var newest []*Record
	var read int64
	for ok := it.Last(); ok && len(newest) < w.window.size && read < windowBytes; ok = it.Prev() {
		r, err := recordOf(it)
		if err != nil {
			return err
		}
		newest = append(newest, r)
		read += r.memory()
	}
	if err := it.Error(); err != nil {
		return err
	}
	first := !it.Valid()
	slices.Reverse(newest)
	if err := w.mustFollow(newest, first); err != nil {
		return err
	}
	for _, r := range newest {
		if r.flags&flagEmpty == 0 {
			w.window.add(r)
		}
		w.next = r.end()
	}
	w.node.tail.add(newest)
	return nil
}

// mustFollow finds records that are missing before others: a write-ahead log
// that was emptied or removed is nothing the library notices. first says that
// none are stored before these.
func (w *writer) mustFollow(list []*Record, first bool) error {
	scavenged, err := w.node.number(metaScavenged, 0)
	if err != nil {
		return err
	}
	end := uint64(logStart)
	for i, r := range list {
		if r.Position != end && r.Position > scavenged && (i > 0 || first) {
			return fmt.Errorf("nothing is stored between %d and %d in the log, a file is missing or was emptied: %w", end, r.Position, ErrDamaged)
		}
		end = r.end()
	}
	return nil
}

// identify checks that the directory is a store of ours, or makes it one.
func (n *Node) identify() error {
	format, err := n.meta(metaFormat)
	if err != nil {
		return err
	}
	if format == nil {
		if err := n.mustBeEmpty(); err != nil {
			return err
		}
		return n.initialise()
	}
	if string(format) != formatVersion {
		return fmt.Errorf("the store has format %q, this program reads %q", format, formatVersion)
	}
	id, err := n.meta(metaNodeID)
	if err != nil {
		return err
	}
	n.id, err = uuid.FromBytes(id)
	return err
}

// mustBeEmpty refuses a store that has lost what was written first.
func (n *Node) mustBeEmpty() error {
	it, err := n.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	if it.First() {
		return fmt.Errorf("the store has lost its beginning, a file is missing or was emptied: %w", ErrDamaged)
	}
	return errors.Join(it.Error(), n.mustReach(logStart))
}

func (n *Node) initialise() error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	b := n.db.NewBatch()
	if err := errors.Join(
		b.Set(metaKey(metaFormat), []byte(formatVersion), nil),
		b.Set(metaKey(metaNodeID), id[:], nil),
		b.Commit(pebble.Sync),
	); err != nil {
		return err
	}
	n.id = id
	return n.failure.err()
}
