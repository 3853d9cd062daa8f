package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/google/uuid"
)

// Record is one event of the log.
type Record struct {
	Position uint64
	Stream   string
	Revision uint64
	ID       uuid.UUID
	Created  int64 // 100 ns ticks since 1970
	JSON     bool
	Type     string
	Data     []byte
	Metadata []byte
}

// size is what the record takes in the log of the real server: positions
// advance by it.
func (r *Record) size() uint64 {
	return uint64(40 + lenPrefixed(len(r.Stream)) + 32 + 8 + lenPrefixed(len(r.Type)) + 4 + len(r.Data) + 4 + len(r.Metadata))
}

func lenPrefixed(n int) int {
	prefix := 1
	for rest := n >> 7; rest > 0; rest >>= 7 {
		prefix++
	}
	return prefix + n
}

const recordVersion = 1

var table = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("record is damaged")

// appendTo encodes the record; the stream is stored by name.
func (r *Record) appendTo(b []byte) []byte {
	start := len(b)
	flags := byte(0)
	if r.JSON {
		flags = 1
	}
	b = append(b, recordVersion, flags)
	b = binary.BigEndian.AppendUint64(b, r.Revision)
	b = append(b, r.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Created))
	for _, part := range [][]byte{[]byte(r.Stream), []byte(r.Type), r.Data, r.Metadata} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], table))
}

const fixed = 2 + 8 + 16 + 8

// decodeRecord decodes a record; its parts are copies of b.
func decodeRecord(position uint64, b []byte) (*Record, error) {
	if len(b) < fixed+4+4 {
		return nil, fmt.Errorf("position %d: %w", position, errCorrupt)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, table) != binary.BigEndian.Uint32(b[len(body):]) || body[0] != recordVersion {
		return nil, fmt.Errorf("position %d: %w", position, errCorrupt)
	}
	body = append([]byte(nil), body...)
	r := &Record{Position: position, JSON: body[1]&1 != 0, Revision: binary.BigEndian.Uint64(body[2:]), Created: int64(binary.BigEndian.Uint64(body[26:]))}
	copy(r.ID[:], body[10:26])
	rest := body[fixed:]
	var parts [4][]byte
	for i := range parts {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return nil, fmt.Errorf("position %d: %w", position, errCorrupt)
		}
		parts[i] = rest[used : used+int(n) : used+int(n)]
		rest = rest[used+int(n):]
	}
	r.Stream, r.Type, r.Data, r.Metadata = string(parts[0]), string(parts[1]), parts[2], parts[3]
	return r, nil
}
