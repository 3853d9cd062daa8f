package eventstore

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
)

// Position is a place in the log of all streams: the commit position, which is
// also the prepare position for everything that is written through gRPC. It
// grows, with gaps; 0 is before the first event. Compare and store positions,
// but never calculate with them.
type Position uint64

// Revision is a place in one stream, counted from 0 without gaps, or one of
// the expectations below.
type Revision int64

// What an append may expect of its stream besides an exact last revision.
const (
	NoStream     Revision = -1 // the stream does not exist
	Any          Revision = -2 // nothing is expected
	StreamExists Revision = -4 // the stream exists
)

// NewEvent is an event to append. A zero ID is refused: use [EventID], so that
// a retry is recognised.
type NewEvent struct {
	ID       uuid.UUID
	Event    domain.Event
	Metadata Metadata
	// Content is Event as JSON, where somebody has made it already.
	Content []byte
}

// Appended is what an append answered.
type Appended struct {
	Revision Revision // of the last event written
	Position Position // of the last event written
}

// Recorded is an event as it stands in the log. Its payload is decoded when
// somebody asks for it, once for all copies, so that skipping an event costs
// nothing.
type Recorded struct {
	ID          uuid.UUID
	Stream      string
	Revision    Revision
	Position    Position // 0 where the server does not tell it of a stream's events
	Type        string   // the stored name
	Created     time.Time
	Data        []byte // raw JSON in the schema of Metadata
	RawMetadata []byte

	codec *Codec
	once  *decoding
}

// WithData returns the event with another payload, in the schema that the
// metadata names.
func (r Recorded) WithData(data []byte) Recorded {
	r.Data, r.once = data, &decoding{}
	return r
}

// size is that of the payload.
func (r Recorded) size() int { return len(r.Data) + len(r.RawMetadata) }

// decoding remembers what Decode and Metadata answered, for all copies of a
// Recorded.
type decoding struct {
	sync.Once
	event domain.Event
	err   error

	metadata    sync.Once
	meta        Metadata
	metadataErr error
}

// UnreadableError says that an event is in the log, and that this program can
// make nothing of it. Err is ErrUnknownType when nothing is registered under
// the stored name, and ErrNewerSchema when a newer program wrote the event.
type UnreadableError struct {
	Type, Stream string
	Revision     Revision
	Err          error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("decode %s %d of %s: %v", e.Type, e.Revision, e.Stream, e.Err)
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// unreadable says of the event that it cannot be read.
func (r Recorded) unreadable(err error) error {
	return &UnreadableError{Type: r.Type, Stream: r.Stream, Revision: r.Revision, Err: err}
}

// Foreign is the error for an event that is none of what the stream is about.
func (r Recorded) Foreign(category string) error {
	return r.unreadable(fmt.Errorf("it is no event of %s", category))
}

// Decode returns the event in its present schema. All copies of a Recorded
// share what it returns: do not change it. The error is an [UnreadableError].
func (r Recorded) Decode() (domain.Event, error) {
	if r.once == nil {
		return r.decode()
	}
	r.once.Do(func() { r.once.event, r.once.err = r.decode() })
	return r.once.event, r.once.err
}

// decode makes an error of a panic: an upcaster may be wrong about old events,
// and readers on every goroutine meet them.
func (r Recorded) decode() (event domain.Event, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			event, err = nil, r.unreadable(fmt.Errorf("panic: %v", cause))
		}
	}()
	event, err = r.codec.decode(r.Type, r.Data, r.RawMetadata)
	if err != nil {
		return nil, r.unreadable(err)
	}
	return event, nil
}

// Metadata returns what goes with the event. An event without metadata, which
// only foreign writers append, has the zero Metadata. The error is an
// [UnreadableError].
func (r Recorded) Metadata() (Metadata, error) {
	if r.once == nil {
		return r.readMetadata()
	}
	r.once.metadata.Do(func() { r.once.meta, r.once.metadataErr = r.readMetadata() })
	return r.once.meta, r.once.metadataErr
}

func (r Recorded) readMetadata() (Metadata, error) {
	m, err := parseMetadata(r.RawMetadata)
	if err != nil {
		return Metadata{}, r.unreadable(fmt.Errorf("metadata: %w", err))
	}
	return m, nil
}
