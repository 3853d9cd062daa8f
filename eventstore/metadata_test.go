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
