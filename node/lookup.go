package node

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// get copies the value of a key; nil when there is none.
func (n *Node) get(key []byte) ([]byte, error) {
	value, closer, err := n.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = slices.Clone(value)
	return value, closer.Close()
}

func (n *Node) meta(name string) ([]byte, error) {
	value, err := n.get(metaKey(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return value, nil
}

// number is a meta value that is a number; otherwise is what it is at first.
func (n *Node) number(name string, otherwise uint64) (uint64, error) {
	value, err := n.meta(name)
	if err != nil || value == nil {
		return otherwise, err
	}
	return parsePosition(value)
}

// readHead returns nil for a stream that does not exist. It may be ahead of
// what is synced.
func (n *Node) readHead(stream string) (*head, error) {
	value, err := n.get(nameKey(stream))
	if err != nil || value == nil {
		return nil, err
	}
	h, err := decodeHead(value)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	return h, nil
}

// recordAt is for the writer: it may be ahead of what is synced. It is nil when
// the record was removed.
func (n *Node) recordAt(stream, revision uint64) (*Record, error) {
	value, err := n.get(streamKey(stream, revision))
	if err != nil || value == nil {
		return nil, err
	}
	position, err := parsePosition(value)
	if err != nil {
		return nil, fmt.Errorf("stream %d at %d: %w: %w", stream, revision, ErrDamaged, err)
	}
	return n.recordIn(position)
}

func (n *Node) recordIn(position uint64) (*Record, error) {
	if r := n.tail.at(position); r != nil {
		return r, nil
	}
	value, closer, err := n.db.Get(logKey(position))
	if errors.Is(err, pebble.ErrNotFound) {
		err = errNoRecord
	}
	if err != nil {
		return nil, fmt.Errorf("record at %d: %w", position, err)
	}
	defer closer.Close()
	return decodeRecord(position, value)
}

func logBounds(from, to uint64) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: logKey(from), UpperBound: logKey(to)}
}

func viewOf(it *pebble.Iterator) (recordView, error) {
	position, err := parseLogKey(it.Key())
	if err != nil {
		return recordView{}, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return recordView{}, err
	}
	return viewRecord(position, value)
}

func recordOf(it *pebble.Iterator) (*Record, error) {
	v, err := viewOf(it)
	if err != nil {
		return nil, err
	}
	return v.record(nil), nil
}
