package transfer

import (
	"context"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// holds is nil where the target has the chunk, but for what it has scavenged or
// its metadata hides, and otherwise the conflict. Its stream ends with last.
func (x *importing) holds(ctx context.Context, c *chunk, last *Event, conflict error) error {
	end := c.revision + uint64(len(c.events)) - 1
	if last.Revision != end || last.ID != c.events[len(c.events)-1].ID {
		return conflict
	}
	left, err := ask(ctx, &x.To, func(ctx context.Context, client *esdb.Client) ([]*Event, error) {
		options := esdb.ReadStreamOptions{From: esdb.Revision(c.revision)}
		return readStream(ctx, client, c.stream, options, uint64(len(c.events)))
	})
	if err != nil {
		return err
	}
	for _, e := range left {
		if e.Revision <= end && e.ID != c.events[e.Revision-c.revision].ID {
			return conflict
		}
	}
	return nil
}

// whole is the last revision of a stream that is deleted in the target because
// the file says so, and of one that is not there otherwise. Metadata is written
// after all events of its stream, which may be scavenged since.
func (t *there) whole(ctx context.Context, to *Database, stream string) (last int64, err error) {
	m, err := t.plan.metadata(ctx, stream)
	if err != nil || m == nil {
		return nothingThere, err
	}
	written, err := lastEvent(ctx, to, metadataPrefix+stream)
	if err != nil || written == nil || written.ID != m.ID {
		return nothingThere, err
	}
	return math.MaxInt64, nil
}
