package grpcapi

import (
	"encoding/binary"
	"strconv"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-dev/waybill/node"
)

func joinID(most, least int64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(most))
	binary.BigEndian.PutUint64(id[8:], uint64(least))
	return id
}

// An eventAnswer is streams.ReadResp with an event, written by hand: the
// generated code spends more on an event, above all on its map, than the store.
type eventAnswer struct {
	event, link recordAnswer
	position    uint64
	total       int // of ReadEvent
}

// newEventAnswer is for an event, or a link and the event it points at. Either
// may be nil.
func newEventAnswer(event, link *node.Record, textIDs bool) *eventAnswer {
	a := &eventAnswer{event: newRecordAnswer(event, textIDs), link: newRecordAnswer(link, textIDs)}
	original := event
	if link != nil {
		original = link
	}
	a.position = original.Position
	a.total = a.event.sizeAs(fieldEvent) + a.link.sizeAs(fieldLink) + sizeVarint(fieldCommitOfEvent, a.position)
	return a
}

// A recordAnswer is a RecordedEvent, or none.
type recordAnswer struct {
	record  *node.Record
	textIDs bool
	body    int
}

func newRecordAnswer(r *node.Record, textIDs bool) recordAnswer {
	if r == nil {
		return recordAnswer{}
	}
	return recordAnswer{record: r, textIDs: textIDs, body: sizeRecorded(r, textIDs)}
}

func (a *recordAnswer) sizeAs(field protowire.Number) int {
	if a.record == nil {
		return 0
	}
	return sizeBytes(field, a.body)
}

func (a *recordAnswer) appendAs(b []byte, field protowire.Number) []byte {
	if a.record == nil {
		return b
	}
	return appendRecorded(appendLength(b, field, a.body), a.record, a.textIDs)
}

// The numbers of the fields, as in streams.proto and shared.proto.
const (
	fieldReadEvent = 1 // of ReadResp

	fieldEvent         = 1 // of ReadEvent
	fieldLink          = 2
	fieldCommitOfEvent = 3

	fieldID       = 1 // of RecordedEvent
	fieldStream   = 2
	fieldRevision = 3
	fieldPrepare  = 4
	fieldCommit   = 5
	fieldMetadata = 6
	fieldCustom   = 7
	fieldData     = 8

	fieldStructured = 1 // of UUID
	fieldText       = 2
	fieldMost       = 1 // of its Structured
	fieldLeast      = 2
	fieldStreamName = 3 // of StreamIdentifier
	fieldKey        = 1 // of an entry of a map
	fieldValue      = 2
)

func sizeBytes(field protowire.Number, n int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}

func sizeVarint(field protowire.Number, v uint64) int {
	return protowire.SizeTag(field) + protowire.SizeVarint(v)
}

func splitID(id uuid.UUID) (most, least uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

func sizeStructured(id uuid.UUID) int {
	most, least := splitID(id)
	return sizeVarint(fieldMost, most) + sizeVarint(fieldLeast, least)
}

func sizeID(id uuid.UUID, text bool) int {
	if text {
		return sizeBytes(fieldText, textSize)
	}
	return sizeBytes(fieldStructured, sizeStructured(id))
}

// textSize is the length of a UUID as text.
const textSize = 36

func appendID(b []byte, id uuid.UUID, text bool) []byte {
	b = appendLength(b, fieldID, sizeID(id, text))
	if text {
		return appendString(b, fieldText, id.String())
	}
	b = appendLength(b, fieldStructured, sizeStructured(id))
	most, least := splitID(id)
	return appendVarint(appendVarint(b, fieldMost, most), fieldLeast, least)
}

func sizeEntry(key string, value int) int {
	return sizeBytes(fieldKey, len(key)) + sizeBytes(fieldValue, value)
}

func sizeTicks(ticks int64) int {
	var digits [20]byte
	return len(strconv.AppendInt(digits[:0], ticks, 10))
}

func contentType(r *node.Record) string {
	if r.JSON {
		return contentJSON
	}
	return contentBinary
}

func sizeRecorded(r *node.Record, textIDs bool) int {
	n := sizeBytes(fieldID, sizeID(r.ID, textIDs))
	n += sizeBytes(fieldStream, sizeBytes(fieldStreamName, len(r.Stream)))
	n += sizeVarint(fieldRevision, r.Revision)
	n += sizeVarint(fieldPrepare, r.Position) + sizeVarint(fieldCommit, r.Position)
	n += sizeBytes(fieldMetadata, sizeEntry(metaType, len(r.Type)))
	n += sizeBytes(fieldMetadata, sizeEntry(metaContentType, len(contentType(r))))
	n += sizeBytes(fieldMetadata, sizeEntry(metaCreated, sizeTicks(r.Created)))
	return n + sizeBytes(fieldCustom, len(r.Metadata)) + sizeBytes(fieldData, len(r.Data))
}

func (a *eventAnswer) size() int { return sizeBytes(fieldReadEvent, a.total) }

func (a *eventAnswer) appendTo(b []byte) []byte {
	b = appendLength(b, fieldReadEvent, a.total)
	b = a.event.appendAs(b, fieldEvent)
	b = a.link.appendAs(b, fieldLink)
	return appendVarint(b, fieldCommitOfEvent, a.position)
}

func appendRecorded(b []byte, r *node.Record, textIDs bool) []byte {
	b = appendID(b, r.ID, textIDs)
	b = appendLength(b, fieldStream, sizeBytes(fieldStreamName, len(r.Stream)))
	b = appendString(b, fieldStreamName, r.Stream)
	b = appendVarint(b, fieldRevision, r.Revision)
	b = appendVarint(b, fieldPrepare, r.Position)
	b = appendVarint(b, fieldCommit, r.Position)
	b = appendEntry(b, metaType, r.Type)
	b = appendEntry(b, metaContentType, contentType(r))
	b = appendLength(b, fieldMetadata, sizeEntry(metaCreated, sizeTicks(r.Created)))
	b = appendString(b, fieldKey, metaCreated)
	b = appendLength(b, fieldValue, sizeTicks(r.Created))
	b = strconv.AppendInt(b, r.Created, 10)
	b = append(appendLength(b, fieldCustom, len(r.Metadata)), r.Metadata...)
	return append(appendLength(b, fieldData, len(r.Data)), r.Data...)
}

func appendLength(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return append(appendLength(b, field, len(s)), s...)
}

func appendEntry(b []byte, key, value string) []byte {
	b = appendLength(b, fieldMetadata, sizeEntry(key, len(value)))
	b = appendString(b, fieldKey, key)
	return appendString(b, fieldValue, value)
}
