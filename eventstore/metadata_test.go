package eventstore

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestTopLevel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"the only key":                   {`{"schema":2}`, "2"},
		"among others":                   {`{"a":"b","schema" : 12 ,"c":[1]}`, "12"},
		"the last of two":                {`{"schema":1,"schema":2}`, "2"},
		"not that of an inner object":    {`{"a":{"schema":2}}`, ""},
		"not that of an array":           {`[{"schema":2}]`, ""},
		"not a value":                    {`{"a":"schema"}`, ""},
		"not in a text":                  {`{"a":"\",\"schema\":2,\""}`, ""},
		"after a text with a quote mark": {`{"a":"\\\"","schema":2}`, "2"},
		"a text":                         {`{"schema":"2"}`, `"2"`},
		"nothing":                        {``, ""},
		"cut off":                        {`{"schema":`, ""},
		"cut off in a text":              {`{"sche\`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := topLevel([]byte(c.raw), `"schema"`); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Wherever the metadata is a JSON object that the standard library reads, the
// quick look at it agrees.
func FuzzSchemaOf(f *testing.F) {
	f.Add([]byte(`{"schema":2,"actor":{"schema":3}}`))
	f.Add([]byte(`{"a":"\"schema\":3","schema":3}`))
	f.Add([]byte(`{"schema":{"schema":3}}`))
	f.Add([]byte(`{"schema":[1,2],"b":"}"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := schemaOf(raw)
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || bytes.ContainsRune(raw, '\\') {
			return
		}
		want := 1
		if value, ok := fields["schema"]; ok {
			if json.Unmarshal(value, &want) != nil || string(value) == "null" || want < 1 {
				if err == nil {
					t.Fatalf("schema of %q is %d, want an error", raw, got)
				}
				return
			}
		}
		if err != nil || got != want {
			t.Fatalf("schema of %q is %d, %v, want %d", raw, got, err, want)
		}
	})
}

// The short way there and back is that of the standard library.
func FuzzPlainMetadata(f *testing.F) {
	f.Add("c", "a", "p", "t", "s", 1, "api_key", "admin", "k", "f", "warehouse")
	f.Add("", "", "", "", "", 0, "", "", "", "", "")
	f.Add("a\"b", "<", "é", "\x00", "\\", -3, "", "id", "", "\xff", "\n")
	f.Fuzz(func(t *testing.T, correlation, causation, parent, trace, span string, schema int, kind, id, command, print, tenant string) {
		m := Metadata{correlation, causation, parent, trace, span, schema, Actor{kind, id}, command, print, tenant}
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.write()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("written %s, %v, want %s", got, err, want)
		}
		read, err := parseMetadata(got)
		var back Metadata
		if json.Unmarshal(want, &back) != nil || err != nil || read != back {
			t.Fatalf("read %+v, %v, want %+v", read, err, back)
		}
	})
}

// Whatever is read the short way reads the same the long way.
func FuzzReadPlainly(f *testing.F) {
	for _, raw := range []string{
		`{}`, `{"schema":1}`, `{"schema":01}`, `{"schema":1234567890}`, `{"schema":1,"schema":2}`, `{"$traceId":"a","$TRACEID":"b"}`, `{"schema":-1}`,
		`{"actor":{"type":"a","id":"b"},"fingerprint":"c","tenant":"d"}`, `{"actor":{"type":"a","id":"b"},"actor":{"type":"c","id":"d"}}`, `{"command_id":"a",}`,
		`{"command_id":"a"}x`, `{"other":"a"}`, `{"command_id":"a\u0041"}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := readPlainly(raw)
		if !ok {
			return
		}
		var want Metadata
		if err := json.Unmarshal(raw, &want); err != nil || got != want {
			t.Fatalf("%s reads %+v, want %+v, %v", raw, got, want, err)
		}
	})
}

func TestUsualMetadataGoesTheShortWay(t *testing.T) {
	t.Parallel()
	m := Metadata{"c", "a", "p", "t", "s", 1, Actor{"api_key", "admin"}, "k", "f", "partner"}
	text, plain := m.plainly()
	if read, ok := readPlainly(text); !plain || !ok || read != m {
		t.Errorf("%s: %t, %t, %+v", text, plain, ok, read)
	}
}
