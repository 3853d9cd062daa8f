package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/node"
)

// TestKilledWhileScavengingNothingIsLostOrComesBack kills, at random moments,
// `waybill node scavenge` and the node that scavenges beside appends, as often
// as WAYBILL_TEST_KILLS says each.
func TestKilledWhileScavengingNothingIsLostOrComesBack(t *testing.T) {
	t.Parallel()
	for _, index := range []bool{false, true} {
		t.Run(fmt.Sprintf("index %v", index), func(t *testing.T) {
			t.Parallel()
			a := newArchive(t, index)
			for range number(t, killsEnv, 3) {
				a.killServed()
				a.check()
				a.fill()
				a.killStopped()
				a.check()
			}
			a.scavenge()
			a.check()
			a.leftovers()
			t.Logf("%d processes were killed when half of what they had to remove was gone", a.halfway)
		})
	}
}

// An archive is a store with writers whose streams lose events in every way.
type archive struct {
	t       *testing.T
	dir     string
	index   bool
	rng     *rand.Rand
	scribes []*scribe
	ballast *shelf              // loses so much that scavenging takes a while
	left    int                 // events of it that the log has
	dead    []string            // streams that are deleted for ever
	log     map[uint64]logEntry // at the last look
	end     uint64              // of the log, then
	halfway int
}

type logEntry struct {
	stream string
	id     uuid.UUID
}

func newArchive(t *testing.T, index bool) *archive {
	t.Helper()
	a := &archive{t: t, dir: t.TempDir(), index: index, rng: rand.New(rand.NewPCG(rand.Uint64(), 1)), ballast: &shelf{stream: "ballast", maxCount: 2}}
	for i := range 6 {
		a.scribes = append(a.scribes, newScribe(fmt.Sprintf("shelf%d", i), a.rng.Uint64()))
	}
	n := a.open()
	_, err := n.Append(t.Context(), node.Append{Stream: "$$ballast", Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: node.TypeMetadata, JSON: true, Data: []byte(`{"$maxCount":2}`)},
	}})
	if err := errors.Join(err, n.Close()); err != nil {
		t.Fatal(err)
	}
	a.fill()
	return a
}

func (a *archive) open() *node.Node {
	a.t.Helper()
	n, err := node.Open(node.Config{Dir: filepath.Join(a.dir, "events"), Now: time.Now, Index: a.index})
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// fill appends what scavenging removes but for the last two.
func (a *archive) fill() {
	a.t.Helper()
	n := a.open()
	data := make([]byte, 60)
	a.left += 60 * 600
	for range 60 {
		batch := node.Append{Stream: a.ballast.stream, Expected: node.ExpectAny}
		for range 600 {
			binary.LittleEndian.PutUint64(data[a.rng.IntN(len(data)-8):], a.rng.Uint64())
			batch.Events = append(batch.Events, node.Event{ID: uuid.New(), Type: "Happened", Data: slices.Clone(data)})
			a.ballast.events = append(a.ballast.events, batch.Events[len(batch.Events)-1].ID)
		}
		if _, err := n.Append(a.t.Context(), batch); err != nil {
			a.t.Fatal(err)
		}
	}
	err := n.WaitStream(a.t.Context(), "$et-Happened", n.End()-1) // what the index has not seen is not removed
	if err := errors.Join(err, n.Close()); err != nil {
		a.t.Fatal(err)
	}
}

// waybill starts the program on the store.
func (a *archive) waybill(args ...string) *bench.Process {
	a.t.Helper()
	program, err := os.Executable()
	if err != nil {
		a.t.Fatal(err)
	}
	p, err := bench.StartProcess(program, []string{fmt.Sprintf("WAYBILL_NODE_INDEX=%v", a.index)}, append(args, "--data-dir", a.dir)...)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// within is a random moment.
func (a *archive) within(limit time.Duration) time.Duration {
	return time.Duration(a.rng.Int64N(int64(limit)))
}

// killStopped kills the command that scavenges a store nobody serves.
func (a *archive) killStopped() {
	a.t.Helper()
	files := a.files()
	p := a.waybill("node", "scavenge")
	a.await("the store is opened", func() bool { return !slices.Equal(files, a.files()) || hasEnded(p) })
	time.Sleep(a.within(150 * time.Millisecond))
	if err := p.Kill(); err != nil {
		a.t.Fatal(err)
	}
}

// files of the store, which are others as soon as a process has opened it.
func (a *archive) files() (names []string) {
	a.t.Helper()
	list, err := os.ReadDir(filepath.Join(a.dir, "events"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, file := range list {
		names = append(names, file.Name())
	}
	return names
}

// killServed kills a node that is scavenged while scribes write.
func (a *archive) killServed() {
	a.t.Helper()
	addr := freeAddr(a.t)
	served := a.waybill("node", "--addr", addr)
	ctx, cancel := context.WithCancel(a.t.Context())
	client := connectTo(a.t, addr)
	var writing sync.WaitGroup
	for _, w := range a.scribes {
		writing.Go(func() { w.write(ctx, client) })
	}
	for _, w := range a.scribes {
		began := w.steps.Load()
		a.await("a scribe writes", func() bool { return w.steps.Load() > began+10 || hasEnded(served) })
	}
	for round := range 2 {
		command := a.waybill("node", "scavenge")
		time.Sleep(a.within(400 * time.Millisecond))
		if round == 0 { // only whoever gave the order
			if err := command.Kill(); err != nil {
				a.t.Error(err)
			}
			continue
		}
		if hasEnded(served) {
			a.t.Errorf("the node has ended by itself:\n%s", served.Output())
		}
		if err := errors.Join(served.Kill(), command.Kill()); err != nil {
			a.t.Error(err)
		}
	}
	cancel()
	writing.Wait()
	if err := client.Close(); err != nil {
		a.t.Error(err)
	}
}

func hasEnded(p *bench.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func connectTo(t *testing.T, addr string) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.NewClient(eventstore.Config{
		ConnectionString: "esdb://" + addr + "?tls=false", Codec: codec, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// scavenge lets the command do its work, twice: the second time there is
// nothing left to do.
func (a *archive) scavenge() {
	a.t.Helper()
	ends(a.t, exitDone, "node", "scavenge", "--data-dir", a.dir, fmt.Sprintf("--node-index=%v", a.index))
	if text := ends(a.t, exitDone, "node", "scavenge", "--data-dir", a.dir, fmt.Sprintf("--node-index=%v", a.index)); !strings.Contains(text, "removed   0 events") {
		a.t.Errorf("the second scavenging has printed %s", text)
	}
}

func (a *archive) await(what string, done func() bool) {
	a.t.Helper()
	for begin := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			a.t.Fatalf("after a minute: not %s", what)
		}
	}
}
