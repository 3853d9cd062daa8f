package eventstore

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A laneAnswer is streams.BatchAppendResp: what was done, or why it was refused.
type laneAnswer struct {
	id      int64
	done    Appended
	refused error
}

// read keeps nothing of b.
func (a *laneAnswer) read(b []byte) error {
	if a.readDone(b) {
		return nil
	}
	resp := &streams.BatchAppendResp{}
	if err := proto.Unmarshal(b, resp); err != nil {
		return fmt.Errorf("read the answer to an append: %w", err)
	}
	*a = laneAnswer{id: resp.GetCorrelationId().GetStructured().GetLeastSignificantBits()}
	done := resp.GetSuccess()
	if done == nil {
		a.refused = laneRefusal(resp.GetError())
		return nil
	}
	a.done = Appended{
		Revision: Revision(done.GetCurrentRevision()), //nolint:gosec // revisions are int64 at the server
		Position: Position(done.GetPosition().GetCommitPosition()),
	}
	return nil
}

// readDone is false of an answer that is not an ordinary yes, and is then to be
// read again.
func (a *laneAnswer) readDone(b []byte) bool {
	success := false
	return laneFields(b, func(field protowire.Number, data []byte, _ uint64) bool {
		switch {
		case data == nil:
			return false
		case field == laneAnswered:
			return laneFields(data, a.readID)
		case field == laneSuccess:
			success = true
			return laneFields(data, a.readSuccess)
		}
		return field > laneSuccess // what was asked is said again
	}) && success
}

func (a *laneAnswer) readID(field protowire.Number, data []byte, _ uint64) bool {
	return field == laneStructured && data != nil && laneFields(data, func(field protowire.Number, data []byte, number uint64) bool {
		if field == laneLeast {
			a.id = int64(number) //nolint:gosec // the same bits
		}
		return data == nil
	})
}

func (a *laneAnswer) readSuccess(field protowire.Number, data []byte, number uint64) bool {
	switch {
	case field == laneRevision && data == nil:
		a.done.Revision = Revision(number) //nolint:gosec // revisions are int64 at the server
		return true
	case field == lanePosition && data != nil:
		return laneFields(data, func(field protowire.Number, data []byte, number uint64) bool {
			if field == laneCommit {
				a.done.Position = Position(number)
			}
			return data == nil
		})
	}
	return false
}

// laneFields calls f with every field and its bytes, which are nil of a number,
// until f says that it is not as usual.
func laneFields(b []byte, f func(field protowire.Number, data []byte, number uint64) bool) bool {
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
			data, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		default:
			return false
		}
		if n < 0 || !f(field, data, number) {
			return false
		}
		b = b[n:]
	}
	return true
}
