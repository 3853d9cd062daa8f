package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/bench"
)

// diskOf mounts a disk of its own that holds so many bytes.
func diskOf(t *testing.T, bytes int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("🚧 no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// A crampedNode is served from a disk of its own, on which others make and take
// room.
type crampedNode struct {
	t       *testing.T
	dir     string
	addr    string
	minFree uint64
	process *bench.Process
	client  *esdb.Client
	stored  []string // ids that were acknowledged
	parked  string   // the id that was to be parked while there was no room
}

func newCrampedNode(t *testing.T, minFree uint64) *crampedNode {
	t.Helper()
	const size = 192 << 20
	n := &crampedNode{t: t, dir: diskOf(t, size), addr: freeAddr(t), minFree: minFree}
	n.start()
	t.Cleanup(func() {
		_ = n.client.Close()
		_ = n.process.Kill()
	})
	return n
}

func (n *crampedNode) start() {
	n.t.Helper()
	program, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	env := []string{fmt.Sprintf("WAYBILL_NODE_MIN_FREE_BYTES=%d", n.minFree)}
	if n.process, err = bench.StartProcess(program, env, "node", "--data-dir", n.dir, "--addr", n.addr); err != nil {
		n.t.Fatal(err)
	}
	n.await("the node answers", func() bool { return n.health() == http.StatusNoContent })
	cfg, err := esdb.ParseConnectionString("esdb://" + n.addr + "?tls=false")
	if err != nil {
		n.t.Fatal(err)
	}
	cfg.Logger = esdb.NoopLogging()
	if n.client, err = esdb.NewClient(cfg); err != nil {
		n.t.Fatal(err)
	}
}

// startAgain kills the process first.
func (n *crampedNode) startAgain() {
	n.t.Helper()
	output := n.process.Output()
	if err := errors.Join(n.client.Close(), n.process.Kill()); err != nil {
		n.t.Fatal(err)
	}
	if strings.Contains(output, "goroutine ") {
		n.t.Errorf("the node has printed a stack trace:\n%s", output)
	}
	n.start()
}

func (n *crampedNode) health() int {
	answer, err := http.Get("http://" + n.addr + "/health/live")
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (n *crampedNode) await(what string, is func() bool) {
	n.t.Helper()
	for begin := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 2*time.Minute {
			n.t.Fatalf("after two minutes: not %s\n%s", what, n.process.Output())
		}
	}
}

func (n *crampedNode) deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	n.t.Cleanup(cancel)
	return ctx
}

// fill leaves so much room.
func (n *crampedNode) fill(left int64) {
	n.t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(n.dir, &disk); err != nil {
		n.t.Fatal(err)
	}
	take := int64(disk.Bavail)*disk.Bsize - left //nolint:gosec // of a small disk
	if take < 0 {
		n.t.Fatalf("the disk has less room than %d bytes already", left)
	}
	err := os.WriteFile(filepath.Join(n.dir, "ballast"), make([]byte, take), 0o600)
	if err != nil && (left > 0 || !errors.Is(err, syscall.ENOSPC)) { // the node has taken some of it meanwhile
		n.t.Fatal(err)
	}
}

// fillAtOnce takes all there is from a node that believed to have plenty.
func (n *crampedNode) fillAtOnce() {
	n.t.Helper()
	refused, begun := make(chan error), len(n.stored)
	go func() {
		var err error
		for begin := time.Now(); err == nil && time.Since(begin) < time.Minute; {
			err = n.append()
		}
		refused <- err
	}()
	n.fill(0)
	err := <-refused
	n.refusal(err)
	n.t.Logf("after %d more events the node said: %v", len(n.stored)-begun, err)
}

func (n *crampedNode) makeRoom() {
	n.t.Helper()
	if err := os.Remove(filepath.Join(n.dir, "ballast")); err != nil {
		n.t.Fatal(err)
	}
}

func (n *crampedNode) append() error {
	e := esdb.EventData{EventID: uuid.New(), EventType: "Happened", Data: []byte(strings.Repeat(uuid.NewString(), 1500))}
	_, err := n.client.AppendToStream(n.deadline(), "work", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
	if err == nil {
		n.stored = append(n.stored, e.EventID.String())
	}
	return err
}

// appendUntilRefused answers why.
func (n *crampedNode) appendUntilRefused() error {
	n.t.Helper()
	for range 4000 {
		if err := n.append(); err != nil {
			return err
		}
	}
	n.t.Fatal("the disk is never full")
	return nil
}

// refusal checks that the reason is one that a person understands.
func (n *crampedNode) refusal(err error) {
	n.t.Helper()
	known, ok := errors.AsType[*esdb.Error](err)
	text := fmt.Sprint(err)
	clear := strings.Contains(text, "make room") || strings.Contains(text, "takes no more writes")
	if !ok || known.Code() != esdb.ErrorUnavailable || !clear || strings.ContainsAny(text, "\n") {
		n.t.Errorf("the append was refused with %v", err)
	}
}

// kept compares what can be read with what was acknowledged. More may be there:
// what was refused while the disk broke.
func (n *crampedNode) kept(exactly bool) {
	n.t.Helper()
	s, err := n.client.ReadStream(n.deadline(), "work", esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxInt64)
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	want := map[string]bool{}
	for _, id := range n.stored {
		want[id] = true
	}
	var got []string
	for {
		e, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			n.t.Fatal(err)
		}
		if id := e.Event.EventID.String(); exactly || want[id] {
			got = append(got, id)
		}
	}
	if diff := cmp.Diff(n.stored, got); diff != "" {
		n.t.Errorf("what is read is not what was acknowledged (-want +got):\n%s", diff)
	}
}

// TestADiskThatBecomesFullUnderAServingNode: appends are refused with the
// reason, reads and followers go on, and once there is room so does all else.
func TestADiskThatBecomesFullUnderAServingNode(t *testing.T) {
	t.Parallel()
	const minFree = 32 << 20
	n := newCrampedNode(t, minFree)
	worker, follower := n.begin()
	n.fill(minFree + 8<<20)
	n.refusal(n.appendUntilRefused())
	worker.takes(5, "ack")
	worker.takes(1, "park")
	for range 3 {
		n.refusal(n.append())
	}
	n.kept(true)
	follower.has(n.stored)
	n.scavengeWhileFull()
	if got := n.health(); got != http.StatusNoContent {
		t.Errorf("the node that waits for room is not alive: %d", got)
	}
	if at := worker.checkpoint(); at > 10 {
		t.Errorf("a checkpoint %d was written where there is no room", at)
	}
	n.makeRoom()
	n.await("appends are taken", func() bool { return n.append() == nil })
	worker.rest()
	n.kept(true)
	n.startAgain()
	n.kept(true)
	n.whole()
}

// TestADiskThatIsFullAtOnce: the store may find no room in the middle of a write.
// Its process ends then, with the reason, and the next one has all that was
// acknowledged. What was refused meanwhile may be there or not.
func TestADiskThatIsFullAtOnce(t *testing.T) {
	t.Parallel()
	n := newCrampedNode(t, 1<<20)
	worker, _ := n.begin()
	worker.takes(1, "park")
	n.fillAtOnce()
	if t.Logf("it was said: %s", n.process.Output()); hasEnded(n.process) && !strings.Contains(n.process.Output(), "no space left") {
		t.Error("the node does not say why it ends")
	}
	n.makeRoom()
	n.startAgain()
	n.await("appends are taken", func() bool { return n.append() == nil })
	n.kept(false)
	again := newWorker(n)
	again.rest()
	n.startAgain()
	n.kept(false)
	n.whole()
}

// begin stores some events, half of which a group has done.
func (n *crampedNode) begin() (*worker, *follower) {
	n.t.Helper()
	w, f := newWorker(n), followWork(n)
	for range 20 {
		if err := n.append(); err != nil {
			n.t.Fatal(err)
		}
	}
	w.takes(10, "ack")
	n.await("the group has a checkpoint", func() bool { return w.checkpoint() == 9 })
	return w, f
}

func (n *crampedNode) whole() {
	n.t.Helper()
	if err := errors.Join(n.client.Close(), n.process.Stop()); err != nil {
		n.t.Fatal(err)
	}
	ends(n.t, exitDone, "node", "verify", "--data-dir", n.dir)
}

// scavengeWhileFull ends well or with a reason.
func (n *crampedNode) scavengeWhileFull() {
	n.t.Helper()
	program, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	p, err := bench.StartProcess(program, nil, "node", "scavenge", "--data-dir", n.dir)
	if err != nil {
		n.t.Fatal(err)
	}
	<-p.Done()
	if text := p.Output(); strings.Contains(text, "goroutine ") || strings.TrimSpace(text) == "" {
		n.t.Errorf("scavenging has printed:\n%s", text)
	}
}
