package grpcapi

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that codec wraps
	"google.golang.org/grpc/mem"

	"github.com/waybill-dev/waybill/node"
)

// codec is the ordinary one, except for answers that write themselves: events,
// of which a read sends very many.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// A selfMarshaler writes itself to bytes of exactly its size.
type selfMarshaler interface {
	size() int
	appendTo(b []byte) []byte
}

// A keptAnswer is an event that many subscribers are sent: it is written once,
// and nobody gives its bytes back.
type keptAnswer struct{ data mem.BufferSlice }

// keptFor returns what every reader of a shared record is sent who asked for
// nothing special.
func keptFor(r *node.Record) *keptAnswer {
	if kept, ok := r.Kept.Load().(*keptAnswer); ok {
		return kept
	}
	a := newEventAnswer(r, nil, false)
	kept := &keptAnswer{mem.BufferSlice{mem.SliceBuffer(a.appendTo(make([]byte, 0, a.size())))}}
	r.Kept.Store(kept) // another reader may have, just now: it is the same
	return kept
}

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if kept, ok := v.(*keptAnswer); ok {
		return kept.data, nil
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
