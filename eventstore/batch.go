package eventstore

import "github.com/EventStore/EventStore-Client-Go/v4/esdb"

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
		Position:    Position(e.Position.Commit),
		Type:        e.EventType,
		Created:     e.CreatedDate,
		Data:        e.Data,
		RawMetadata: e.UserMetadata,
		codec:       b.codec,
		once:        once,
	}
}
