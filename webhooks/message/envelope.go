package message

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
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
	// EndpointID is the endpoint of which that is so; empty where it is so of
	// everything the reader may see.
	EndpointID string
	// Cursor is the place in the log, opaque.
	Cursor string
}

// thin stands for data that is too large to be sent.
type thin struct {
	Thin bool   `json:"thin"`
	Href string `json:"href"`
}

// href is where the whole message can be read, below the address of the API.
func (m Message) href(place Place) string {
	where := url.Values{"type": {m.Aggregate}, "aggregate": {m.AggregateID}, "sequence": {strconv.Itoa(place.Sequence)}}
	if place.EndpointID != "" { // else previous would be another one there
		where.Set("endpoint_id", place.EndpointID)
	}
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

// Whole returns a message however large it is. Its envelope is written by hand:
// encoding/json reads and checks the data again, which it made itself.
func (m Message) Whole(place Place) ([]byte, error) {
	const rest = 384 // of a message, about, without its data
	b := make([]byte, 0, rest+len(m.Data)+len(m.Personal))
	b = appendText(append(b, `{"id":`...), m.ID)
	b = appendText(append(b, `,"type":`...), m.Public)
	b = append(b, `,"timestamp":"`...)
	b = m.Time.UTC().Truncate(time.Millisecond).AppendFormat(b, timeForm)
	b = strconv.AppendInt(append(b, `","version":`...), int64(m.Version), 10)
	b = appendText(append(b, `,"aggregate":{"type":`...), m.Aggregate)
	b = appendText(append(b, `,"id":`...), m.AggregateID)
	b = strconv.AppendInt(append(b, `},"sequence":`...), int64(place.Sequence), 10)
	b = append(b, `,"previous":`...)
	if place.Previous > 0 {
		b = strconv.AppendInt(b, int64(place.Previous), 10)
	} else {
		b = append(b, "null"...)
	}
	b = appendText(append(b, `,"cursor":`...), place.Cursor)
	b = append(append(b, `,"data":`...), m.Data...)
	if len(m.Personal) > 0 {
		personal, err := json.Marshal(m.Personal)
		if err != nil {
			return nil, fmt.Errorf("encode message %s: %w", m.ID, err)
		}
		b = append(append(b, `,"personal":`...), personal...)
	}
	return append(b, '}'), nil
}

// appendText writes a string as encoding/json does.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f {
			quoted, _ := json.Marshal(text) // a string always can be
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
