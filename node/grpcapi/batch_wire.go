package grpcapi

import (
	"slices"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The generated code reads a batch through reflection where it has a map, which
// is in every event. Batches as they usually are, are read here; of all others,
// nothing is decided here: they are left to the generated code.

const (
	fieldCorrelation = 1 // of BatchAppendReq
	fieldOptions     = 2
	fieldProposed    = 3
	fieldFinal       = 4

	fieldIdentifier = 1 // of its Options
	fieldExactly    = 2
	fieldNoStream   = 3
	fieldAny        = 4
	fieldExists     = 5

	fieldProposedID     = 1 // of its ProposedMessage
	fieldProposedMeta   = 2
	fieldProposedCustom = 3
	fieldProposedData   = 4
)

// eachField calls f with every field and its bytes, or its number, until f says
// that it is not as usual.
func eachField(b []byte, f func(field protowire.Number, data []byte, number uint64) bool) bool {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var data []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			if data, n = protowire.ConsumeBytes(b); n < 0 {
				return false
			}
			data = slices.Clip(data) // whoever appends to a part does not write over the next
		case protowire.VarintType:
			if number, n = protowire.ConsumeVarint(b); n < 0 {
				return false
			}
		default:
			return false
		}
		if (data != nil) != (kind == protowire.BytesType) || !f(field, data, number) {
			return false
		}
		b = b[n:]
	}
	return true
}

// readBatch fills req, which is empty, with parts of b. When it is false, req is
// to be emptied.
func readBatch(b []byte, req *streams.BatchAppendReq) bool {
	return eachField(b, func(field protowire.Number, data []byte, number uint64) (ok bool) {
		switch {
		case field == fieldCorrelation && data != nil && req.CorrelationId == nil:
			req.CorrelationId, ok = readID(data)
			return ok
		case field == fieldOptions && data != nil && req.Options == nil:
			req.Options = &streams.BatchAppendReq_Options{}
			return readOptions(data, req.Options)
		case field == fieldProposed && data != nil:
			m := &streams.BatchAppendReq_ProposedMessage{}
			req.ProposedMessages = append(req.ProposedMessages, m)
			return readProposed(data, m)
		case field == fieldFinal && data == nil:
			req.IsFinal = number != 0
			return true
		}
		return false
	})
}

// A wholeID is allocated at once.
type wholeID struct {
	id    shared.UUID
	kind  shared.UUID_Structured_
	parts shared.UUID_Structured
}

func readID(b []byte) (*shared.UUID, bool) {
	whole, found := &wholeID{}, false
	id := &whole.parts
	ok := eachField(b, func(field protowire.Number, data []byte, _ uint64) bool {
		if field != fieldStructured || data == nil || found {
			return false
		}
		found = true
		return eachField(data, func(field protowire.Number, data []byte, number uint64) bool {
			switch {
			case data != nil:
				return false
			case field == fieldMost:
				id.MostSignificantBits = int64(number)
			case field == fieldLeast:
				id.LeastSignificantBits = int64(number)
			default:
				return false
			}
			return true
		})
	})
	whole.kind.Structured, whole.id.Value = id, &whole.kind
	return &whole.id, ok && found
}

func readOptions(b []byte, o *streams.BatchAppendReq_Options) bool {
	return eachField(b, func(field protowire.Number, data []byte, number uint64) bool {
		if field == fieldIdentifier {
			return data != nil && o.StreamIdentifier == nil && readIdentifier(data, o)
		}
		if o.ExpectedStreamPosition != nil || len(data) > 0 || (data == nil) != (field == fieldExactly) {
			return false
		}
		switch field {
		case fieldExactly:
			o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: number}
		case fieldNoStream:
			o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
		case fieldAny:
			o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
		case fieldExists:
			o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
		default:
			return false
		}
		return true
	})
}

func readIdentifier(b []byte, o *streams.BatchAppendReq_Options) bool {
	o.StreamIdentifier = &shared.StreamIdentifier{}
	return eachField(b, func(field protowire.Number, data []byte, _ uint64) bool {
		o.StreamIdentifier.StreamName = data
		return field == fieldStreamName && data != nil
	})
}

func readProposed(b []byte, m *streams.BatchAppendReq_ProposedMessage) bool {
	return eachField(b, func(field protowire.Number, data []byte, _ uint64) (ok bool) {
		if data == nil {
			return false
		}
		switch field {
		case fieldProposedID:
			if m.Id != nil {
				return false
			}
			m.Id, ok = readID(data)
			return ok
		case fieldProposedMeta:
			if m.Metadata == nil {
				m.Metadata = make(map[string]string, 2)
			}
			return readEntry(data, m.Metadata)
		case fieldProposedCustom:
			m.CustomMetadata = data
		case fieldProposedData:
			m.Data = data
		default:
			return false
		}
		return true
	})
}

func readEntry(b []byte, m map[string]string) bool {
	var key, value []byte
	ok := eachField(b, func(field protowire.Number, data []byte, _ uint64) bool {
		switch {
		case data == nil || !utf8.Valid(data):
			return false
		case field == fieldKey:
			key = data
		case field == fieldValue:
			value = data
		default:
			return false
		}
		return true
	})
	if ok {
		m[word(key)] = word(value)
	}
	return ok
}

// word does not make the words again that are in every event.
func word(b []byte) string {
	for _, w := range [...]string{metaType, metaContentType, contentJSON, contentBinary} {
		if string(b) == w {
			return w
		}
	}
	return string(b)
}
