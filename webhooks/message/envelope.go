package message

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// MaxBody is the most bytes a message may have. A larger one goes out in its
// thin form, with an address instead of its data. One above LargeBody is worth
// a line in the log.
const (
	MaxBody   = 256 << 10
	LargeBody = 20 << 10
)

// timeForm has milliseconds always, so that texts compare like times.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// Place is where a message stands among those of its aggregate.
type Place struct {
	// Sequence counts the public events of the aggregate from 1, without gaps.
	Sequence int
	// Previous is the sequence of the last event of the aggregate before this
	// one that the endpoint wants; 0 when there is none.
	Previous int
	// Cursor is the place in the log, opaque.
	Cursor string
}

type envelope struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"`
	Version   int             `json:"version"`
	Aggregate aggregate       `json:"aggregate"`
	Sequence  int             `json:"sequence"`
	Previous  *int            `json:"previous"`
	Cursor    string          `json:"cursor"`
	Data      json.RawMessage `json:"data"`
	Personal  json.RawMessage `json:"personal,omitempty"`
}

type aggregate struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// thin stands for data that is too large to be sent.
type thin struct {
	Thin bool   `json:"thin"`
	Href string `json:"href"`
}

// href is where the whole message can be read, below the address of the API.
func (m Message) href(place Place) string {
	where := url.Values{"type": {m.Aggregate}, "aggregate": {m.AggregateID}, "sequence": {strconv.Itoa(place.Sequence)}}
	return "/v1/events/" + m.ID + "?" + where.Encode()
}

// Body returns the exact bytes to sign and to send.
func (m Message) Body(place Place) ([]byte, error) {
	body, err := m.Whole(place)
	if err != nil || len(body) <= MaxBody {
		return body, err
	}
	if m.Data, err = json.Marshal(thin{Thin: true, Href: m.href(place)}); err != nil {
		return nil, fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return m.Whole(place)
}

// Whole returns a message however large it is.
func (m Message) Whole(place Place) ([]byte, error) {
	e := envelope{
		ID: m.ID, Type: m.Public, Timestamp: m.Time.UTC().Truncate(time.Millisecond).Format(timeForm), Version: m.Version,
		Aggregate: aggregate{Type: m.Aggregate, ID: m.AggregateID},
		Sequence:  place.Sequence, Cursor: place.Cursor, Data: m.Data, Personal: m.Personal,
	}
	if place.Previous > 0 {
		e.Previous = &place.Previous
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return body, nil
}
