package grpcapi

import (
	"errors"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node"
)

// Append implements [streams.StreamsServer].
func (s *service) Append(stream streams.Streams_AppendServer) error {
	a, held, err := s.receive(stream)
	defer s.arriving.give(held)
	if err != nil {
		return refuseStream(stream, err)
	}
	if err := s.gate.authorise(stream.Context(), opWrite, a.Stream); err != nil {
		return refuseStream(stream, err)
	}
	done, err := s.node.Append(stream.Context(), a)
	if wrong := (*node.WrongExpectedError)(nil); errors.As(err, &wrong) {
		return stream.SendAndClose(wrongExpected(wrong))
	}
	if err != nil {
		return refuseStream(stream, err)
	}
	return stream.SendAndClose(success(done))
}

// receive reads the whole append. What is wrong with it is answered after the
// client has sent everything: it would otherwise see only that it cannot send.
// The caller gives back what is held.
func (s *service) receive(stream streams.Streams_AppendServer) (a node.Append, held int64, err error) {
	first, err := stream.Recv()
	if err != nil {
		return node.Append{}, 0, err
	}
	a, err = parseAppend(first.GetOptions())
	left := s.node.MaxAppendBytes()
	for err == nil {
		var req *streams.AppendReq
		if req, err = stream.Recv(); errors.Is(err, io.EOF) {
			return a, held, nil
		}
		if err != nil {
			return a, held, err
		}
		var e node.Event
		if e, err = parseEvent(req.GetProposedMessage()); err != nil {
			break
		}
		if left -= e.Size(); left < 0 {
			err = &node.TooLargeError{Limit: s.node.MaxAppendBytes()}
			break
		}
		size := e.Size() + eachArriving
		if err = s.arriving.take(size); err != nil {
			break
		}
		held += size
		a.Events = append(a.Events, e)
	}
	drain(stream)
	return a, held, err
}

// drain reads what the client still sends, within bounds.
func drain(stream streams.Streams_AppendServer) {
	const (
		most  = 32 << 20
		limit = 2 * time.Second
	)
	done := make(chan struct{})
	go func() { // ends with the call at the latest
		defer close(done)
		for n := 0; n < most; {
			req, err := stream.Recv()
			if err != nil {
				return
			}
			m := req.GetProposedMessage()
			n += len(m.GetData()) + len(m.GetCustomMetadata()) + 1
		}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func parseAppend(o *streams.AppendReq_Options) (node.Append, error) {
	if o == nil {
		return node.Append{}, invalid("an append begins with its options")
	}
	a := node.Append{Stream: nameOf(o)}
	var err error
	if a.Expected, err = expectedOf(o, o.GetExpectedStreamRevision() != nil); err != nil {
		return a, err
	}
	return a, node.ValidStream(a.Stream)
}

// The system metadata of an event on the wire.
const (
	metaType        = "type"
	metaContentType = "content-type"
	metaCreated     = "created"

	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
)

func parseEvent(m *streams.AppendReq_ProposedMessage) (node.Event, error) {
	if m == nil {
		return node.Event{}, invalid("an append has its options once, and events after them")
	}
	typ, ok := m.GetMetadata()[metaType]
	if !ok {
		return node.Event{}, missingProperty(metaType)
	}
	content, ok := m.GetMetadata()[metaContentType]
	if !ok {
		return node.Event{}, missingProperty(metaContentType)
	}
	id, err := parseID(m.GetId())
	if err != nil {
		return node.Event{}, err
	}
	if typ == "" || id == uuid.Nil {
		return node.Event{}, refuse(codes.Unknown, panicked+" An event needs a type and an id.")
	}
	return node.Event{
		ID: id, Type: typ, JSON: content == contentJSON,
		Data: m.GetData(), Metadata: m.GetCustomMetadata(),
	}, nil
}

func parseID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		return joinID(v.Structured.GetMostSignificantBits(), v.Structured.GetLeastSignificantBits()), nil
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(v.String_)
		if err != nil {
			return uuid.Nil, invalid("event id %q is not a UUID", v.String_)
		}
		return parsed, nil
	}
	return uuid.Nil, nil
}

func success(done node.Appended) *streams.AppendResp {
	ok := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(done.Revision)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: done.Position, PreparePosition: done.Position,
		}},
	}
	if done.Revision < 0 {
		ok.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: ok}}
}

// wrongExpected is an answer, not an error: the protocol wants it in the body.
func wrongExpected(e *node.WrongExpectedError) *streams.AppendResp {
	wrong := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption: &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(e.Current)},
	}
	if e.Current < 0 {
		wrong.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
	}
	switch e.Expected {
	case node.ExpectAny:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	case node.ExpectExists:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	case node.ExpectNoStream:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	default:
		wrong.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(e.Expected)}
	}
	tellOldClients(wrong, e)
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong}}
}
