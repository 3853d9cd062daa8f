package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"

	"github.com/google/uuid"
)

// A Record is one event as it is stored. Readers share it: nobody may change
// it or its bytes.
type Record struct {
	Position uint64 // in the log; grows, with gaps
	Stream   string
	Revision uint64 // in the stream; grows by one
	ID       uuid.UUID
	Type     string
	JSON     bool  // whether the writer said that Data is JSON
	Created  int64 // 100 ns ticks since the Unix epoch, as the protocol counts
	Data     []byte
	Metadata []byte

	// Kept is for readers who share the record, to keep what they made of it. The
	// node does not look at it.
	Kept atomic.Value

	streamID uint64
	flags    byte
}

const recordVersion = 1

const (
	flagJSON  = 1 << iota
	flagFirst // of its append
	flagLast  // of its append
	flagEmpty // an append of nothing: takes a position, is never shown
)

// recordHeader is version, flags, stream id, revision, event id, created.
const recordHeader = 1 + 1 + 8 + 8 + 16 + 8

const checksumSize = 4

// ErrDamaged is why stored bytes are refused.
var ErrDamaged = errors.New("stored data is damaged")

// logSize is what the record takes in the log as positions count it. It is the
// formula of EventStoreDB's log, so that the same history gets the same
// distances; the bytes on the disk are others.
func (r *Record) logSize() uint64 {
	return logSize(len(r.Stream), len(r.Type), len(r.Data)+len(r.Metadata))
}

func logSize(stream, typ, payload int) uint64 {
	const fixed = 40 + 32 + 8 + 4 + 4
	return fixed + prefixedSize(stream) + prefixedSize(typ) + uint64(payload)
}

// prefixedSize is the size of a text of n bytes after its length, which takes
// seven bits of each byte.
func prefixedSize(n int) uint64 {
	size := n + 1
	for rest := n >> 7; rest > 0; rest >>= 7 {
		size++
	}
	return uint64(size)
}

func (r *Record) end() uint64 { return r.Position + r.logSize() }

func uvarintSize(n int) int { return int(prefixedSize(n)) - n }

func (r *Record) encodedSize() int {
	size := recordHeader + checksumSize
	for _, n := range [...]int{len(r.Stream), len(r.Type), len(r.Data), len(r.Metadata)} {
		size += uvarintSize(n) + n
	}
	return size
}

// encode fills buf, which has encodedSize bytes.
func (r *Record) encode(buf []byte) {
	buf[0] = recordVersion
	buf[1] = r.flags
	if r.JSON {
		buf[1] |= flagJSON
	}
	binary.BigEndian.PutUint64(buf[2:], r.streamID)
	binary.BigEndian.PutUint64(buf[10:], r.Revision)
	copy(buf[18:], r.ID[:])
	binary.BigEndian.PutUint64(buf[34:], uint64(r.Created))
	b := buf[:recordHeader]
	b = append(binary.AppendUvarint(b, uint64(len(r.Stream))), r.Stream...)
	b = append(binary.AppendUvarint(b, uint64(len(r.Type))), r.Type...)
	b = append(binary.AppendUvarint(b, uint64(len(r.Data))), r.Data...)
	b = append(binary.AppendUvarint(b, uint64(len(r.Metadata))), r.Metadata...)
	binary.BigEndian.PutUint32(buf[len(b):], checksum(r.Position, b))
}

// checksum covers the position too: a whole record in the wrong place is as
// wrong as a broken one.
func checksum(position uint64, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], position)
	return crc32.Update(crc32.Checksum(key[:], table), table, b)
}

// A recordView is a stored record whose parts are slices of the stored bytes,
// good for as long as those are.
type recordView struct {
	position                    uint64
	header                      []byte
	stream, typ, data, metadata []byte
}

func viewRecord(position uint64, value []byte) (recordView, error) {
	v := recordView{position: position}
	if len(value) < recordHeader+checksumSize {
		return v, fmt.Errorf("record at %d has %d bytes: %w", position, len(value), ErrDamaged)
	}
	if value[0] != recordVersion {
		return v, fmt.Errorf("record at %d has version %d, this program reads %d: %w", position, value[0], recordVersion, ErrDamaged)
	}
	body := value[:len(value)-checksumSize]
	if checksum(position, body) != binary.BigEndian.Uint32(value[len(body):]) {
		return v, fmt.Errorf("record at %d does not match its checksum: %w", position, ErrDamaged)
	}
	v.header = body[:recordHeader]
	rest := body[recordHeader:]
	for _, part := range [...]*[]byte{&v.stream, &v.typ, &v.data, &v.metadata} {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return v, fmt.Errorf("record at %d ends in the middle: %w", position, ErrDamaged)
		}
		*part, rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	if len(rest) != 0 {
		return v, fmt.Errorf("record at %d has %d bytes too many: %w", position, len(rest), ErrDamaged)
	}
	return v, nil
}

func (v recordView) flags() byte { return v.header[1] }

func (v recordView) empty() bool { return v.flags()&flagEmpty != 0 }

// record copies the view. The names are taken from near, the record read
// before, when they are equal: neighbours often share them.
func (v recordView) record(near *Record) *Record {
	payload := make([]byte, len(v.data)+len(v.metadata))
	copy(payload, v.data)
	copy(payload[len(v.data):], v.metadata)
	r := &Record{
		Position: v.position,
		Revision: binary.BigEndian.Uint64(v.header[10:]),
		ID:       uuid.UUID(v.header[18:34]),
		JSON:     v.flags()&flagJSON != 0,
		Created:  int64(binary.BigEndian.Uint64(v.header[34:])),
		Data:     payload[:len(v.data):len(v.data)],
		Metadata: payload[len(v.data):],
		streamID: binary.BigEndian.Uint64(v.header[2:]),
		flags:    v.flags() &^ flagJSON,
	}
	if near != nil && string(v.stream) == near.Stream {
		r.Stream = near.Stream
	} else {
		r.Stream = string(v.stream)
	}
	if near != nil && string(v.typ) == near.Type {
		r.Type = near.Type
	} else {
		r.Type = string(v.typ)
	}
	return r
}

func decodeRecord(position uint64, value []byte) (*Record, error) {
	v, err := viewRecord(position, value)
	if err != nil {
		return nil, err
	}
	return v.record(nil), nil
}
