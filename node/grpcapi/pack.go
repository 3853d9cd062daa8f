package grpcapi

import (
	"context"
	"encoding/binary"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// A pack sends events that are ready together as one piece of data, each behind
// its prefix as the protocol of gRPC wants it. The library's own way makes each
// message a frame, and writes those of many readers in turns, so that each reader
// is woken for its first event, and again for the next one.
//
// The library has no such call. Its stream is reached through an exported
// function, and the method by its name; where that is not as expected, events
// are sent as messages.
type pack struct {
	write func(mem.BufferSlice) error

	ready mem.BufferSlice
	size  int
	buf   *[]byte // is being filled; after ready
}

const (
	prefixSize = 5 // of a message: whether it is compressed, and its length
	packBytes  = 16 << 10
)

func putPrefix(b []byte, message int) {
	b[0] = 0
	binary.BigEndian.PutUint32(b[1:prefixSize], uint32(message))
}

// newPack is nil where the library does not let us.
func newPack(ctx context.Context) *pack {
	stream := grpc.ServerTransportStreamFromContext(ctx)
	if c, ok := stream.(interface{ RecvCompress() string }); !ok || c.RecvCompress() != "" {
		return nil // who compresses is answered in kind
	}
	write := reflect.ValueOf(stream).MethodByName("Write")
	want := []reflect.Type{reflect.TypeFor[[]byte](), reflect.TypeFor[mem.BufferSlice]()}
	if !write.IsValid() || write.Type().NumIn() != len(want)+1 || write.Type().NumOut() != 1 {
		return nil
	}
	for i, t := range want {
		if write.Type().In(i) != t {
			return nil
		}
	}
	options := write.Type().In(len(want))
	if options.Kind() != reflect.Pointer {
		return nil
	}
	header, plain := reflect.Zero(want[0]), reflect.New(options.Elem())
	return &pack{write: func(data mem.BufferSlice) error {
		err, _ := reflect.TypeAssert[error](write.Call([]reflect.Value{header, reflect.ValueOf(data), plain})[0])
		return err
	}}
}

// add may send what was added before.
func (p *pack) add(answer any) error {
	switch a := answer.(type) {
	case *keptAnswer:
		p.fill()
		p.ready = append(p.ready, a.framed)
		p.size += len(a.framed)
	case selfMarshaler:
		p.append(a)
	}
	if p.size < packBytes {
		return nil
	}
	return p.flush()
}

// append writes the answer where there is room for it.
func (p *pack) append(a selfMarshaler) {
	size := a.size()
	if p.buf != nil && cap(*p.buf)-len(*p.buf) < prefixSize+size {
		p.fill()
	}
	if p.buf == nil {
		p.buf = mem.DefaultBufferPool().Get(max(packBytes, prefixSize+size))
		*p.buf = (*p.buf)[:0]
	}
	b := append(*p.buf, make([]byte, prefixSize)...)
	putPrefix(b[len(b)-prefixSize:], size)
	*p.buf = a.appendTo(b)
	p.size += prefixSize + size
}

// fill ends the buffer that is being filled.
func (p *pack) fill() {
	if p.buf != nil {
		p.ready = append(p.ready, mem.NewBuffer(p.buf, mem.DefaultBufferPool()))
		p.buf = nil
	}
}

func (p *pack) flush() error {
	p.fill()
	if len(p.ready) == 0 {
		return nil
	}
	data := p.ready
	p.ready, p.size = nil, 0 // the library keeps the slice
	defer data.Free()
	return p.write(data)
}
