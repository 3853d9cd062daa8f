package eventstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Metadata goes with every event. The names are those of the stored JSON.
type Metadata struct {
	CorrelationID string `json:"$correlationId,omitempty"` // the checkout or order all this belongs to
	CausationID   string `json:"$causationId,omitempty"`   // the event or command that caused this
	TraceParent   string `json:"traceparent,omitempty"`    // W3C trace context of the append
	TraceID       string `json:"$traceId,omitempty"`
	SpanID        string `json:"$spanId,omitempty"`
	Schema        int    `json:"schema,omitempty"` // set by the codec
	Actor         Actor  `json:"actor,omitzero"`
	CommandID     string `json:"command_id,omitempty"`
	Fingerprint   string `json:"fingerprint,omitempty"` // of the request, where a key of the caller's named the command
	Tenant        string `json:"tenant,omitempty"`      // the partner who wanted it; empty is the shop itself
}

// Actor is who wanted it.
type Actor struct {
	Type string `json:"type"` // "api_key", "system", "process"
	ID   string `json:"id"`
}

func parseMetadata(raw []byte) (Metadata, error) {
	var m Metadata
	if len(raw) == 0 {
		return m, nil
	}
	if m, ok := readPlainly(raw); ok {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

// write returns the stored JSON.
func (m Metadata) write() ([]byte, error) {
	if text, ok := m.plainly(); ok {
		return text, nil
	}
	return json.Marshal(m)
}

// schemaOf finds the schema number in raw metadata, which is 1 where there is
// none. It reads just the keys of the outer object: every event that anybody
// decodes passes here, and full decoding would cost as much as that of the
// event itself.
func schemaOf(raw []byte) (int, error) {
	value := topLevel(raw, `"schema"`)
	if value == nil {
		return 1, nil
	}
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return 0, fmt.Errorf("schema number %q: %w", value, errors.Unwrap(err))
	}
	if n < 1 {
		return 0, fmt.Errorf("schema number %d is below 1", n)
	}
	return n, nil
}

// topLevel returns the last scalar value that stands under a quoted key of the
// outermost JSON object, as it is written, or nil. It need not notice that
// something is not JSON, but must end.
func topLevel(raw []byte, key string) []byte {
	var found []byte
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(raw, i)
			if depth == 1 && string(raw[i:end]) == key {
				if value, ok := valueAfter(raw, end); ok {
					found = value
				}
			}
			i = end - 1
		}
	}
	return found
}

// stringEnd returns the index after the closing quote of the string at start.
func stringEnd(raw []byte, start int) int {
	for i := start + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// valueAfter returns the scalar after a colon; no colon, no value: the string
// before was not a key.
func valueAfter(raw []byte, i int) ([]byte, bool) {
	rest := bytes.TrimLeft(raw[i:], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil, false
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if end := bytes.IndexAny(rest, ",} \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	return rest, true
}
