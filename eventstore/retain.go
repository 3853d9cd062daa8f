package eventstore

import (
	"context"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Retain lets the stream show its last count events only, by its metadata,
// which it replaces. It is for streams of which only the newest matter.
func (c *Client) Retain(ctx context.Context, stream string, count int) error {
	_, err := Do(ctx, c, func(client *esdb.Client) (*esdb.WriteResult, error) {
		var metadata esdb.StreamMetadata
		metadata.SetMaxCount(uint64(count))
		return client.SetStreamMetadata(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, metadata)
	})
	if err != nil {
		return fmt.Errorf("keep the last %d events of %s: %w", count, stream, err)
	}
	return nil
}
