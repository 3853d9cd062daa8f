package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func aFile(tb testing.TB) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := newWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	must(w.add(&line{Header: &Header{Format: fileFormat, Source: "esdb://x"}}))
	for i := range uint64(3) {
		must(w.add(&line{Event: &Event{Stream: "s", Revision: i, ID: uuid.New(), Type: "T", Data: []byte(`{"a":1}`)}}))
		must(w.flush())
	}
	must(w.end(&End{Events: 3}))
	return out.Bytes()
}

func FuzzFile(f *testing.F) {
	whole := aFile(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		var events uint64
		w := walk{event: func(*Event) error {
			events++
			return nil
		}}
		end, err := w.run(r)
		if err == nil && end.Events != events {
			t.Errorf("the end says %d events, there were %d", end.Events, events)
		}
		if r.whole > int64(len(b)) {
			t.Errorf("%d bytes of %d are whole", r.whole, len(b))
		}
	})
}

// FuzzLine takes the text of frames, which the fuzzer would not get past the
// checksums.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"waybill_export":{"format":1}}`))
	f.Add([]byte(`{"event":{"stream":"s","type":"T","id":"d9c6b3a8-5f0a-4f6e-9d4e-0d3f4ed6a7a1","data":"x"}}`))
	f.Add([]byte(`{"event":{"stream":"s","type":"T","id":"d9c6b3a8-5f0a-4f6e-9d4e-0d3f4ed6a7a1","data_base64":"eA==","metadata":"\u0000"}}`))
	f.Add([]byte(`{"end":{"events":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, begun := range []bool{false, true} {
			w, s := walk{}, walkState{begun: begun}
			_ = w.line(&s, b)
		}
		var e Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		text, err := json.Marshal(&e)
		if err != nil {
			return // a time that cannot be written
		}
		var again Event
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Data, e.Data) || !bytes.Equal(again.Metadata, e.Metadata) || again.Stream != e.Stream {
			t.Errorf("after another round the event is %+v, it was %+v", again, e)
		}
	})
}

func TestEventsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "x", "{ \"a\" : 1 }\n", "<&>\u2028é", "\x00", "\xff\xfe", "\x7f", "\t\r\n", strings.Repeat("\"\\", 100)} {
		want := Event{
			Stream: "s", Revision: 1<<63 - 1, ID: uuid.New(), Type: "T", ContentType: "application/json",
			Created: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), Commit: 7, Prepare: 7, Data: []byte(data), Metadata: []byte(data),
		}
		text, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		var got Event
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q comes back otherwise (-want +got):\n%s", data, diff)
		}
		if max := 2*len(data)*2 + 400; len(text) > max {
			t.Errorf("%q takes %d bytes, want at most %d", data, len(text), max)
		}
	}
}

func TestFileOfAnotherFormatIsRefused(t *testing.T) {
	t.Parallel()
	w, s := walk{}, walkState{}
	if err := w.line(&s, []byte(`{"waybill_export":{"format":2}}`)); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("the error is %v", err)
	}
}
