package eventstore

import "strconv"

// Each event's metadata is written once and read by several. It is always the
// same flat object of plain texts, so for that there is a short way, a fraction
// of what encoding/json takes. Whatever is not as usual takes the other one.

// fields are the texts in the order of the struct; the number of the schema
// stands behind beforeSchema of them.
func (m *Metadata) fields() [8]struct {
	name  string
	value *string
} {
	return [...]struct {
		name  string
		value *string
	}{
		{"$correlationId", &m.CorrelationID},
		{"$causationId", &m.CausationID},
		{"traceparent", &m.TraceParent},
		{"$traceId", &m.TraceID},
		{"$spanId", &m.SpanID},
		{"command_id", &m.CommandID},
		{"fingerprint", &m.Fingerprint},
		{"tenant", &m.Tenant},
	}
}

const beforeSchema = 5

// plainly returns the JSON that encoding/json makes, or false where a text has
// something to escape.
func (m *Metadata) plainly() ([]byte, bool) {
	b := make([]byte, 0, 512)
	b = append(b, '{')
	plain := true
	text := func(name, value string) {
		plain = plain && isPlain(value)
		b = append(append(append(append(b, '"'), name...), `":"`...), value...)
		b = append(b, `",`...)
	}
	for i, field := range m.fields() {
		if i == beforeSchema {
			if m.Schema != 0 {
				b = append(strconv.AppendInt(append(b, `"schema":`...), int64(m.Schema), 10), ',')
			}
			if m.Actor != (Actor{}) {
				b = append(b, `"actor":{`...)
				text("type", m.Actor.Type)
				text("id", m.Actor.ID)
				b = append(b[:len(b)-1], `},`...)
			}
		}
		if *field.value != "" {
			text(field.name, *field.value)
		}
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, '}'), plain
}

func isPlain(s string) bool {
	for i := range len(s) {
		if !plainByte[s[i]] {
			return false
		}
	}
	return true
}

//nolint:gochecknoglobals // a table
var plainByte = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = true
	}
	for _, c := range `"\<>&` {
		plain[c] = false
	}
	return plain
}()

// readPlainly reads what plainly writes, or returns false.
func readPlainly(raw []byte) (m Metadata, ok bool) {
	r := plainReader{rest: string(raw)}
	if !r.take('{') {
		return m, false
	}
	fields := m.fields()
	for more := true; more; more = r.take(',') {
		name, ok := r.text()
		if !ok || !r.take(':') {
			return m, false
		}
		switch name {
		case "schema":
			m.Schema, ok = r.number()
		case "actor":
			ok = r.actor(&m.Actor)
		default:
			ok = false
			for i := range fields {
				if fields[i].name == name {
					*fields[i].value, ok = r.text()
					break
				}
			}
		}
		if !ok {
			return m, false
		}
	}
	return m, r.take('}') && r.rest == ""
}

// plainReader reads JSON without spaces or escapes.
type plainReader struct{ rest string }

func (r *plainReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *plainReader) text() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	for i := range len(r.rest) {
		if r.rest[i] == '"' {
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text, true
		}
		if !plainByte[r.rest[i]] {
			return "", false
		}
	}
	return "", false
}

// number reads one of few digits.
func (r *plainReader) number() (n int, ok bool) {
	digits := 0
	for digits < len(r.rest) && digits < 9 && r.rest[digits] >= '0' && r.rest[digits] <= '9' {
		n = 10*n + int(r.rest[digits]-'0')
		digits++
	}
	ok = digits > 0 && (r.rest[0] != '0' || digits == 1)
	r.rest = r.rest[digits:]
	return n, ok
}

func (r *plainReader) actor(a *Actor) bool {
	kind, ok := r.named(`{"type":`)
	if !ok {
		return false
	}
	id, ok := r.named(`,"id":`)
	if !ok {
		return false
	}
	*a = Actor{Type: kind, ID: id}
	return r.take('}')
}

func (r *plainReader) named(before string) (string, bool) {
	if len(r.rest) < len(before) || r.rest[:len(before)] != before {
		return "", false
	}
	r.rest = r.rest[len(before):]
	return r.text()
}
