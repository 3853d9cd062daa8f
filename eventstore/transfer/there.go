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
	last    map[string]int64 // revision by stream; none is what was not asked for
	found   bool             // a stream in the target
	ended   bool             // nothing is asked any more
	skipped uint64           // events
}

const mostInVain = 64

// mostThere bounds what is remembered. A stream that is not is appended again.
const mostThere = 1 << 20

// nothingThere is the last revision of a stream that is missing or deleted.
const nothingThere = -1

// skips says whether all of a chunk is in the target.
func (t *there) skips(ctx context.Context, to *Database, c *chunk) (bool, error) {
	if t.plan.irregular[c.stream] != "" {
		return false, nil
	}
	t.mu.Lock()
	last, asked := t.last[c.stream]
	full := t.ended || len(t.last) >= mostThere
	t.mu.Unlock()
	if !asked && full {
		return false, nil
	}
	if !asked {
		event, err := lastEvent(ctx, to, c.stream)
		if err != nil {
			return false, fmt.Errorf("ask how far %s goes: %w", c.stream, err)
		}
		last = t.note(c.stream, event)
		if event == nil {
			if last, err = t.whole(ctx, to, c.stream); err != nil {
				return false, err
			}
		}
	}
	if end := int64(c.revision) + int64(len(c.events)) - 1; end >= last { //nolint:gosec // there are no such streams
		return false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped += uint64(len(c.events))
	return true, nil
}

// note remembers where a stream of the target ends; nil is one that is not there.
func (t *there) note(stream string, event *Event) (last int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last = nothingThere
	if event != nil && !t.ended && event.Revision < t.plan.end(stream) {
		last, t.found = int64(event.Revision), true //nolint:gosec // there are no such streams
	}
	if !t.ended {
		t.last[stream] = last
	}
	if !t.found && len(t.last) >= mostInVain {
		t.ended, t.last, t.plan.next = true, nil, nil // of a large file it is large
	}
	return last
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
