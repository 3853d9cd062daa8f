package node

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// compare finds what differs where sums do.
func (c *checker) compare(ctx context.Context) error {
	if !c.records.equal() {
		if err := c.compareLog(ctx); err != nil {
			return err
		}
		if err := c.compareIndex(ctx); err != nil {
			return err
		}
	}
	c.compareLinks()
	if c.heads.equal() {
		return nil
	}
	return c.compareHeads(ctx)
}

// compareLog looks for the index entries of records.
func (c *checker) compareLog(ctx context.Context) error {
	return c.walk(ctx, []byte{logPrefix}, []byte{logPrefix + 1}, func(key, value []byte) {
		position, err := parseLogKey(key)
		if err != nil || !c.records.differ(position) || c.full() {
			return
		}
		v, err := viewRecord(position, value)
		if err != nil || v.empty() {
			return
		}
		id, revision := v.streamID(), v.revision()
		entry, err := c.get(streamKey(id, revision))
		if err != nil {
			return
		}
		at, err := parsePosition(entry)
		switch {
		case entry == nil:
			c.problem("index", string(v.stream), "revision %d at %d has no entry in the index", revision, position)
		case err == nil && at != position:
			c.problem("index", string(v.stream), "revision %d at %d is at %d in the index", revision, position, at)
		}
	})
}

// compareIndex looks for the records of index entries.
func (c *checker) compareIndex(ctx context.Context) error {
	return c.walk(ctx, []byte{streamPrefix}, []byte{streamPrefix + 1}, func(key, value []byte) {
		id, revision, err := parseStreamKey(key)
		if err != nil {
			return
		}
		position, err := parsePosition(value)
		if err != nil || !c.records.differ(position) || c.full() {
			return
		}
		record, err := c.get(logKey(position))
		if err != nil {
			return
		}
		if record == nil {
			c.problem("index", c.stream(id), "revision %d is at %d in the index, where no record is", revision, position)
			return
		}
		v, err := viewRecord(position, record)
		if err == nil && (v.streamID() != id || v.revision() != revision) {
			c.problem("index", c.stream(id), "revision %d is at %d in the index, where revision %d of %s is",
				revision, position, v.revision(), c.stream(v.streamID()))
		}
	})
}

// compareHeads looks at the streams of heads.
func (c *checker) compareHeads(ctx context.Context) error {
	it, err := c.reader.NewIter(&pebble.IterOptions{LowerBound: []byte{streamPrefix}, UpperBound: []byte{streamPrefix + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	return c.walk(ctx, []byte{namePrefix}, []byte{namePrefix + 1}, func(key, value []byte) {
		h, err := decodeHead(value)
		if err != nil || !c.heads.differ(h.id) || c.full() || h.last < 0 && !h.tombstoned {
			return
		}
		if s := indexOf(it, h.id); s == nil {
			c.problem("head", string(key[1:]), "has events up to revision %d, but the index has none", h.last)
		} else if streamSum(s) != headSum(h) {
			c.problem("head", string(key[1:]), "says %s, the index %s", describeStream(h.first, h.last, h.lastPosition, h.tombstoned), s)
		}
	})
}

// indexOf reads the first and the last entries of a stream; nil when it has
// none, or they cannot be read.
func indexOf(it *pebble.Iterator, id uint64) *indexed {
	entry := func() (revision, position uint64, ok bool) {
		of, revision, err := parseStreamKey(it.Key())
		if err != nil || of != id {
			return 0, 0, false
		}
		position, err = parsePosition(it.Value())
		return revision, position, err == nil
	}
	if !it.SeekGE(streamKey(id, 0)) {
		return nil
	}
	revision, position, ok := entry()
	if !ok {
		return nil
	}
	s := newIndexed(id, revision, position)
	if s.empty || !it.SeekLT(streamKey(id, tombstoneRevision)) {
		return &s
	}
	if s.last, s.lastPosition, ok = entry(); !ok {
		return nil
	}
	if it.Next() {
		if revision, position, ok := entry(); ok {
			s.tombstoned, s.lastPosition = revision == tombstoneRevision, position
		}
	}
	return &s
}

func (s *indexed) String() string {
	if s.empty {
		return fmt.Sprintf("a tombstone at %d and no events", s.lastPosition)
	}
	return describeStream(s.first, int64(s.last), s.lastPosition, s.tombstoned)
}

func describeStream(first uint64, last int64, position uint64, tombstoned bool) string {
	text := fmt.Sprintf("revisions %d to %d, the last record at %d", first, last, position)
	if tombstoned {
		text += ", a tombstone"
	}
	return text
}
