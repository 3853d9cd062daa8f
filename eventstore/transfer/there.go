package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// there knows how far the target's streams go already, of an import that was
// interrupted, or is run again. An append that is repeated is recognised, but
// asking once for each stream takes less than sending all of it again. The
// events at which a stream of the target ends are appended nevertheless: the
// server compares them, and refuses what is not the same. So is all of a stream
// that goes on in the target after it has ended in the file. Where the target
// has none of the first streams, it is not asked any more.
type there struct {
	plan *plan

	mu      sync.Mutex
	asked   int    // streams
	found   bool   // a stream in the target
	ended   bool   // nothing is asked any more
	skipped uint64 // events
}

const mostInVain = 64

// nothingThere is the last revision of a stream that is missing or deleted.
const nothingThere = -1

// skips says whether all of a chunk is in the target.
func (t *there) skips(ctx context.Context, to *Database, c *chunk) (bool, error) {
	known, err := t.known(ctx, to, c.stream)
	if err != nil || !known.Asked {
		return false, err
	}
	if end := int64(c.revision) + int64(len(c.events)) - 1; end >= known.Last { //nolint:gosec // there are no such streams
		return false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped += uint64(len(c.events))
	return true, nil
}

// known is the course of a stream, and where the target's ends, unless nothing
// is asked any more.
func (t *there) known(ctx context.Context, to *Database, stream string) (course, error) {
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return course{}, nil
	}
	c, err := t.plan.of(ctx, stream)
	if err != nil || c.Asked || c.Irregular {
		return c, err
	}
	if c.Last, err = t.ask(ctx, to, stream, c.Next); err != nil {
		return c, fmt.Errorf("ask how far %s goes: %w", stream, err)
	}
	t.note(c.Last != nothingThere)
	c.Asked = true
	return c, t.plan.change(ctx, stream, func(known *course) bool {
		known.Asked, known.Last = true, c.Last
		return true
	})
}

// ask asks where a stream of the target ends, of which the file has events up
// to a revision.
func (t *there) ask(ctx context.Context, to *Database, stream string, next uint64) (last int64, err error) {
	event, err := lastEvent(ctx, to, stream)
	switch {
	case err != nil:
		return nothingThere, err
	case event == nil:
		return t.whole(ctx, to, stream)
	case event.Revision >= next:
		return nothingThere, nil
	}
	return int64(event.Revision), nil //nolint:gosec // there are no such streams
}

// note counts the streams that were asked for.
func (t *there) note(found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.found = t.asked+1, t.found || found
	t.ended = !t.found && t.asked >= mostInVain
}

// lastEvent is nil where there is none.
func lastEvent(ctx context.Context, to *Database, stream string) (*Event, error) {
	list, err := ask(ctx, to, func(ctx context.Context, c *esdb.Client) ([]*Event, error) {
		return readStream(ctx, c, stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// readStream is empty where there is no stream.
func readStream(ctx context.Context, c *esdb.Client, stream string, options esdb.ReadStreamOptions, count uint64) (list []*Event, err error) {
	events, err := c.ReadStream(ctx, stream, options, count)
	if err != nil {
		return nil, unlessMissing(err)
	}
	defer events.Close()
	for {
		e, err := events.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, unlessMissing(err)
		}
		list = append(list, eventOf(e.OriginalEvent()))
	}
}

func unlessMissing(err error) error {
	if hasCode(err, esdb.ErrorCodeResourceNotFound) || hasCode(err, esdb.ErrorCodeStreamDeleted) {
		return nil
	}
	return err
}
