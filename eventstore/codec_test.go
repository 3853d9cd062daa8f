package eventstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

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
