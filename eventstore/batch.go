package eventstore

import (
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// batch makes recorded events. It allocates what they need besides for many of
// them at once.
type batch struct {
	codec *Codec
	spare []decoding
}

const batchSize = 64

func (b *batch) recorded(e *esdb.RecordedEvent) Recorded {
	if len(b.spare) == 0 {
		b.spare = make([]decoding, batchSize)
	}
	once := &b.spare[0]
	b.spare = b.spare[1:]
	return Recorded{
		ID:          e.EventID,
		Stream:      e.StreamID,
		Revision:    Revision(e.EventNumber), //nolint:gosec // revisions are int64 at the server
		Position:    told(e.Position.Commit),
		Type:        e.EventType,
		Created:     e.CreatedDate,
		Data:        e.Data,
		RawMetadata: e.UserMetadata,
		codec:       b.codec,
		once:        once,
	}
}

// told is 0 for the largest number there is, by which servers say that they do
// not tell the position of an event that is read from its stream.
func told(commit uint64) Position {
	if commit == math.MaxUint64 {
		return 0
	}
	return Position(commit)
}
