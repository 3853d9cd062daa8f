package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/node"
)

// A life is a store with a history of all that makes events unreadable.
type life struct {
	t   *testing.T
	rng *rand.Rand
	fs  *vfs.MemFS
	now atomic.Int64 // seconds
	n   *node.Node

	index bool
}

func newLife(t *testing.T, seed uint64) *life {
	t.Helper()
	l := &life{t: t, rng: rand.New(rand.NewPCG(seed, 9)), fs: vfs.NewCrashableMem(), index: seed%2 == 0}
	l.open()
	return l
}

func (l *life) config() node.Config {
	cfg := config(l.fs)
	cfg.Now = func() time.Time { return noon.Add(time.Duration(l.now.Load()) * time.Second) }
	cfg.Streams = 3 // so that heads are forgotten
	cfg.Index = l.index
	return cfg
}

func (l *life) open() {
	l.t.Helper()
	l.n = open(l.t, l.config())
}

const lifeStreams = 8

func (l *life) stream() string { return fmt.Sprintf("s-%d", l.rng.IntN(lifeStreams)) }

// step does one random thing. What the rules refuse is no matter.
func (l *life) step() {
	l.t.Helper()
	var err error
	stream := l.stream()
	ctx := deadline(l.t)
	switch k := l.rng.IntN(100); {
	case k < 60:
		a := node.Append{Stream: stream, Expected: node.ExpectAny}
		for range l.rng.IntN(4) {
			a.Events = append(a.Events, node.Event{ID: uuid.New(), Type: "Happened", Data: make([]byte, l.rng.IntN(600))})
		}
		_, err = l.n.Append(ctx, a)
	case k < 80:
		_, err = l.n.Append(ctx, node.Append{Stream: "$$" + stream, Expected: node.ExpectAny, Events: []node.Event{{
			ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: l.metadata(),
		}}})
	case k < 90:
		l.now.Add(int64(l.rng.IntN(10)))
	case k < 99:
		_, err = l.n.Delete(ctx, stream, node.ExpectAny)
	case l.rng.IntN(4) == 0:
		_, err = l.n.Tombstone(ctx, stream, node.ExpectAny)
	}
	wrong, deleted := (*node.WrongExpectedError)(nil), (*node.StreamDeletedError)(nil)
	if err != nil && !errors.As(err, &wrong) && !errors.As(err, &deleted) {
		l.t.Fatal(err)
	}
}

func (l *life) metadata() []byte {
	return fmt.Appendf(nil, `{%q:%d}`, []string{"$maxCount", "$tb", "$maxAge", "other"}[l.rng.IntN(4)], 1+l.rng.IntN(12))
}

// readable is what every read of every stream shows, as positions.
func (l *life) readable() map[string][]uint64 {
	l.t.Helper()
	all := map[string][]uint64{}
	for i := range lifeStreams {
		for _, prefix := range []string{"", "$$"} {
			stream := fmt.Sprintf("%ss-%d", prefix, i)
			for _, backwards := range []bool{false, true} {
				key := fmt.Sprintf("%s backwards %v", stream, backwards)
				all[key] = l.read(node.StreamRead{Stream: stream, Backwards: backwards, Limit: 5})
			}
		}
	}
	return all
}

// read answers a number of its own for each way in which there is no stream.
func (l *life) read(r node.StreamRead) (positions []uint64) {
	l.t.Helper()
	if r.Backwards {
		r.From = node.FromEnd
	}
	for {
		p, err := l.n.ReadStream(r)
		missing, deleted := (*node.NotFoundError)(nil), (*node.StreamDeletedError)(nil)
		switch {
		case errors.As(err, &missing):
			return []uint64{0}
		case errors.As(err, &deleted):
			return []uint64{0, 0}
		case err != nil:
			l.t.Fatal(err)
		}
		for _, rec := range p.Records {
			positions = append(positions, rec.Position)
		}
		if p.End {
			return positions
		}
		r.From = p.Next
	}
}

func (l *life) same(want map[string][]uint64) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.readable()); diff != "" {
		l.t.Fatalf("what can be read of streams has changed (-before +after):\n%s", diff)
	}
}

// log is the log, by position.
func (l *life) log() map[uint64]*node.Record {
	l.t.Helper()
	list, err := wholeLog(l.n, 50)
	if err != nil {
		l.t.Fatal(err)
	}
	all := map[uint64]*node.Record{}
	for _, r := range list {
		all[r.Position] = r
	}
	return all
}

// scavenged checks that the log has lost what could not be read, but for what
// must stay, and nothing else.
func (l *life) scavenged(before map[uint64]*node.Record, readable map[string][]uint64) {
	l.t.Helper()
	shown := map[uint64]bool{}
	for _, positions := range readable {
		for _, position := range positions {
			shown[position] = true
		}
	}
	last := map[string]uint64{} // positions that must stay
	var end uint64
	for position, r := range before {
		if r.Type == node.TypeTombstone || position > last[r.Stream] {
			last[r.Stream] = max(position, last[r.Stream])
		}
		end = max(end, position)
	}
	after := l.log()
	for position, r := range before {
		_, kept := after[position]
		must := shown[position] || last[r.Stream] == position || position == end
		if must != kept {
			l.t.Fatalf("revision %d of %s at %d: kept %v, want %v", r.Revision, r.Stream, position, kept, must)
		}
	}
	if len(after) > len(before) {
		l.t.Fatal("the log has grown")
	}
}

func (l *life) verify() {
	l.t.Helper()
	report, err := l.n.Verify(deadline(l.t), node.Verification{})
	if err != nil || !report.OK() {
		l.t.Fatalf("the store is not whole: %v, %v", report, err)
	}
}

// indexed waits until the index has seen all: what it has not seen stays.
func (l *life) indexed() {
	l.t.Helper()
	end := l.n.End()
	if err := l.n.WaitStream(deadline(l.t), "$et-Happened", end-1); err != nil {
		l.t.Fatal(err)
	}
}

func TestScavengingChangesNoReadOfAStream(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			for range 5 {
				for range 120 {
					l.step()
				}
				l.indexed()
				readable, log := l.readable(), l.log()
				if _, err := l.n.Scavenge(deadline(t), node.Scavenge{Pause: -1}); err != nil {
					t.Fatal(err)
				}
				l.same(readable)
				l.scavenged(log, readable)
				l.verify()
				if l.rng.IntN(2) == 0 {
					closeNode(t, l.n)
					l.open()
					l.same(readable)
					l.scavenged(log, readable)
				}
			}
			closeNode(t, l.n)
		})
	}
}

func TestScavengingGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			for range 400 {
				l.step()
			}
			l.indexed()
			readable, log := l.readable(), l.log()
			for range 3 {
				ctx, cancel := context.WithCancel(deadline(t))
				stop := l.rng.IntN(5)
				_, _ = l.n.Scavenge(ctx, node.Scavenge{Pause: -1, Progress: func(node.Progress) {
					if stop--; stop < 0 {
						cancel()
					}
				}})
				cancel()
				crashed := l.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: l.rng.IntN(101), RNG: l.rng})
				closeNode(t, l.n)
				l.fs = crashed
				l.open()
				l.same(readable)
				l.verify()
			}
			l.indexed()
			if _, err := l.n.Scavenge(deadline(t), node.Scavenge{Pause: -1}); err != nil {
				t.Fatal(err)
			}
			l.same(readable)
			l.scavenged(log, readable)
			closeNode(t, l.n)
		})
	}
}

func TestScavengingGivesRoomBack(t *testing.T) {
	t.Parallel()
	n := opened(t, config(vfs.NewMem()))
	for i := range 300 {
		mustAppend(t, n, node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event(fmt.Sprint(i), 4000)}})
	}
	mustAppend(t, n, node.Append{Stream: "$$s", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)},
	}})
	if err := n.WaitStream(deadline(t), "$et-Happened", n.End()-1); err != nil {
		t.Fatal(err)
	}
	var stages []string
	done, err := n.Scavenge(deadline(t), node.Scavenge{Progress: func(p node.Progress) { stages = append(stages, p.Stage) }})
	if err != nil {
		t.Fatal(err)
	}
	if done.Records != 298 || done.Streams != 1 {
		t.Errorf("it has removed %d records of %d streams", done.Records, done.Streams)
	}
	if got := strings.Join(stages, " "); got != "streams log room room" {
		t.Errorf("the stages are %s", got)
	}
	again, err := n.Scavenge(deadline(t), node.Scavenge{})
	if err != nil || again.Records != 0 {
		t.Errorf("the second time it has removed %+v, %v", again, err)
	}
}

func TestScavengingBesideReadersAndWriters(t *testing.T) {
	t.Parallel()
	n := opened(t, config(vfs.NewMem()))
	const writers, appends, kept = 3, 100, 3
	ctx := deadline(t)
	var written, others errgroup.Group
	for w := range writers {
		stream := fmt.Sprintf("s-%d", w)
		mustAppend(t, n, node.Append{Stream: "$$" + stream, Expected: node.ExpectNoStream, Events: []node.Event{
			{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: fmt.Appendf(nil, `{"$maxCount":%d}`, kept)},
		}})
		written.Go(func() error {
			for i := range appends {
				_, err := n.Append(ctx, node.Append{Stream: stream, Expected: node.Expected(i - 1), Events: []node.Event{event(fmt.Sprint(w, i), 500)}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		others.Go(func() error { return readLast(ctx, n, stream, appends-1, kept) })
	}
	others.Go(func() error { return followLog(ctx, n, writers, appends-1) })
	stop := make(chan struct{})
	scavenged := make(chan error, 1)
	go func() {
		for {
			_, err := n.Scavenge(ctx, node.Scavenge{Pause: -1})
			select {
			case <-stop:
			default:
				if err == nil {
					continue
				}
			}
			scavenged <- err
			return
		}
	}()
	err := errors.Join(written.Wait(), others.Wait())
	close(stop)
	if err := errors.Join(err, <-scavenged); err != nil {
		t.Fatal(err)
	}
	if report, err := n.Verify(ctx, node.Verification{}); err != nil || !report.OK() {
		t.Errorf("the store is not whole: %v, %v", report, err)
	}
}

// readLast reads the stream again and again until it has seen its last
// revision. Each time it is the newest events, without a gap.
func readLast(ctx context.Context, n *node.Node, stream string, last uint64, kept int) error {
	for ctx.Err() == nil {
		p, err := n.ReadStream(node.StreamRead{Stream: stream, Limit: 100})
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return err
		}
		for i, r := range p.Records {
			if i > 0 && r.Revision != p.Records[i-1].Revision+1 {
				return fmt.Errorf("revision %d of %s comes after %d", r.Revision, stream, p.Records[i-1].Revision)
			}
		}
		if len(p.Records) > kept {
			return fmt.Errorf("%s shows %d events", stream, len(p.Records))
		}
		if len(p.Records) > 0 && p.Records[len(p.Records)-1].Revision == last {
			return nil
		}
	}
	return ctx.Err()
}

// followLog follows the log until each of the streams is at its last revision.
func followLog(ctx context.Context, n *node.Node, streams int, last uint64) error {
	seen := map[string]uint64{}
	var from uint64
	for ended := 0; ended < streams; {
		p, err := n.ReadAll(node.AllRead{From: from, Limit: 20})
		if err != nil {
			return err
		}
		for _, r := range p.Records {
			if before, ok := seen[r.Stream]; ok && r.Revision <= before {
				return fmt.Errorf("revision %d of %s comes after %d", r.Revision, r.Stream, before)
			}
			if seen[r.Stream] = r.Revision; r.Revision == last {
				ended++
			}
		}
		if from = p.Next; p.End && ended < streams {
			if err := n.Wait(ctx, from); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestCloseEndsScavenging(t *testing.T) {
	t.Parallel()
	n := open(t, config(vfs.NewMem()))
	mustAppend(t, n, node.Append{Stream: "$$s", Expected: node.ExpectNoStream, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":1}`)},
	}})
	mustAppend(t, n, appendTo("s", node.ExpectAny, names("s", 5)...))
	ended := make(chan error, 1)
	go func() {
		_, err := n.Scavenge(context.Background(), node.Scavenge{Pause: time.Hour})
		ended <- err
	}()
	for ctx := deadline(t); ; {
		if list, err := wholeLog(n, 10); err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		} else if len(list) == 2 {
			break
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- n.Close() }()
	for what, result := range map[string]<-chan error{"scavenging": ended, "closing": closed} {
		select {
		case err := <-result:
			if what == "scavenging" && !errors.Is(err, node.ErrClosed) || what == "closing" && err != nil {
				t.Errorf("%s ended with %v", what, err)
			}
		case <-deadline(t).Done():
			t.Fatalf("%s does not end", what)
		}
	}
}
