package node_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/waybill-dev/waybill/node"
)

// quiet is for a library whose errors all come back.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func logKey(position uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'L'}, position) }

// A harm changes the bytes of a file.
type harm struct {
	name string
	do   func(b []byte, rng *rand.Rand) []byte
}

var (
	cut = harm{"cut", func(b []byte, rng *rand.Rand) []byte { return b[:rng.IntN(len(b))] }}
	bit = harm{"a flipped bit", func(b []byte, rng *rand.Rand) []byte {
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	}}
	rubbish = harm{"rubbish", func(b []byte, rng *rand.Rand) []byte {
		from := rng.IntN(len(b))
		for i := from; i < min(len(b), from+1+rng.IntN(600)); i++ {
			b[i] = byte(rng.Uint32())
		}
		return b
	}}
	zeros = harm{"zeros to the end", func(b []byte, rng *rand.Rand) []byte {
		clear(b[rng.IntN(len(b)):])
		return b
	}}
	emptied = harm{"emptied", func([]byte, *rand.Rand) []byte { return nil }}
	removed = harm{"removed", nil}
)

// stored is a store with tables, more than one write-ahead log when it was not
// closed, and what was acknowledged.
type stored struct {
	disk  *vfs.MemFS
	log   []string // what each record is, in their order
	files []string
}

const (
	damagedStream = "s"
	inTables      = 300 // records
)

func storeToDamage(t *testing.T, closed bool) *stored {
	t.Helper()
	s := &stored{disk: vfs.NewCrashableMem()}
	// While no table can be made, all that is written stays in logs.
	var full atomic.Bool
	room := make(chan struct{})
	cfg := config(errorfs.Wrap(s.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpCreate {
			<-room
		}
		return nil
	})))
	n := open(t, cfg)
	rng := rand.New(rand.NewPCG(1, 2))
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			data := make([]byte, 700)
			for j := range data {
				data[j] = byte(rng.Uint32())
			}
			e := event(fmt.Sprint(i), 0)
			e.Data, e.JSON = data, false
			mustAppend(t, n, node.Append{Stream: fmt.Sprintf("%s%d", damagedStream, i%5), Expected: anything, Events: []node.Event{e}})
		}
	}
	fill(0, inTables)
	closeNode(t, n)
	n = open(t, cfg)
	full.Store(true)
	fill(inTables, inTables+200)
	log, err := wholeLog(n, 100)
	if err != nil {
		t.Fatal(err)
	}
	s.log = recordTexts(log)
	saved := s.disk.CrashClone(vfs.CrashCloneCfg{}) // all is synced: losing power takes nothing
	close(room)
	closeNode(t, n)
	if !closed {
		s.disk = saved
	}
	if s.files, err = s.disk.List("data"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(s.files)
	return s
}

func recordTexts(list []*node.Record) []string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = fmt.Sprintf("%d: %s@%d %s %x", r.Position, r.Stream, r.Revision, r.ID, r.Data)
	}
	return texts
}

// some are the names of the files of a kind, in the order they were made.
func (s *stored) some(kind string) (names []string) {
	for _, name := range s.files {
		if strings.HasSuffix(name, kind) || strings.HasPrefix(name, kind) {
			names = append(names, name)
		}
	}
	return names
}

// An outcome is what is there of a damaged store, or why it is refused.
type outcome struct {
	have    int // records, which are the first of those acknowledged
	refused error
}

// after damages a copy of the store and opens it.
func (s *stored) after(t *testing.T, name string, h harm, rng *rand.Rand) outcome {
	t.Helper()
	disk := s.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	path := disk.PathJoin("data", name)
	whole := contents(t, disk, path)
	if h.do == nil {
		if err := disk.Remove(path); err != nil {
			t.Fatal(err)
		}
	} else {
		overwrite(t, disk, path, h.do(slices.Clone(whole), rng))
	}
	report, verified := node.VerifyDir(deadline(t), config(disk), node.Verification{})
	n, err := node.Open(config(disk))
	if err != nil {
		if verified == nil && report.OK() {
			t.Errorf("%s of %s: all is well, but it is refused: %v", h.name, name, err)
		}
		overwrite(t, disk, path, whole)
		s.mended(t, disk)
		return outcome{refused: err}
	}
	defer closeNode(t, n)
	log, err := wholeLog(n, 100)
	for i := 0; err == nil && i < 5; i++ {
		_, err = wholeStream(n, fmt.Sprintf("%s%d", damagedStream, i))
	}
	if err != nil {
		return outcome{refused: err}
	}
	for i, text := range recordTexts(log) {
		if i >= len(s.log) || text != s.log[i] {
			t.Fatalf("%s of %s: record %d is not what was acknowledged", h.name, name, i)
		}
	}
	return outcome{have: len(log)}
}

// mended opens the store when what was damaged is as it was: nothing may have
// gone because of an attempt to open it meanwhile.
func (s *stored) mended(t *testing.T, disk *vfs.MemFS) {
	t.Helper()
	n, err := node.Open(config(disk))
	if err != nil {
		t.Errorf("after a refusal the mended store is refused too: %v", err)
		return
	}
	defer closeNode(t, n)
	log, err := wholeLog(n, 100)
	if err != nil || len(log) != len(s.log) {
		t.Errorf("after a refusal the mended store has %d of %d records, %v", len(log), len(s.log), err)
	}
}

func contents(t *testing.T, disk vfs.FS, path string) []byte {
	t.Helper()
	f, err := disk.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func overwrite(t *testing.T, disk vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// clear checks that a refusal is one line that says what is damaged.
func (o outcome) clear(t *testing.T, what, name string) {
	t.Helper()
	if o.refused == nil {
		return
	}
	text := o.refused.Error()
	number, _, _ := strings.Cut(name, ".")
	if strings.Contains(text, "\n") || strings.Contains(text, "goroutine") {
		t.Errorf("%s: the refusal has more than a line: %q", what, text)
	}
	// Options that are readable but others are named in the library's words.
	if !errors.Is(o.refused, node.ErrDamaged) && !strings.Contains(text, number) && !strings.HasPrefix(name, "OPTIONS") {
		t.Errorf("%s: the refusal does not say that something is damaged: %q", what, text)
	}
}

// TestDamageOfAClosedStoreIsNoticed: of a store that was closed in order all is
// there, or it is refused. Its write-ahead log is empty, tables have checksums,
// and the mark says where the log ended.
func TestDamageOfAClosedStoreIsNoticed(t *testing.T) {
	t.Parallel()
	s := storeToDamage(t, true)
	for _, kind := range []string{".log", ".sst", "MANIFEST", "OPTIONS", "END"} {
		for _, name := range s.some(kind) {
			for _, h := range []harm{cut, bit, rubbish, zeros, emptied, removed} {
				t.Run(name+"/"+h.name, func(t *testing.T) {
					t.Parallel()
					s.try(t, name, h, func(o outcome) bool { return o.have == len(s.log) })
				})
			}
		}
	}
	for _, name := range s.some("marker") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.try(t, name, removed, func(outcome) bool { return false })
		})
	}
}

// try does the same harm in several places.
func (s *stored) try(t *testing.T, name string, h harm, allowed func(outcome) bool) {
	t.Helper()
	times := 12
	if h.do == nil || h.name == emptied.name {
		times = 1
	}
	for seed := range uint64(times) {
		o := s.after(t, name, h, rand.New(rand.NewPCG(seed, 5)))
		what := fmt.Sprintf("%s, seed %d", h.name, seed)
		o.clear(t, what, name)
		if o.refused == nil && !allowed(o) {
			t.Errorf("%s: %d of %d acknowledged records are there", what, o.have, len(s.log))
		}
	}
}

// TestDamageOfAnInterruptedStore damages the write-ahead logs of a store that
// lost power. Everything that is noticed refuses the store. What is not, cannot
// be told from a log whose end was never synced, and leaves out the last appends,
// each of them whole; never one in the middle:
//
//   - the newest log is cut, or zeros from some byte to its end, or is emptied,
//     or missing: this may cost all that is in that log alone;
//   - a chunk of the newest log is broken behind which the log has no whole chunk
//     in a later block of 32 KiB: the chunks there say how far the log was synced
//     when they were written, and only they are looked for. This may cost what
//     was written from the broken chunk on, at most one block and the chunk that
//     reaches into it.
//
// An older log is always found to be damaged.
func TestDamageOfAnInterruptedStore(t *testing.T) {
	t.Parallel()
	s := storeToDamage(t, false)
	logs := s.some(".log")
	if len(logs) < 2 {
		t.Fatalf("the store has the logs %v, want more than one", logs)
	}
	all := func(o outcome) bool { return o.have == len(s.log) }
	for i, name := range logs {
		newest := i == len(logs)-1
		for _, h := range []harm{cut, bit, rubbish, zeros, emptied, removed} {
			t.Run(name+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				allowed := all
				if newest {
					allowed = s.mayLose(h)
				}
				s.try(t, name, h, allowed)
			})
		}
	}
	for _, name := range s.some(".sst") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.try(t, name, bit, all)
			s.try(t, name, cut, all)
		})
	}
}

// mayLose is how much of the newest log may be missing: all records of these
// tests have about the same size.
func (s *stored) mayLose(h harm) func(outcome) bool {
	const block, record = 32 << 10, 800
	return func(o outcome) bool {
		switch h.name {
		case bit.name:
			return o.have >= len(s.log)-block/record-2
		case rubbish.name:
			return o.have >= len(s.log)-block/record-4
		}
		return o.have >= inTables
	}
}
