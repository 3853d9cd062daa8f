package grpcapi

import (
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-dev/waybill/node"
)

// The fields that servers from 25.0 on add to what they tell subscriptions. The
// generated code does not know them, and clients that do not either pass over
// them.
const (
	fieldCaughtUpWhen     = 1
	fieldCaughtUpRevision = 2
	fieldCaughtUpPosition = 3
	fieldCheckpointWhen   = 3

	fieldSeconds = 1 // of Timestamp
	fieldNanos   = 2
)

// when is the time of the store.
func (s *sender) when(field protowire.Number) []byte {
	at := s.node.Now()
	text := appendVarint(nil, fieldSeconds, uint64(at.Unix()))
	text = appendVarint(text, fieldNanos, uint64(at.Nanosecond()))
	return append(appendLength(nil, field, len(text)), text...)
}

// caughtUp is told at every change from behind to live, with the place from
// which the reader could go on with another subscription.
func (s *subscription) caughtUp(place func([]byte) []byte) error {
	if s.live {
		return nil
	}
	s.live = true
	m := &streams.ReadResp_CaughtUp{}
	m.ProtoReflect().SetUnknown(place(s.when(fieldCaughtUpWhen)))
	return s.out.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: m}})
}

// place is nothing before the first event of the stream.
func (f *streamFollower) place(b []byte) []byte {
	if f.next == 0 {
		return b
	}
	return appendVarint(b, fieldCaughtUpRevision, f.next-1)
}

// place is nothing before the first event of the log.
func (c *checkpoints) place(b []byte) []byte {
	if c.considered == 0 {
		return b
	}
	at := appendVarint(appendVarint(nil, fieldCommitAt, c.considered), fieldPrepareAt, c.considered)
	return append(appendLength(b, fieldCaughtUpPosition, len(at)), at...)
}

// before is where the last event is that a reader from there on is not shown; 0
// is none.
func (s *subscription) before(from uint64) (uint64, error) {
	page, err := s.node.ReadAll(node.AllRead{From: from, Backwards: true, Limit: 1})
	if err != nil || len(page.Records) == 0 {
		return 0, err
	}
	return page.Records[0].Position, nil
}
