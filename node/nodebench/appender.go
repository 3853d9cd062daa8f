package nodebench

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// An Appender is a client that appends.
type Appender interface {
	// Append appends an event with data to a stream whose newest has the
	// revision last, -1 where there is no stream.
	Append(ctx context.Context, stream string, last int64, data []byte) error
	Close() error
}

// Connect makes a client of the node at an address.
type Connect func(address string) (Appender, error)

// official appends with a call of its own for each event.
type official struct{ *esdb.Client }

func connectOfficial(address string) (Appender, error) {
	clients, err := connect(address, 1)
	if err != nil {
		return nil, err
	}
	return official{clients[0]}, nil
}

func (c official) Append(ctx context.Context, stream string, last int64, data []byte) error {
	var expected esdb.ExpectedRevision = esdb.NoStream{}
	if last >= 0 {
		expected = esdb.Revision(uint64(last))
	}
	_, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected},
		esdb.EventData{EventType: "OrderPlaced", ContentType: esdb.ContentTypeJson, Data: data})
	return err
}
