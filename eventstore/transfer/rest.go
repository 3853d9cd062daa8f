package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/eventstore"
)

// rest writes what comes after the events: deleting, and metadata, which may
// say that a stream is deleted.
func (x *importing) rest(ctx context.Context) (err error) {
	if x.described, err = x.plan.count(ctx, withMetadata); err != nil {
		return err
	}
	if x.entombed, err = x.plan.count(ctx, withTombstone); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(x.Workers)
	total := uint64(x.described + x.entombed)
	var done uint64
	write := func(of string, f func(context.Context, string) error) error {
		return x.plan.each(ctx, of, func(stream string) error {
			g.Go(func() error {
				if err := f(ctx, stream); err != nil {
					return err
				}
				x.mu.Lock()
				defer x.mu.Unlock()
				done++
				x.Progress.advance(StageMetadata, done, total)
				return nil
			})
			return ctx.Err()
		})
	}
	if err = write(stillThere, x.describe); err == nil {
		err = write(withTombstone, x.tombstone)
	}
	if cause := g.Wait(); cause != nil {
		return cause
	}
	return err
}

func (x *importing) tombstone(ctx context.Context, stream string) error {
	_, err := ask(ctx, &x.To, func(ctx context.Context, c *esdb.Client) (*esdb.DeleteResult, error) {
		return c.TombstoneStream(ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	})
	if err != nil && !hasCode(err, esdb.ErrorCodeStreamDeleted) {
		return fmt.Errorf("delete %s for ever: %w", stream, err)
	}
	return nil
}

// describe writes the newest metadata, unless it is there already. That of a
// target that has changed it since the import is kept.
func (x *importing) describe(ctx context.Context, stream string) error {
	m, err := x.plan.metadata(ctx, stream)
	if err != nil {
		return wrap(stream, err)
	}
	c, err := x.plan.of(ctx, stream)
	if err != nil {
		return err
	}
	data := m.Data
	if c.Begun {
		if data, err = c.hide(data); err != nil {
			return wrap(stream, err)
		}
	}
	event := esdb.EventData{EventID: m.ID, EventType: m.Type, ContentType: contentType(m.ContentType), Data: data, Metadata: m.Extra}
	var expected esdb.ExpectedRevision = esdb.NoStream{}
	for {
		_, err := ask(ctx, &x.To, func(ctx context.Context, c *esdb.Client) (*esdb.WriteResult, error) {
			return c.AppendToStream(ctx, metadataPrefix+stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, event)
		})
		if !errors.Is(err, eventstore.ErrConflict) {
			return wrap(stream, err)
		}
		last, readErr := lastEvent(ctx, &x.To, metadataPrefix+stream)
		switch {
		case readErr != nil || last == nil:
			return wrap(stream, errors.Join(err, readErr))
		case last.ID == m.ID:
			return nil
		}
		expected = esdb.Revision(last.Revision)
	}
}

func wrap(stream string, err error) error {
	if err != nil {
		return fmt.Errorf("write the metadata of %s: %w", stream, err)
	}
	return nil
}
