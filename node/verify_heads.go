package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// checkStore looks at what is kept about the store itself.
func (c *checker) checkStore() error {
	get := func(name string) ([]byte, error) { return c.get(metaKey(name)) }
	format, err := get(metaFormat)
	if err != nil {
		return err
	}
	if string(format) != formatVersion {
		c.problem("store", metaFormat, "is %q, this program reads %q", format, formatVersion)
	}
	id, err := get(metaNodeID)
	if err != nil {
		return err
	}
	if c.report.ID, err = uuid.FromBytes(id); err != nil {
		c.problem("store", metaNodeID, "is %x, not an id", id)
	}
	if c.nextID, err = c.number(metaNextStreamID, 1); err != nil {
		return err
	}
	if c.scavenged, err = c.number(metaScavenged, 0); err != nil {
		return err
	}
	c.linkedTo, err = c.number(metaIndexEnd, 0)
	return err
}

func (c *checker) number(name string, missing uint64) (uint64, error) {
	value, err := c.get(metaKey(name))
	if err != nil || value == nil {
		return missing, err
	}
	n, err := parsePosition(value)
	if err != nil {
		c.problem("store", name, "is %x, not a number", value)
	}
	return n, nil
}

// get answers nil for a key that is not there, or cannot be read.
func (c *checker) get(key []byte) ([]byte, error) {
	value, closer, err := c.reader.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		c.problem("file", c.dir, "key %q cannot be read: %s", key, firstLine(err))
		c.partial()
		return nil, nil
	}
	return bytes.Clone(value), closer.Close()
}

// checkHeads reads the heads of all streams.
func (c *checker) checkHeads(ctx context.Context) error {
	err := c.walk(ctx, []byte{namePrefix}, []byte{namePrefix + 1}, func(key, value []byte) {
		name := string(key[1:])
		c.report.Streams++
		if c.report.Streams%often == 0 {
			c.advance("streams", c.report.Streams, max(c.nextID, 1)-1)
		}
		if err := ValidStream(name); err != nil {
			c.problem("head", fmt.Sprintf("%q", name), "%s", err)
		}
		h, err := decodeHead(value)
		if err != nil {
			c.problem("head", name, "%s", err)
			return
		}
		c.checkHead(name, h)
	})
	if c.highest.id >= c.nextID {
		c.problem("head", c.highest.stream, "has the id %d, but the next one to be given is %d", c.highest.id, c.nextID)
	}
	return err
}

// givenID is the id of a stream.
type givenID struct {
	id     uint64
	stream string
}

func (c *checker) checkHead(name string, h *head) {
	if !c.names.set(h.id, c.nameSum([]byte(name))) {
		c.problem("head", name, "has the id %d of another stream", h.id)
	}
	if h.id >= c.highest.id {
		c.highest = givenID{h.id, name}
	}
	if h.changed < h.lastPosition {
		c.problem("head", name, "was changed at %d, before its last event at %d", h.changed, h.lastPosition)
	}
	if h.last >= 0 || h.tombstoned {
		c.heads.say(h.id, headSum(h))
	}
	if of, ok := described(name); ok {
		c.checkLimits(of, h)
	} else if h.limits != (limits{}) {
		c.checkDescribed(name)
	}
}

// nameSum is never 0.
func (c *checker) nameSum(name []byte) uint64 { return maphash.Bytes(c.seed, name) | 1 }

// headSum is of what the index says, too, of a stream with events.
func headSum(h *head) uint64 {
	if h.tombstoned && int64(h.first) == h.last+1 {
		return streamSum(&indexed{id: h.id, lastPosition: h.lastPosition, tombstoned: true, empty: true})
	}
	return streamSum(&indexed{id: h.id, first: h.first, last: uint64(h.last), lastPosition: h.lastPosition, tombstoned: h.tombstoned})
}

// checkLimits compares the newest metadata of a stream with the stream's head.
func (c *checker) checkLimits(of string, metadata *head) {
	if _, ok := described(of); ok || metadata.last < 0 || metadata.tombstoned {
		return
	}
	value, err := c.get(logKey(metadata.lastPosition))
	if err != nil || value == nil {
		return // that is seen by whoever compares index and log
	}
	r, err := decodeRecord(metadata.lastPosition, value)
	if err != nil {
		return
	}
	want := parseLimits(r)
	if value, err = c.get(nameKey(of)); err != nil {
		return
	}
	got := limits{}
	if value != nil {
		h, err := decodeHead(value)
		if err != nil {
			return
		}
		got = h.limits
	}
	if got != want {
		c.problem("metadata", of, "the newest metadata says %s, the head %s", want, got)
	}
}

func (l limits) String() string {
	return fmt.Sprintf("$tb %d, $maxCount %d, $maxAge %d", l.truncateBefore, l.maxCount, l.maxAge)
}

// checkDescribed is for a stream that has limits: somebody must have written
// them.
func (c *checker) checkDescribed(name string) {
	value, err := c.get(nameKey(MetadataStream(name)))
	if err != nil {
		return
	}
	if value != nil {
		h, err := decodeHead(value)
		if err != nil || h.last >= 0 && !h.tombstoned {
			return
		}
	}
	c.problem("metadata", name, "the head has limits, but there is no metadata that sets them")
}
