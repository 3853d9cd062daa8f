package persistent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/persistent"
)

// victimVariable names the data folder of a process that is to be killed.
const victimVariable = "WAYBILL_TEST_GROUP_VICTIM"

// A testament is what processes have told before they were killed: how many
// events are stored, and which of them were processed or skipped.
type testament struct {
	stored  int
	settled map[int]bool
}

// TestGroupsSurviveKilling kills a process with a group as often as
// WAYBILL_TEST_KILLS says. No checkpoint passes an event that is neither
// processed nor parked, and in the end every event was processed.
func TestGroupsSurviveKilling(t *testing.T) {
	t.Parallel()
	kills := 4
	if n, err := strconv.Atoi(os.Getenv("WAYBILL_TEST_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	told := testament{settled: map[int]bool{}}
	for life := range kills {
		told.outlive(t, dir, 30+20*(life%5))
		told.judge(t, dir)
	}
	told.finish(t, dir)
}

// outlive starts a process, and kills it after some lines.
func (w *testament) outlive(t *testing.T, dir string, lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGroupVictim$")
	cmd.Env = append(os.Environ(), victimVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for said := bufio.NewScanner(out); said.Scan(); seen++ {
		verb, number, _ := strings.Cut(said.Text(), " ")
		n, err := strconv.Atoi(number)
		switch {
		case err == nil && verb == "stored":
			w.stored = n
		case err == nil && verb == "settled":
			w.settled[n] = true
		default:
			t.Errorf("the victim says %q", said.Text())
		}
		if seen == lines {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	if seen < lines {
		t.Fatalf("the victim said %d things, want %d", seen, lines)
	}
}

// judge looks at the store that was left.
func (w *testament) judge(t *testing.T, dir string) {
	t.Helper()
	n := openOn(t, dir)
	defer closeOn(t, n)
	info, err := n.Info("s")
	if err != nil || info.Last+1 < int64(w.stored) {
		t.Fatalf("%d events are stored, %v, want %d", info.Last+1, err, w.stored)
	}
	mark := -1
	if page := pageOf(t, n, "$persistentsubscription-s::g-checkpoint"); len(page) > 0 {
		var text string
		if err := json.Unmarshal(page[len(page)-1].Data, &text); err != nil {
			t.Fatal(err)
		}
		if mark, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	parked := parkedEver(t, n)
	for number := range mark + 1 {
		if !w.settled[number] && !parked[number] {
			t.Errorf("the checkpoint %d has passed event %d, which is neither processed nor parked", mark, number)
		}
	}
	// What is parked waits, unless it was replayed and processed.
	waits := map[int]bool{}
	for _, r := range pageOf(t, n, "$persistentsubscription-s::g-parked") {
		waits[linked(t, r)] = true
	}
	for _, number := range slices.Sorted(maps.Keys(parked)) {
		if number <= mark && !w.settled[number] && !waits[number] {
			t.Errorf("event %d was parked and is gone", number)
		}
	}
}

// finish processes what is left.
func (w *testament) finish(t *testing.T, dir string) {
	t.Helper()
	n := openOn(t, dir)
	defer closeOn(t, n)
	e := engineOn(t, n)
	defer e.Close()
	c, err := e.Connect("s", "g", persistent.Consumer{Buffer: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := n.Info("s")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := e.Replay("s", "g", nil); err != nil {
		t.Fatal(err)
	}
	for len(w.settled) <= int(info.Last) {
		d, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("%d of %d events were processed: %v", len(w.settled), info.Last+1, err)
		}
		w.settled[int(d.Event.Revision)] = true
		c.Ack(idOf(&d))
	}
}

func idOf(d *persistent.Delivery) uuid.UUID {
	if d.Link != nil {
		return d.Link.ID
	}
	return d.Event.ID
}

func openOn(t *testing.T, dir string) *node.Node {
	t.Helper()
	n, err := node.Open(node.Config{Dir: dir, Now: time.Now, CacheBytes: 1 << 20, MemTableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closeOn(t *testing.T, n *node.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func engineOn(t *testing.T, n *node.Node) *persistent.Engine {
	t.Helper()
	e, err := persistent.Open(persistent.Config{Node: n, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// pageOf is what can be read of a stream.
func pageOf(t *testing.T, n *node.Node, stream string) []*node.Record {
	t.Helper()
	var list []*node.Record
	for from, end := uint64(0), false; !end; {
		p, err := n.ReadStream(node.StreamRead{Stream: stream, From: from, Limit: 1000})
		if missing := (*node.NotFoundError)(nil); errors.As(err, &missing) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p.Records...)
		from, end = p.Next, p.End
	}
	return list
}

// parkedEver has what was ever parked: the log shows what replays have taken
// out of the stream.
func parkedEver(t *testing.T, n *node.Node) map[int]bool {
	t.Helper()
	all := map[int]bool{}
	r := node.AllRead{Limit: 1000, Filter: &node.Filter{By: node.ByStream, Exact: "$persistentsubscription-s::g-parked"}}
	for {
		p, err := n.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range p.Records {
			all[linked(t, record)] = true
		}
		if p.End {
			return all
		}
		r.From = p.Next
	}
}

func linked(t *testing.T, r *node.Record) int {
	t.Helper()
	stream, revision, ok := r.Link()
	if !ok || stream != "s" {
		t.Fatalf("%q is parked", r.Data)
	}
	return int(revision)
}

// TestGroupVictim is the process that is killed. It writes what it has done
// before it does more.
func TestGroupVictim(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(victimVariable)
	if dir == "" {
		return // TestGroupsSurviveKilling runs it in another process
	}
	n := openOn(t, dir)
	e := engineOn(t, n)
	if _, err := e.Info("s", "g"); kind(err) == persistent.NotFound {
		settings := defaults(func(s *persistent.Settings) {
			s.MinCheckpoint, s.MaxCheckpoint, s.MaxRetries, s.MessageTimeout = 1, 3, 2, time.Second
		})
		if err := e.Create(persistent.Definition{Stream: "s", Group: "g", Settings: settings}); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	var working sync.WaitGroup
	working.Go(func() { storeForEver(t, n) })
	for range 2 {
		seed := rng.Uint64()
		working.Go(func() { processForEver(t, e, rand.New(rand.NewPCG(seed, 2))) })
	}
	working.Wait()
}

func storeForEver(t *testing.T, n *node.Node) {
	t.Helper()
	for {
		a := node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{{ID: uuid.New(), Type: "T"}, {ID: uuid.New(), Type: "T"}}}
		done, err := n.Append(context.Background(), a)
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Println("stored", done.Revision+1)
		time.Sleep(2 * time.Millisecond)
	}
}

func processForEver(t *testing.T, e *persistent.Engine, rng *rand.Rand) {
	t.Helper()
	c, err := e.Connect("s", "g", persistent.Consumer{Buffer: 5})
	if err != nil {
		t.Error(err)
		return
	}
	var later []persistent.Delivery // so that there is always something that is not done
	for {
		d, err := c.Next(context.Background())
		if err != nil {
			t.Error(err)
			return
		}
		if later = append(later, d); len(later) < 4 {
			continue
		}
		i := rng.IntN(len(later))
		d = later[i]
		later = slices.Delete(later, i, i+1)
		switch roll := rng.IntN(20); {
		case roll < 3:
			c.Nack(persistent.ActionPark, "for later", idOf(&d))
		case roll < 5:
			c.Nack(persistent.ActionRetry, "again", idOf(&d))
		case roll < 6:
			if err := e.Replay("s", "g", nil); err != nil {
				t.Error(err)
			}
			fallthrough
		default:
			fmt.Println("settled", d.Event.Revision)
			c.Ack(idOf(&d))
		}
	}
}
