package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// maxCuts is how often an append is repeated after the server ended the
// request before all of it was sent. A server that refuses a request does that
// too, and the client library loses the reason.
const maxCuts = 3

// Append implements [Store].
//
// An append whose outcome is unknown, because the connection broke or no
// answer came, is repeated until the context or Config.Timeout ends. With an
// exact expectation or NoStream that is harmless: had the first attempt been
// written, the server would find the same ids right behind the expected
// revision and answer as it did then, however long ago that was and whoever
// wrote since. With Any or StreamExists the server only has its memory of
// recent ids to go by, which is bounded and does not survive its restart; there
// the unknown outcome is returned as ErrUnavailable, for the caller to decide.
//
// A connection that could not be made is no unknown outcome: then Append
// answers ErrUnavailable at once.
func (c *Client) Append(
	ctx context.Context, stream string, expected Revision, events ...NewEvent,
) (Appended, error) {
	proposed, err := c.propose(events)
	if err != nil {
		return Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	return c.append(ctx, stream, expected, proposed)
}

// MaxAppendBytes is the most that one append may hold: what a server accepts
// unless it is configured otherwise, data, metadata and types of all events.
const MaxAppendBytes = 1 << 20

func (c *Client) propose(events []NewEvent) ([]esdb.EventData, error) {
	proposed := make([]esdb.EventData, len(events))
	size := 0
	for i, e := range events {
		if e.ID == uuid.Nil {
			return nil, fmt.Errorf("event %d has no id", i)
		}
		data, metadata, err := c.config.Codec.encode(e.Event, e.Content, e.Metadata)
		if err != nil {
			return nil, err
		}
		proposed[i] = esdb.EventData{
			EventID:     e.ID,
			EventType:   e.Event.EventName(),
			ContentType: esdb.ContentTypeJson,
			Data:        data,
			Metadata:    metadata,
		}
		size += len(data) + len(metadata) + 2*len(proposed[i].EventType)
	}
	if size > MaxAppendBytes {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	return proposed, nil
}

func (c *Client) append(
	ctx context.Context, stream string, expected Revision, events []esdb.EventData,
) (Appended, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	done, err := c.appendUntilKnown(ctx, stream, expected, events)
	if err != nil {
		return Appended{}, fmt.Errorf("append to %s: %w", stream, withCause(caller, err))
	}
	return done, nil
}

// withCause adds that the caller's context ended, if it did.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return errors.Join(err, cause)
	}
	return err
}

func (c *Client) appendUntilKnown(
	ctx context.Context, stream string, expected Revision, events []esdb.EventData,
) (Appended, error) {
	options, err := appendOptions(stream, expected, events)
	if err != nil {
		return Appended{}, err
	}
	attempts := attempts{exact: expected >= NoStream, retry: c.config.backoff()}
	if attempts.exact {
		done, err := c.lane.append(ctx, stream, expected, events)
		if err == nil {
			return c.located(ctx, stream, done)
		}
		if isFault(err, faultConflict) || ctx.Err() != nil && !errors.Is(err, errNoLane) {
			return Appended{}, err
		}
		attempts.unknown = !errors.Is(err, errNoLane)
	}
	for {
		s, err := c.calls.acquire(ctx, attempts.unknown)
		if err != nil {
			return Appended{}, err
		}
		done, err := call(ctx, s, func(client *esdb.Client) (*esdb.WriteResult, error) {
			return client.AppendToStream(ctx, stream, options, events...)
		})
		if err == nil {
			c.lane.reached(ctx)
			return c.located(ctx, stream, Appended{
				Revision: Revision(done.NextExpectedVersion), //nolint:gosec // revisions are int64 at the server
				Position: Position(done.CommitPosition),
			})
		}
		if last := attempts.failed(err); last != nil {
			return Appended{}, last
		}
		if !sleep(ctx, attempts.retry.next()) {
			return Appended{}, err
		}
	}
}

// appendOptions says in the client's words what is expected.
func appendOptions(stream string, expected Revision, events []esdb.EventData) (esdb.AppendToStreamOptions, error) {
	var options esdb.AppendToStreamOptions
	if stream == "" || len(events) == 0 {
		return options, errors.New("a stream and an event are needed")
	}
	switch {
	case expected >= 0:
		options.ExpectedRevision = esdb.Revision(uint64(expected))
	case expected == NoStream:
		options.ExpectedRevision = esdb.NoStream{}
	case expected == Any:
		options.ExpectedRevision = esdb.Any{}
	case expected == StreamExists:
		options.ExpectedRevision = esdb.StreamExists{}
	default:
		return options, fmt.Errorf("%d is no revision", expected)
	}
	return options, nil
}

// located completes an answer without a position, which a server may give to a
// repeated append.
func (c *Client) located(ctx context.Context, stream string, appended Appended) (Appended, error) {
	if appended.Position != 0 {
		return appended, nil
	}
	for last, err := range c.ReadStream(ctx, stream, appended.Revision) {
		if err != nil {
			return Appended{}, err
		}
		appended.Position = last.Position
		break
	}
	return appended, nil
}

// attempts decides whether an append may be repeated.
type attempts struct {
	exact   bool // repeating is harmless
	unknown bool // an attempt may have been written
	cuts    int
	retry   backoff
}

// failed returns nil where another attempt is due, and otherwise the error to
// give up with.
func (a *attempts) failed(err error) error {
	if isFault(err, faultCut) {
		if a.cuts++; a.cuts == maxCuts {
			return fmt.Errorf("refused without a reason, %d times: %w", maxCuts, understand(err).cause)
		}
	}
	if !errors.Is(err, ErrUnavailable) {
		return err
	}
	if !isFault(err, faultUnsent) {
		a.unknown = true
	}
	if a.unknown && !a.exact {
		return err
	}
	return nil
}
