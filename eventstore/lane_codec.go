package eventstore

import (
	"encoding/binary"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that laneCodec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// laneCodec writes appends by hand, and reads the answers that say yes: the
// generated code goes through reflection for the map of every event and wherever
// there is a choice of fields. All other answers are left to it.
type laneCodec struct{ encoding.CodecV2 }

func newLaneCodec() laneCodec { return laneCodec{encoding.GetCodecV2("proto")} }

// Name implements [encoding.CodecV2]. It is empty, so that calls look like those
// of the client library, which name no codec.
func (laneCodec) Name() string { return "" }

// Marshal implements [encoding.CodecV2].
func (c laneCodec) Marshal(v any) (mem.BufferSlice, error) {
	a, ok := v.(*laneAppend)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(a.size())
	*buf = a.appendTo((*buf)[:0])
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (c laneCodec) Unmarshal(data mem.BufferSlice, v any) error {
	a, ok := v.(*laneAnswer)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	return a.read(buf.ReadOnlyData())
}

// A laneAppend is streams.BatchAppendReq with the whole of an append.
type laneAppend struct {
	id       int64 // the least significant half of the correlation id
	stream   string
	expected Revision
	events   []esdb.EventData
}

// The numbers of the fields, as in streams.proto and shared.proto.
const (
	laneCorrelation = 1 // of BatchAppendReq
	laneOptions     = 2
	laneProposed    = 3
	laneFinal       = 4

	laneIdentifier = 1 // of its Options
	laneExactly    = 2
	laneNoStream   = 3

	laneEventID     = 1 // of its ProposedMessage
	laneMetadata    = 2
	laneCustom      = 3
	laneData        = 4
	laneStructured  = 1 // of UUID
	laneMost        = 1 // of its Structured
	laneLeast       = 2
	laneStreamName  = 3 // of StreamIdentifier
	laneKey         = 1 // of an entry of a map
	laneValue       = 2
	laneAnswered    = 1 // of BatchAppendResp
	laneSuccess     = 3
	laneRevision    = 1 // of its Success
	lanePosition    = 3
	laneCommit      = 1 // of AllStreamPosition
	laneType        = "type"
	laneContentType = "content-type"
)

func laneContent(e *esdb.EventData) string {
	if e.ContentType == esdb.ContentTypeJson {
		return "application/json"
	}
	return "application/octet-stream"
}

// sizeOf is the size of a field of n bytes.
func sizeOf(field protowire.Number, n int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}

func sizeOfNumber(field protowire.Number, v uint64) int {
	return protowire.SizeTag(field) + protowire.SizeVarint(v)
}

func sizeOfID(most, least uint64) int {
	return sizeOf(laneStructured, sizeOfNumber(laneMost, most)+sizeOfNumber(laneLeast, least))
}

func sizeOfEntry(key, value string) int {
	return sizeOf(laneKey, len(key)) + sizeOf(laneValue, len(value))
}

func halves(id uuid.UUID) (most, least uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

func sizeOfProposed(e *esdb.EventData) int {
	return sizeOf(laneEventID, sizeOfID(halves(e.EventID))) +
		sizeOf(laneMetadata, sizeOfEntry(laneType, e.EventType)) +
		sizeOf(laneMetadata, sizeOfEntry(laneContentType, laneContent(e))) +
		sizeOf(laneCustom, len(e.Metadata)) + sizeOf(laneData, len(e.Data))
}

func (a *laneAppend) sizeOfOptions() int {
	n := sizeOf(laneIdentifier, sizeOf(laneStreamName, len(a.stream)))
	if a.expected >= 0 {
		return n + sizeOfNumber(laneExactly, uint64(a.expected))
	}
	return n + sizeOf(laneNoStream, 0)
}

func (a *laneAppend) size() int {
	n := sizeOf(laneCorrelation, sizeOfID(0, uint64(a.id))) + sizeOf(laneOptions, a.sizeOfOptions()) + sizeOfNumber(laneFinal, 1) //nolint:gosec // counted from 1
	for i := range a.events {
		n += sizeOf(laneProposed, sizeOfProposed(&a.events[i]))
	}
	return n
}

func appendHead(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n)) //nolint:gosec // a length
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	return append(appendHead(b, field, len(s)), s...)
}

func appendHalves(b []byte, field protowire.Number, most, least uint64) []byte {
	b = appendHead(b, field, sizeOfID(most, least))
	b = appendHead(b, laneStructured, sizeOfNumber(laneMost, most)+sizeOfNumber(laneLeast, least))
	return appendNumber(appendNumber(b, laneMost, most), laneLeast, least)
}

func appendEntry(b []byte, key, value string) []byte {
	b = appendHead(b, laneMetadata, sizeOfEntry(key, value))
	return appendText(appendText(b, laneKey, key), laneValue, value)
}

func appendProposed(b []byte, e *esdb.EventData) []byte {
	b = appendHead(b, laneProposed, sizeOfProposed(e))
	most, least := halves(e.EventID)
	b = appendHalves(b, laneEventID, most, least)
	b = appendEntry(b, laneType, e.EventType)
	b = appendEntry(b, laneContentType, laneContent(e))
	b = append(appendHead(b, laneCustom, len(e.Metadata)), e.Metadata...)
	return append(appendHead(b, laneData, len(e.Data)), e.Data...)
}

func (a *laneAppend) appendTo(b []byte) []byte {
	b = appendHalves(b, laneCorrelation, 0, uint64(a.id)) //nolint:gosec // counted from 1
	b = appendHead(b, laneOptions, a.sizeOfOptions())
	b = appendHead(b, laneIdentifier, sizeOf(laneStreamName, len(a.stream)))
	b = appendText(b, laneStreamName, a.stream)
	if a.expected >= 0 {
		b = appendNumber(b, laneExactly, uint64(a.expected))
	} else {
		b = appendHead(b, laneNoStream, 0)
	}
	for i := range a.events {
		b = appendProposed(b, &a.events[i])
	}
	return appendNumber(b, laneFinal, 1)
}
