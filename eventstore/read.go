package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// ReadStream implements [Store]. When the connection breaks on the way it goes
// on where it was, as long as the store is not away altogether; a silent store
// is given up after Config.Timeout.
func (c *Client) ReadStream(ctx context.Context, stream string, from Revision) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		if from < 0 {
			yield(Recorded{}, fmt.Errorf("read %s: %d is no revision", stream, from))
			return
		}
		r := reading{client: c, stream: stream, direction: esdb.Forwards, count: math.MaxInt64, next: from}
		r.run(ctx, yield)
	}
}

// ReadBackwards yields the last events of a stream, the newest first and at
// most count of them. A stream that does not exist is an empty sequence.
func (c *Client) ReadBackwards(ctx context.Context, stream string, count int) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		if count <= 0 {
			return
		}
		r := reading{client: c, stream: stream, direction: esdb.Backwards, count: uint64(count), next: fromEnd}
		r.run(ctx, yield)
	}
}

// canExist tells whether a stream can have such a name. A store may refuse to
// read one it cannot have; to whoever reads, it is a stream that does not
// exist, like any other.
func canExist(stream string) bool {
	return stream != "" && utf8.ValidString(stream) && !strings.ContainsFunc(stream, unicode.IsControl)
}

// fromEnd stands for the last revision, whichever it is.
const fromEnd Revision = -1

// reading is a read of one stream that has got somewhere.
type reading struct {
	client    *Client
	stream    string
	direction esdb.Direction
	count     uint64   // that remain to be read
	next      Revision // to be read
}

func (r *reading) run(ctx context.Context, yield func(Recorded, error) bool) {
	if !canExist(r.stream) {
		return
	}
	retry := r.client.config.backoff()
	for failures := 0; ; failures++ {
		progress, err := r.once(ctx, yield)
		if progress {
			failures = 0
			retry.reset()
		}
		if err == nil {
			return
		}
		if !isFault(err, faultLost, faultUnsent, faultBusy, faultAborted) || failures == maxReads || !sleep(ctx, retry.next()) {
			yield(Recorded{}, fmt.Errorf("read %s: %w", r.stream, withCause(ctx, err)))
			return
		}
	}
}

// maxReads is how often a read is repeated that gets nowhere. The first
// repetition is for a connection that was broken without anybody noticing.
const maxReads = 4

// once reads until the end, an error, or the caller has enough, which is no
// error. It tells whether it got any further.
func (r *reading) once(ctx context.Context, yield func(Recorded, error) bool) (progress bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, events, first, err := r.open(ctx)
	if err != nil {
		if isFault(err, faultMissing) {
			return false, nil
		}
		return false, err
	}
	defer s.release()
	defer events.Close()
	batch := batch{codec: r.client.config.Codec}
	for event := first; event != nil; {
		if !yield(batch.recorded(event), nil) {
			return true, nil
		}
		if !r.advance(event) {
			return true, nil
		}
		if event, err = receive(s, events); err != nil {
			return true, err
		}
	}
	return true, nil
}

// advance notes that an event was read and tells whether there can be more.
func (r *reading) advance(event *esdb.RecordedEvent) bool {
	r.count--
	number := Revision(event.EventNumber) //nolint:gosec // revisions are int64 at the server
	if r.direction == esdb.Backwards {
		r.next = number - 1
		return r.count > 0 && number > 0
	}
	r.next = number + 1
	return r.count > 0
}

// opening is the beginning of a read: the client reports a missing stream, and
// a lost connection, with the first event only.
type opening struct {
	events *esdb.ReadStream
	first  *esdb.RecordedEvent
}

// open begins to read. The caller releases the session.
func (r *reading) open(ctx context.Context) (*session, *esdb.ReadStream, *esdb.RecordedEvent, error) {
	limit, cancel := context.WithTimeout(ctx, r.client.config.Timeout)
	defer cancel()
	s, err := r.client.calls.acquire(limit, false)
	if err != nil {
		return nil, nil, nil, err
	}
	if !s.use() { // for the reading that goes on after the call
		s.release()
		return nil, nil, nil, unsent(nil)
	}
	o, err := call(limit, s, func(client *esdb.Client) (opening, error) {
		return r.begin(ctx, limit, client)
	})
	if err != nil {
		s.release()
		return nil, nil, nil, err
	}
	return s, o.events, o.first, nil
}

// begin asks for the events and waits for the first. The events live as long
// as ctx, but the first must come within the limit.
func (r *reading) begin(ctx, limit context.Context, client *esdb.Client) (opening, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(limit, cancel)
	events, err := client.ReadStream(ctx, r.stream, r.options(), r.count)
	if err != nil {
		cancel()
		return opening{}, err
	}
	first, err := events.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		cancel()
		return opening{}, err
	}
	if !stop() {
		return opening{}, late(context.Cause(limit))
	}
	if first == nil {
		return opening{events: events}, nil
	}
	return opening{events: events, first: first.OriginalEvent()}, nil
}

func (r *reading) options() esdb.ReadStreamOptions {
	options := esdb.ReadStreamOptions{Direction: r.direction, From: esdb.End{}}
	if r.next != fromEnd {
		options.From = esdb.Revision(uint64(r.next))
	}
	return options
}

// receive returns the next event, or nil after the last. A panic of the client
// or a lost connection end as errors.
func receive(s *session, events *esdb.ReadStream) (*esdb.RecordedEvent, error) {
	event, err := protect(events.Recv)
	if errors.Is(err, io.EOF) {
		return nil, nil //nolint:nilnil // the end is no error
	}
	if err != nil {
		_, err = judge(s, event, err)
		return nil, err
	}
	return event.OriginalEvent(), nil
}
