package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

func verifyConfig(fs vfs.FS) Config {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	return Config{
		Dir: "data", FS: fs, Now: func() time.Time { return noon },
		CacheBytes: 1 << 20, MemTableBytes: 64 << 10, TailBytes: 32 << 10, Index: true,
	}
}

func limited(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

func someEvents(n, size int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{ID: uuid.New(), Type: "Happened", Data: bytes.Repeat([]byte{byte(i)}, size)}
	}
	return events
}

// aStore makes a store with all that can be in one and closes it.
func aStore(tb testing.TB, fs vfs.FS) {
	tb.Helper()
	n, err := Open(verifyConfig(fs))
	if err != nil {
		tb.Fatal(err)
	}
	ctx := limited(tb)
	must := func(_ Appended, err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	write := func(stream string, n2 int) {
		must(n.Append(ctx, Append{Stream: stream, Expected: ExpectAny, Events: someEvents(n2, 300)}))
	}
	for i := range 60 {
		write(fmt.Sprintf("order-%d", i%20), 1+i%3)
	}
	must(n.Append(ctx, Append{Stream: "never", Expected: ExpectAny}))
	must(n.Append(ctx, Append{Stream: "$$order-1", Expected: ExpectAny, Events: []Event{
		{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2,"$tb":1}`)},
	}}))
	must(n.Append(ctx, Append{Stream: "$$unborn", Expected: ExpectAny, Events: []Event{
		{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: []byte(`{"$maxAge":10}`)},
	}}))
	must(n.Delete(ctx, "order-2", ExpectAny))
	must(n.Delete(ctx, "order-3", ExpectAny))
	write("order-3", 2)
	must(n.Tombstone(ctx, "order-4", ExpectAny))
	must(n.Tombstone(ctx, "stillborn", ExpectNoStream))
	write("order-5", 3)
	if err := n.WaitStream(ctx, "$ce-order", n.End()-1); err != nil {
		tb.Fatal(err)
	}
	if err := n.Close(); err != nil {
		tb.Fatal(err)
	}
}

func verified(tb testing.TB, fs vfs.FS) *Report {
	tb.Helper()
	report, err := VerifyDir(limited(tb), verifyConfig(fs), Verification{})
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

func TestVerifyFindsNothingWrong(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	aStore(t, fs)
	report := verified(t, fs)
	if !report.OK() {
		t.Errorf("a whole store is said to be broken: %v", report.Problems)
	}
	if report.Records == 0 || report.Indexed == 0 || report.Streams == 0 || report.Files == 0 || report.ID == uuid.Nil {
		t.Errorf("the report counts too little: %+v", report)
	}
	n, err := Open(verifyConfig(fs))
	if err != nil {
		t.Fatal(err)
	}
	serving, err := n.Verify(limited(t), Verification{})
	if err != nil || !serving.OK() || serving.End != n.End() || serving.Records != report.Records {
		t.Errorf("while it serves, the report is %+v, %v", serving, err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// tampering changes the files behind the store's back.
type tampering struct {
	tb testing.TB
	db *pebble.DB
	b  *pebble.Batch
}

func tamper(tb testing.TB, fs vfs.FS, change func(x *tampering)) {
	tb.Helper()
	db, err := pebble.Open("data", &pebble.Options{FS: fs, FormatMajorVersion: storeFormat, Logger: silence{}})
	if err != nil {
		tb.Fatal(err)
	}
	x := &tampering{tb, db, db.NewBatch()}
	change(x)
	x.must(x.b.Commit(pebble.Sync))
	x.must(db.Close())
}

func (x *tampering) must(err error) {
	x.tb.Helper()
	if err != nil {
		x.tb.Fatal(err)
	}
}

func (x *tampering) set(key, value []byte) { x.must(x.b.Set(key, value, nil)) }

func (x *tampering) unset(key []byte) { x.must(x.b.Delete(key, nil)) }

// stored are the pairs whose keys begin with prefix.
func (x *tampering) stored(prefix byte) (pairs [][2][]byte) {
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	x.must(err)
	for ok := it.First(); ok; ok = it.Next() {
		pairs = append(pairs, [2][]byte{bytes.Clone(it.Key()), bytes.Clone(it.Value())})
	}
	x.must(it.Close())
	return pairs
}

func (x *tampering) head(stream string) *head {
	value, closer, err := x.db.Get(nameKey(stream))
	x.must(err)
	h, err := decodeHead(value)
	x.must(err)
	x.must(closer.Close())
	return h
}

// record changes a record of the log and stores it with a checksum that is
// right.
func (x *tampering) record(i int, change func(r *Record)) {
	pair := x.stored(logPrefix)[i]
	position, err := parseLogKey(pair[0])
	x.must(err)
	r, err := decodeRecord(position, pair[1])
	x.must(err)
	change(r)
	value := make([]byte, r.encodedSize())
	r.encode(value)
	x.set(logKey(r.Position), value)
}

type damage struct {
	change func(x *tampering)
	want   []string // what each of some problems begins with
}

func changeHead(stream string, change func(h *head)) func(*tampering) {
	return func(x *tampering) {
		h := x.head(stream)
		change(h)
		x.set(nameKey(stream), h.encode())
	}
}

func damages() map[string]damage {
	return map[string]damage{
		"a byte of a record": {func(x *tampering) {
			p := x.stored(logPrefix)[10]
			p[1][70] ^= 1
			x.set(p[0], p[1])
		}, []string{"record: "}},
		"a record is missing": {func(x *tampering) {
			x.unset(x.stored(logPrefix)[10][0])
		}, []string{"gap: ", "index: stream "}},
		"the last record is missing": {func(x *tampering) {
			log := x.stored(logPrefix)
			x.unset(log[len(log)-1][0])
		}, []string{"append: ", "index: stream "}},
		"a record in the wrong place": {func(x *tampering) {
			x.record(10, func(r *Record) { r.Position++ })
		}, []string{"record: "}},
		"another stream's name in a record": {func(x *tampering) {
			x.record(10, func(r *Record) { r.Stream = "other-5" + r.Stream[7:] })
		}, []string{"record: "}},
		"another revision in a record": {func(x *tampering) {
			x.record(10, func(r *Record) { r.Revision += 7 })
		}, []string{"index: order-"}},
		"an append without its beginning": {func(x *tampering) {
			x.record(0, func(r *Record) { r.flags &^= flagFirst })
		}, []string{"append: "}},
		"an append without its end": {func(x *tampering) {
			x.record(0, func(r *Record) { r.flags &^= flagLast })
		}, []string{"append: "}},
		"an index entry is missing": {func(x *tampering) {
			x.unset(streamKey(x.head("order-5").id, 2))
		}, []string{"index: order-5: revision 2 ", "revision: stream "}},
		"the last index entry is missing": {func(x *tampering) {
			h := x.head("order-5")
			x.unset(streamKey(h.id, uint64(h.last)))
		}, []string{"index: order-5: ", "head: order-5: "}},
		"an index entry points elsewhere": {func(x *tampering) {
			h := x.head("order-5")
			x.set(streamKey(h.id, 1), encodePosition(h.lastPosition))
		}, []string{"index: order-5: revision 1 ", "index: stream "}},
		"an index entry is no position": {func(x *tampering) {
			x.set(streamKey(x.head("order-5").id, 1), []byte("?"))
		}, []string{"index: stream "}},
		"an index entry too many": {func(x *tampering) {
			h := x.head("order-5")
			x.set(streamKey(h.id, uint64(h.last+1)), encodePosition(1<<40))
		}, []string{"index: stream ", "head: order-5: "}},
		"a stream without a head": {func(x *tampering) {
			x.unset(nameKey("order-5"))
		}, []string{"index: stream ", "record: "}},
		"a head that is no head": {func(x *tampering) {
			x.set(nameKey("order-5"), []byte("?"))
		}, []string{"head: order-5: "}},
		"a head with the wrong last revision":    {changeHead("order-5", func(h *head) { h.last++ }), []string{"head: order-5: "}},
		"a head with the wrong first revision":   {changeHead("order-5", func(h *head) { h.first++ }), []string{"head: order-5: "}},
		"a head with the wrong last position":    {changeHead("order-5", func(h *head) { h.lastPosition-- }), []string{"head: order-5: "}},
		"a head that forgot its tombstone":       {changeHead("order-4", func(h *head) { h.tombstoned = false }), []string{"head: order-4: "}},
		"a head that forgot its limits":          {changeHead("order-1", func(h *head) { h.limits = limits{} }), []string{"metadata: order-1: "}},
		"a head with limits nobody set":          {changeHead("order-5", func(h *head) { h.maxCount = 3 }), []string{"metadata: order-5: "}},
		"a head with another stream's id":        {changeHead("order-5", func(h *head) { h.id-- }), []string{"head: order-", "record: "}},
		"a head with an id that was never given": {changeHead("order-5", func(h *head) { h.id = 999 }), []string{"head: order-5: "}},
		"a head that changed too early":          {changeHead("order-5", func(h *head) { h.changed = 1 }), []string{"head: order-5: "}},
		"a next stream id that was given": {func(x *tampering) {
			x.set(metaKey(metaNextStreamID), encodePosition(3))
		}, []string{"head: "}},
		"a link is missing": {func(x *tampering) {
			x.unset(x.stored(linkPrefix)[3][0])
		}, []string{"link: $"}},
		"a link points elsewhere": {func(x *tampering) {
			x.set(x.stored(linkPrefix)[3][0], encodePosition(2))
		}, []string{"link: $", "link: about "}},
		"links that were forgotten": {func(x *tampering) {
			for _, p := range x.stored(linkPrefix) {
				x.unset(p[0])
			}
			for _, p := range x.stored(indexPrefix) {
				x.unset(p[0])
			}
		}, []string{"link: about "}},
		"another format": {func(x *tampering) {
			x.set(metaKey(metaFormat), []byte("9"))
		}, []string{"store: format: "}},
		"no id": {func(x *tampering) {
			x.unset(metaKey(metaNodeID))
		}, []string{"store: node-id: "}},
	}
}

func TestVerifyNamesWhatIsBroken(t *testing.T) {
	t.Parallel()
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewMem()
			aStore(t, fs)
			tamper(t, fs, d.change)
			report := verified(t, fs)
			for _, want := range d.want {
				if !slices.ContainsFunc(report.Problems, func(p Problem) bool { return strings.HasPrefix(p.String(), want) }) {
					t.Errorf("no problem begins with %q: %q", want, report.Problems)
				}
			}
			if len(report.Problems) > 8 {
				t.Errorf("one thing is broken, and %d problems are told: %q", len(report.Problems), report.Problems)
			}
		})
	}
}

func TestVerifyStopsDescribing(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	aStore(t, fs)
	tamper(t, fs, func(x *tampering) {
		for _, p := range x.stored(logPrefix) {
			p[1][20] ^= 1
			x.set(p[0], p[1])
		}
	})
	report, err := VerifyDir(limited(t), verifyConfig(fs), Verification{Limit: 5})
	if err != nil || len(report.Problems) != 5 || report.More == 0 || report.OK() {
		t.Errorf("the report is %+v, %v", report, err)
	}
}

func TestVerifyNamesBrokenFiles(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{".sst", "MANIFEST-", ".log"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewCrashableMem()
			aStore(t, fs)
			fs = moreOfTheLog(t, fs)
			name := breakFile(t, fs, kind)
			report := verified(t, fs)
			if report.OK() || !report.Partial {
				t.Fatalf("the report is %+v", report)
			}
			first := report.Problems[0]
			if first.Kind != "file" || kind == ".sst" && first.Where != name {
				t.Errorf("with %s broken the first problem is %s", name, first)
			}
		})
	}
}

// moreOfTheLog fills the write-ahead log, in which something broken can only be
// told from a torn end when there is more behind it. It returns the files as a
// power cut leaves them, since a store that is closed has nothing there.
func moreOfTheLog(tb testing.TB, fs *vfs.MemFS) *vfs.MemFS {
	tb.Helper()
	cfg := verifyConfig(fs)
	cfg.MemTableBytes = 4 << 20
	n, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range 300 {
		a := Append{Stream: fmt.Sprintf("more-%d", i%7), Expected: ExpectAny, Events: someEvents(1, 1000)}
		if _, err := n.Append(limited(tb), a); err != nil {
			tb.Fatal(err)
		}
	}
	cut := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := n.Close(); err != nil {
		tb.Fatal(err)
	}
	return cut
}

// breakFile changes a byte in the middle of a file of the kind.
func breakFile(tb testing.TB, fs vfs.FS, kind string) string {
	tb.Helper()
	list, err := fs.List("data")
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(list)
	slices.Reverse(list) // the newest
	i := slices.IndexFunc(list, func(name string) bool {
		return strings.HasPrefix(name, kind) || strings.HasSuffix(name, kind)
	})
	path := "data/" + list[i]
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	at := info.Size() / 3
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		tb.Fatal(err)
	}
	b[0] ^= 0x55
	if _, err := f.WriteAt(b, at); err != nil {
		tb.Fatal(err)
	}
	return list[i]
}

func TestVerifyRefusesWhatIsNoStore(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	if _, err := VerifyDir(limited(t), verifyConfig(fs), Verification{}); err == nil {
		t.Error("a directory that is missing is verified")
	}
	if err := fs.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyDir(limited(t), verifyConfig(fs), Verification{}); err == nil {
		t.Error("an empty directory is verified")
	}
}
