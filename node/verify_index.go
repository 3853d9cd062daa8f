package node

import (
	"context"
	"fmt"
)

// indexed is what the index says of a stream.
type indexed struct {
	id, first, last uint64
	lastPosition    uint64
	tombstoned      bool
	empty           bool // but for the tombstone
}

func streamSum(s *indexed) uint64 {
	var flags uint64
	if s.tombstoned {
		flags |= 1
	}
	if s.empty {
		flags |= 2
	}
	return mix(s.id, s.first, s.last, s.lastPosition, flags)
}

// next takes the stream's next entry and says what is wrong with it.
func (s *indexed) next(revision, position uint64) (wrong string) {
	if position <= s.lastPosition {
		wrong = fmt.Sprintf("revision %d is at %d, the one before it at %d", revision, position, s.lastPosition)
	}
	switch {
	case revision == tombstoneRevision:
		s.tombstoned = true
	case revision != s.last+1:
		wrong = fmt.Sprintf("the revisions from %d to %d are missing", s.last+1, revision-1)
		s.last = revision
	default:
		s.last = revision
	}
	s.lastPosition = position
	return wrong
}

func newIndexed(id, revision, position uint64) indexed {
	s := indexed{id: id, first: revision, last: revision, lastPosition: position}
	if revision == tombstoneRevision {
		s.first, s.last, s.tombstoned, s.empty = 0, 0, true, true
	}
	return s
}

// checkIndex reads the index of all streams, which is in the order of streams
// and revisions.
func (c *checker) checkIndex(ctx context.Context) error {
	var s indexed
	var indexed uint64
	err := c.walk(ctx, []byte{streamPrefix}, []byte{streamPrefix + 1}, func(key, value []byte) {
		id, revision, err := parseStreamKey(key)
		if err != nil {
			c.problem("index", fmt.Sprintf("key %x", key), "%s", err)
			return
		}
		position, err := parsePosition(value)
		if err != nil {
			c.problem("index", fmt.Sprintf("stream %d, revision %d", id, revision), "%s", err)
			return
		}
		if indexed++; indexed%often == 0 {
			c.advance("index", id, c.nextID)
		}
		c.records.count(position, mix(id, revision, position))
		if id == s.id {
			if wrong := s.next(revision, position); wrong != "" {
				c.problem("revision", c.stream(id), "%s", wrong)
			}
			return
		}
		c.endStream(&s)
		s = newIndexed(id, revision, position)
		if _, known := c.names.get(id); !known {
			c.problem("index", c.stream(id), "has events, but no head")
		}
	})
	c.endStream(&s)
	c.report.Indexed = indexed
	return err
}

func (c *checker) endStream(s *indexed) {
	if s.id != 0 {
		c.heads.count(s.id, streamSum(s))
	}
}

// stream is for a message: the name is not at hand.
func (c *checker) stream(id uint64) string { return fmt.Sprintf("stream %d", id) }
