package eventstore

import (
	"crypto/sha1" //nolint:gosec // what UUIDs of version 5 are made of
	"encoding/binary"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// EventID returns the id of the event that a command causes at a place of its
// answer, counted from 0. The same command on the same stream gives the same
// ids, by which the store recognises a repeated append.
func EventID(stream, commandID string, index int) uuid.UUID {
	return derive("event", stream, commandID, strconv.Itoa(index))
}

// DeriveID returns the id of something that follows from other things, as
// text: the same kind and parts always give the same id, and different ones
// never do.
func DeriveID(kind string, parts ...string) string {
	return derive(kind, parts...).String()
}

// DeriveIDAt is DeriveID of something that begins at a time. Its ids are in the
// order of time, as UUIDs of version 7 are, so that what is kept by them lies
// side by side: a table by ids without any order is read and written a page for
// each row. The same time is to be given again for the same id.
func DeriveIDAt(at time.Time, kind string, parts ...string) string {
	id := derive(kind, parts...)
	var moment [8]byte
	binary.BigEndian.PutUint64(moment[:], uint64(max(at.UnixMilli(), 0))) //nolint:gosec // not negative
	copy(id[:6], moment[2:])
	id[6] = id[6]&0x0f | 0x70
	return id.String()
}

// DeriveIDBeside is DeriveID of something that belongs to another one, whose
// place in the order of time it shares. Where that has none, it has none.
func DeriveIDBeside(other, kind string, parts ...string) string {
	id := derive(kind, append([]string{other}, parts...)...)
	if of, err := uuid.Parse(other); err == nil && of.Version() == 7 {
		copy(id[:6], of[:6])
		id[6] = id[6]&0x0f | 0x70
	}
	return id.String()
}

// derive gives each part its length, so that no two lists of parts read the
// same. Stored ids depend on every byte of this: it can never change. It is a
// UUID of version 5, made in place: an order derives a few dozen.
func derive(kind string, parts ...string) uuid.UUID {
	var room [256]byte
	text := append(append(room[:0], uuid.NameSpaceURL[:]...), "waybill"...)
	text = appendPart(text, kind)
	for _, part := range parts {
		text = appendPart(text, part)
	}
	sum := sha1.Sum(text) //nolint:gosec // what version 5 is made of; no secret
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id
}

func appendPart(text []byte, part string) []byte {
	text = append(text, ' ')
	text = strconv.AppendInt(text, int64(len(part)), 10)
	text = append(text, ':')
	return append(text, part...)
}
