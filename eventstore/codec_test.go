package eventstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// Counted is an event that had two schemas before this one: first a number in
// text named n, then a number named n.
type Counted struct {
	By int `json:"by"`
}

func (Counted) EventName() string { return "Counted" }

// Named is an event without a history.
type Named struct {
	Name string `json:"name"`
}

func (Named) EventName() string { return "Named" }

type nameless struct{}

func (nameless) EventName() string { return "" }

type impostor struct{}

func (impostor) EventName() string { return "Named" }

type pointed struct{}

func (*pointed) EventName() string { return "Pointed" }

func numberOfText(raw json.RawMessage) (json.RawMessage, error) {
	var old struct {
		N json.Number `json:"n"`
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"n": old.N})
}

func renamed(raw json.RawMessage) (json.RawMessage, error) {
	var old struct {
		N int `json:"n"`
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return nil, err
	}
	return json.Marshal(Counted{By: old.N})
}

func types() []domain.EventType {
	return append(domain.EventTypes(Named{}),
		domain.EventType{Zero: Counted{}, Upcasters: []domain.Upcaster{numberOfText, renamed}})
}

func newCodec(tb testing.TB) *eventstore.Codec {
	tb.Helper()
	codec, err := eventstore.NewCodec(types()...)
	if err != nil {
		tb.Fatal(err)
	}
	return codec
}

func TestNewCodecRefuses(t *testing.T) {
	t.Parallel()
	for name, zeros := range map[string][]domain.Event{
		"an event without a name": {nameless{}},
		"a name given twice":      {Named{}, impostor{}},
		"a pointer":               {&pointed{}},
		"nothing":                 {nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := eventstore.NewCodec(domain.EventTypes(zeros...)...); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, event, data, metadata string
		want                        domain.Event
		err                         error
	}{
		{name: "the present schema", event: "Counted", data: `{"by":3}`, metadata: `{"schema":3}`, want: Counted{3}},
		{name: "the first schema", event: "Counted", data: `{"n":"3"}`, metadata: `{"schema":1}`, want: Counted{3}},
		{name: "the second schema", event: "Counted", data: `{"n":3}`, metadata: `{"schema":2}`, want: Counted{3}},
		{name: "no schema number is the first", event: "Counted", data: `{"n":"3"}`, metadata: `{}`, want: Counted{3}},
		{name: "no metadata is the first schema", event: "Named", data: `{"name":"a"}`, want: Named{"a"}},
		{name: "somebody else's schema is none", event: "Named", data: `{"name":"a"}`, metadata: `{"message":{"schema":7}}`, want: Named{"a"}},
		{name: "the schema of a newer program", event: "Named", data: `{}`, metadata: `{"schema":2}`, err: eventstore.ErrNewerSchema},
		{name: "an unknown name", event: "Lost", data: `{}`, err: eventstore.ErrUnknownType},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newCodec(t).Bind(eventstore.Recorded{
				Type: c.event, Data: []byte(c.data), RawMetadata: []byte(c.metadata),
			})
			got, err := r.Decode()
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeSaysWhichEventIsBroken(t *testing.T) {
	t.Parallel()
	_, err := newCodec(t).Bind(eventstore.Recorded{
		Type: "Named", Data: []byte(`{`), Stream: "order-1", Revision: 7,
	}).Decode()
	if err == nil || !strings.Contains(err.Error(), "decode Named 7 of order-1") {
		t.Errorf("got %v", err)
	}
}

func TestDecodeWorksOnceForAllCopies(t *testing.T) {
	t.Parallel()
	var calls int
	counting := func(raw json.RawMessage) (json.RawMessage, error) { calls++; return raw, nil }
	codec, err := eventstore.NewCodec(domain.EventType{Zero: Named{}, Upcasters: []domain.Upcaster{counting}})
	if err != nil {
		t.Fatal(err)
	}
	r := codec.Bind(eventstore.Recorded{Type: "Named", Data: []byte(`{}`)})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			if _, err := r.Decode(); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	if calls != 1 {
		t.Errorf("decoded %d times", calls)
	}
}

func TestRecordedWithoutCodec(t *testing.T) {
	t.Parallel()
	if _, err := (eventstore.Recorded{Type: "Named"}).Decode(); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("got %v", err)
	}
}

// Rich is an event with every kind of field that events have.
type Rich struct {
	Text   string             `json:"text"`
	Kind   kind               `json:"kind,omitempty"`
	Count  int64              `json:"count"`
	Small  uint8              `json:"small"`
	Share  float64            `json:"share"`
	Yes    bool               `json:"yes"`
	At     time.Time          `json:"at,omitzero"`
	For    time.Duration      `json:"for"`
	Raw    json.RawMessage    `json:"raw,omitempty"`
	Bytes  []byte             `json:"bytes"`
	List   []Named            `json:"list"`
	Names  map[string]string  `json:"names"`
	Counts map[string]*Named  `json:"counts"`
	Any    any                `json:"any"`
	Pair   [2]int             `json:"pair"`
	Next   *Rich              `json:"next"`
	Folded string             `json:"FoLded"`
	Nested struct{ A, B int } `json:"nested"`
}

type kind string

func (Rich) EventName() string { return "Rich" }

// Whatever stands in the log is read as encoding/json reads it.
func FuzzDecodeAsEncodingJSON(f *testing.F) {
	full, err := json.Marshal(Rich{
		Text: "<a&\u2028>", Kind: "k", Count: -1, Share: 1e300, At: time.Unix(1, 2).UTC(), Raw: json.RawMessage(`{"a":[1]}`), Bytes: []byte{1},
		List: []Named{{"a"}}, Names: map[string]string{"b": "c"}, Counts: map[string]*Named{"x": nil}, Any: []any{1.5, "a", nil}, Next: &Rich{},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(full), `{}`, `null`, `[]`, `{"text":"a","text":"b"}`, `{"TEXT":"a","tExt":"b"}`, "{\"text\":\"\xff\"}", `{"text":"\ud800"}`, `{"count":1.0}`, `{"count":1e2}`,
		`{"small":256}`, `{"at":"2026-01-01T00:00:00,5Z"}`, `{"at":""}`, `{"at":null}`, `{"for":5}`, `{"for":"5s"}`, `{"bytes":"AQ"}`, `{"bytes":[1]}`, `{"pair":[1]}`, `{"pair":[1,2,3]}`,
		`{"list":null}`, `{"list":[null]}`, `{"names":{"a":"b","a":"c"}}`, `{"counts":{"a":{"name":"x"}}}`, `{"any":{"a":1,"a":2}}`, `{"any":123456789012345678901}`, `{"nested":{"a":1,"B":2}}`,
		`{"next":{"next":{}}} `, `{} {}`, `{"yes":"true"}`, `{"share":1e400}`, `{"unknown":{"a":[{}]}}`, `{"text":1,"count":2}`, `{"folded":"a"}`, `{"fo_lded":"a"}`, `{"fo-lded":"a"}`,
	} {
		f.Add([]byte(text))
	}
	codec, err := eventstore.NewCodec(domain.EventTypes(Rich{})...)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want Rich
		wrong := json.Unmarshal(data, &want)
		got, err := codec.Bind(eventstore.Recorded{Type: "Rich", Data: data}).Decode()
		if (wrong == nil) != (err == nil) {
			t.Fatalf("%q: error %v, encoding/json says %v", data, err, wrong)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +got)\n%s", data, diff)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("Counted", []byte(`{"n":"3"}`), []byte(`{"schema":1,"actor":{"type":"a","id":"b"}}`))
	f.Add("Named", []byte(`{"name":"\u0000"}`), []byte(`{"$correlationId":"x\"}","schema":-1}`))
	f.Add("Named", []byte(`[`), []byte(`{"schema":`))
	f.Add("", []byte(nil), []byte(`"`))
	codec := newCodec(f)
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		r := codec.Bind(eventstore.Recorded{Type: name, Data: data, RawMetadata: metadata})
		event, err := r.Decode()
		if (event == nil) == (err == nil) {
			t.Errorf("event %v and error %v", event, err)
		}
		if _, err := r.Metadata(); err != nil && json.Valid(metadata) && strings.HasPrefix(string(metadata), "{}") {
			t.Errorf("metadata %q: %v", metadata, err)
		}
		eventstore.MessageOf(r)
	})
}
