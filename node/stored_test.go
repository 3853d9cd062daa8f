package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

func TestRecordComesBack(t *testing.T) {
	t.Parallel()
	full := Record{
		Position: 7, Stream: strings.Repeat("s", 300), Revision: math.MaxInt64, ID: uuid.New(), Type: "T", JSON: true,
		Created: -1, Data: []byte("data"), Metadata: []byte{0}, streamID: 3, flags: flagFirst | flagLast,
	}
	for name, r := range map[string]Record{
		"with everything": full,
		"with nothing":    {Data: []byte{}, Metadata: []byte{}},
	} {
		b := make([]byte, r.encodedSize())
		r.encode(b)
		got, err := decodeRecord(r.Position, b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(&r, got, cmp.AllowUnexported(Record{}), cmpopts.IgnoreFields(Record{}, "Kept")); diff != "" {
			t.Errorf("the record %s differs (-want +got):\n%s", name, diff)
		}
	}
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	t.Parallel()
	r := Record{Position: 7, Stream: "s", Type: "T", Data: []byte("data")}
	whole := make([]byte, r.encodedSize())
	r.encode(whole)
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x40
		if _, err := decodeRecord(7, broken); !errors.Is(err, ErrDamaged) {
			t.Errorf("with byte %d wrong, decoding answers %v", i, err)
		}
		if _, err := decodeRecord(7, whole[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("with %d bytes, decoding answers %v", i, err)
		}
	}
	if _, err := decodeRecord(8, whole); !errors.Is(err, ErrDamaged) {
		t.Errorf("at another position, decoding answers %v", err)
	}
}

func TestLogSizeIsTheOriginals(t *testing.T) {
	t.Parallel()
	r := Record{Stream: "s", Type: "t", Data: make([]byte, 10), Metadata: make([]byte, 5)}
	if got := r.logSize(); got != 40+2+32+8+2+4+10+4+5 {
		t.Errorf("the size is %d", got)
	}
	r.Stream, r.Type = strings.Repeat("s", 127), strings.Repeat("t", 128)
	if got := r.logSize(); got != 40+128+32+8+130+4+10+4+5 {
		t.Errorf("the size with long names is %d", got)
	}
}

func FuzzRecord(f *testing.F) {
	r := Record{Position: 9, Stream: "order-1", Type: "OrderPlaced", JSON: true, Data: []byte(`{"a":1}`), Metadata: []byte("{}"), flags: flagLast}
	seed := make([]byte, r.encodedSize())
	r.encode(seed)
	f.Add(uint64(9), seed[:len(seed)-checksumSize])
	f.Fuzz(func(t *testing.T, position uint64, body []byte) {
		value := binary.BigEndian.AppendUint32(bytes.Clone(body), checksum(position, body))
		got, err := decodeRecord(position, value)
		if err != nil {
			return
		}
		again := make([]byte, got.encodedSize())
		got.encode(again)
		back, err := decodeRecord(position, again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, back, cmp.AllowUnexported(Record{}), cmpopts.IgnoreFields(Record{}, "Kept")); diff != "" {
			t.Errorf("the record differs after another round (-want +got):\n%s", diff)
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add((&head{id: 1, last: -1}).encode())
	f.Add((&head{id: 1 << 40, first: 3, last: 9, lastPosition: 77, tombstoned: true, limits: limits{truncateBefore: deletedBefore, maxCount: 4, maxAge: 5}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("the error is %v", err)
			}
			return
		}
		again, err := decodeHead(h.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, again, cmp.AllowUnexported(head{}, limits{})); diff != "" {
			t.Errorf("the head differs after another round (-want +got):\n%s", diff)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(logKey(77), uint64(1), uint64(2))
	f.Add(streamKey(1, 2), uint64(1), uint64(256))
	f.Add(linkKey(1, 2), uint64(1), uint64(256))
	f.Fuzz(func(t *testing.T, key []byte, a, b uint64) {
		if position, err := parseLogKey(key); err == nil && !bytes.Equal(logKey(position), key) {
			t.Errorf("log key %x is read as %d", key, position)
		}
		if stream, revision, err := parseStreamKey(key); err == nil && !bytes.Equal(streamKey(stream, revision), key) && !bytes.Equal(linkKey(stream, revision), key) {
			t.Errorf("stream key %x is read as %d, %d", key, stream, revision)
		}
		if order := bytes.Compare(logKey(a), logKey(b)); (order < 0) != (a < b) {
			t.Errorf("the keys of %d and %d are in the wrong order", a, b)
		}
		if order := bytes.Compare(streamKey(1, a), streamKey(1, b)); (order < 0) != (a < b) {
			t.Errorf("the keys of revisions %d and %d are in the wrong order", a, b)
		}
	})
}

func TestWindowForgetsTheOldest(t *testing.T) {
	t.Parallel()
	w := newWindow(3)
	ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	for i, id := range ids {
		w.add(&Record{streamID: 1, ID: id, Revision: uint64(i), Position: uint64(10 * i)})
	}
	if _, ok := w.find(1, ids[0]); ok {
		t.Error("the oldest of four is still known by a window of three")
	}
	for i, id := range ids[1:] {
		if e, ok := w.find(1, id); !ok || e.revision != uint64(i+1) {
			t.Errorf("event %d is found as %v, %v", i+1, e, ok)
		}
	}
	if _, ok := w.find(2, ids[3]); ok {
		t.Error("an id is known in a stream it was not written to")
	}
	w.add(&Record{streamID: 1, ID: ids[3], Revision: 9})
	if e, _ := w.find(1, ids[3]); e.revision != 9 || len(w.known) != 3 {
		t.Errorf("the id written again is found at %d among %d", e.revision, len(w.known))
	}
}

func TestTailKeepsTheNewest(t *testing.T) {
	t.Parallel()
	tl := tail{limit: 10 * recordOverhead}
	for i := range uint64(100) {
		tl.add([]*Record{{Position: 1 + i*10}})
	}
	if n := len(tl.records); n != 10 {
		t.Errorf("the tail has %d records, want 10", n)
	}
	if _, _, ok := tl.from(900, 5); ok {
		t.Error("a position it no longer has is found")
	}
	got, whole, ok := tl.from(905, 5)
	if !ok || whole || len(got) != 5 || got[0].Position != 911 {
		t.Errorf("from 905 come %d records, whole %v, ok %v", len(got), whole, ok)
	}
	if got, whole, ok = tl.from(980, 5); !ok || !whole || len(got) != 2 {
		t.Errorf("from 980 come %d records, whole %v, ok %v", len(got), whole, ok)
	}
	if got, whole, ok = tl.from(2000, 5); !ok || !whole || len(got) != 0 {
		t.Errorf("from behind the end come %d records, whole %v, ok %v", len(got), whole, ok)
	}
	if r := tl.at(991); r == nil || r.Position != 991 {
		t.Errorf("at 991 is %v", r)
	}
	if r := tl.at(992); r != nil {
		t.Errorf("at 992 is %v", r)
	}
}
