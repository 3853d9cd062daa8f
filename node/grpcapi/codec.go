package grpcapi

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that codec wraps
	"google.golang.org/grpc/mem"

	"github.com/waybill-dev/waybill/node"
)

// codec is the ordinary one, except for events, of which a read sends very
// many and a batch has some.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// A selfMarshaler writes itself to bytes of exactly its size.
type selfMarshaler interface {
	size() int
	appendTo(b []byte) []byte
}

// A keptAnswer is an event that many subscribers are sent: it is written once,
// and nobody gives its bytes back.
type keptAnswer struct{ framed mem.SliceBuffer } // with its prefix

// keptFor returns what every reader of a shared record is sent who asked for
// nothing special.
func keptFor(r *node.Record) *keptAnswer {
	if kept, ok := r.Kept.Load().(*keptAnswer); ok {
		return kept
	}
	a := newEventAnswer(r, nil, false)
	b := make([]byte, prefixSize, prefixSize+a.size())
	putPrefix(b, a.size())
	kept := &keptAnswer{a.appendTo(b)}
	r.Kept.Store(kept) // another reader may have, just now: it is the same
	return kept
}

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if kept, ok := v.(*keptAnswer); ok {
		return mem.BufferSlice{kept.framed[prefixSize:]}, nil
	}
	m, ok := v.(selfMarshaler)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(m.size())
	*buf = m.appendTo((*buf)[:0])
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if req, ok := v.(*streams.BatchAppendReq); ok {
		req.Reset()
		if readBatch(data.Materialize(), req) {
			return nil
		}
	}
	return c.CodecV2.Unmarshal(data, v)
}
