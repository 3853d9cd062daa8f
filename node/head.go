package node

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A head is what is known of a stream without reading its events.
type head struct {
	id           uint64
	first        uint64 // lowest revision that may still be stored
	last         int64  // -1 before the first event
	lastPosition uint64
	changed      uint64 // position of the record that last changed the head
	tombstoned   bool
	limits
}

// deletedBefore is the truncateBefore that says the stream is deleted but may
// be written again.
const deletedBefore = math.MaxInt64

func (h *head) softDeleted() bool { return h.truncateBefore == deletedBefore }

// lowest is the first revision that the limits let anybody read.
func (h *head) lowest() uint64 {
	low := max(h.first, h.truncateBefore)
	if last := uint64(h.last); h.last >= 0 && h.maxCount > 0 && h.maxCount <= last {
		low = max(low, last-h.maxCount+1)
	}
	return low
}

const (
	headVersion    = 2
	headTombstoned = 1
)

func (h *head) encode() []byte {
	b := make([]byte, 2, 64)
	b[0] = headVersion
	if h.tombstoned {
		b[1] = headTombstoned
	}
	b = binary.AppendUvarint(b, h.id)
	b = binary.AppendUvarint(b, h.first)
	b = binary.AppendVarint(b, h.last)
	b = binary.AppendUvarint(b, h.lastPosition)
	b = binary.AppendUvarint(b, h.changed)
	b = binary.AppendUvarint(b, h.truncateBefore)
	b = binary.AppendUvarint(b, h.maxCount)
	return binary.AppendUvarint(b, h.maxAge)
}

func decodeHead(b []byte) (*head, error) {
	if len(b) < 2 || b[0] < 1 || b[0] > headVersion || b[1]&^headTombstoned != 0 {
		return nil, fmt.Errorf("stream head %x is not of version 1 to %d: %w", b, headVersion, ErrDamaged)
	}
	h := &head{tombstoned: b[1] == headTombstoned}
	r := varintReader{rest: b[2:]}
	h.id = r.unsigned()
	h.first = r.unsigned()
	h.last = r.signed()
	h.lastPosition = r.unsigned()
	// Version 1 did not know of changes but by events.
	if h.changed = h.lastPosition; b[0] > 1 {
		h.changed = r.unsigned()
	}
	h.truncateBefore = r.unsigned()
	h.maxCount = r.unsigned()
	h.maxAge = r.unsigned()
	if r.broken || len(r.rest) != 0 || h.last < -1 {
		return nil, fmt.Errorf("stream head %x: %w", b, ErrDamaged)
	}
	return h, nil
}

// varintReader reads numbers until one is broken; that is seen at the end.
type varintReader struct {
	rest   []byte
	broken bool
}

func (r *varintReader) unsigned() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *varintReader) signed() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *varintReader) skip(n int) {
	if n <= 0 {
		r.broken, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}
