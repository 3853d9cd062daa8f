package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// A line is what one line of a file says: it is a header, the first of the
// file; an event; or the end, the last.
type line struct {
	Header *Header `json:"waybill_export,omitempty"`
	Event  *Event  `json:"event,omitempty"`
	End    *End    `json:"end,omitempty"`
}

// fileFormat is that of lines and frames; another one is refused.
const fileFormat = 1

// Header says what a file holds.
type Header struct {
	Format int       `json:"format"`
	Source string    `json:"source"` // the database, without credentials
	Begun  time.Time `json:"begun"`
	// After is the end of the file before, of which this one is the
	// continuation.
	After  *End   `json:"after,omitempty"`
	Prefix string `json:"prefix,omitempty"` // of the streams that were exported; empty is all
}

// End says where a file ends.
type End struct {
	Events uint64 `json:"events"` // in the file
	// Commit and Prepare are the position of the last event, ID its id.
	Commit  uint64    `json:"commit"`
	Prepare uint64    `json:"prepare"`
	ID      uuid.UUID `json:"id"`
	SHA256  string    `json:"sha256"` // of all bytes of the file before the last frame
}

// An Event is one event of a log. Data and Metadata are kept byte for byte.
type Event struct {
	Stream      string    `json:"stream"`
	Revision    uint64    `json:"revision"`
	ID          uuid.UUID `json:"id"`
	Type        string    `json:"type"`
	ContentType string    `json:"content_type"`
	Created     time.Time `json:"created"`
	Commit      uint64    `json:"commit"`
	Prepare     uint64    `json:"prepare"`

	Data     []byte `json:"-"`
	Metadata []byte `json:"-"`
}

// written is an event as it is written: text as text, to be read, and anything
// else as base64.
type written struct {
	*plainEvent
	Data           *string `json:"data,omitempty"`
	DataBytes      []byte  `json:"data_base64,omitempty"`
	Metadata       *string `json:"metadata,omitempty"`
	MetadataBinary []byte  `json:"metadata_base64,omitempty"`
}

type plainEvent Event

// MarshalJSON implements [json.Marshaler].
func (e *Event) MarshalJSON() ([]byte, error) {
	w := written{plainEvent: (*plainEvent)(e)}
	w.Data, w.DataBytes = textOrBytes(e.Data)
	w.Metadata, w.MetadataBinary = textOrBytes(e.Metadata)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(w)
	return b.Bytes(), err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *Event) UnmarshalJSON(b []byte) error {
	w := written{plainEvent: (*plainEvent)(e)}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if w.Data != nil && w.DataBytes != nil || w.Metadata != nil && w.MetadataBinary != nil {
		return fmt.Errorf("event %d of %s has data twice", e.Revision, e.Stream)
	}
	e.Data, e.Metadata = either(w.Data, w.DataBytes), either(w.Metadata, w.MetadataBinary)
	if e.Stream == "" || e.Type == "" || e.ID == uuid.Nil {
		return fmt.Errorf("event %d of %q has no stream, type or id", e.Revision, e.Stream)
	}
	return nil
}

// textOrBytes takes for text what JSON makes at most twice as long.
func textOrBytes(b []byte) (*string, []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }
	if !utf8.Valid(b) || bytes.ContainsFunc(b, control) {
		return nil, b
	}
	text := string(b)
	return &text, nil
}

func either(text *string, b []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	if b == nil {
		return []byte{}
	}
	return b
}

func eventOf(r *esdb.RecordedEvent) *Event {
	return &Event{
		Stream: r.StreamID, Revision: r.EventNumber, ID: r.EventID, Type: r.EventType, ContentType: r.ContentType,
		Created: r.CreatedDate.UTC(), Commit: r.Position.Commit, Prepare: r.Position.Prepare,
		Data: r.Data, Metadata: r.UserMetadata,
	}
}

func (e *Event) size() int { return len(e.Data) + len(e.Metadata) + 2*len(e.Type) }

func (e *Event) position() esdb.Position { return esdb.Position{Commit: e.Commit, Prepare: e.Prepare} }
