package grpcapi_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

// childVariable is set in processes that tests start: a store that failed may
// leave goroutines behind.
const childVariable = "WAYBILL_TEST_CHILD"

// TestANodeWhoseDiskFailsIsNotAlive: whoever looks after it starts it again,
// which finds everything that was acknowledged; until then it answers reads.
func TestANodeWhoseDiskFailsIsNotAlive(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	if os.Getenv(childVariable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestANodeWhoseDiskFailsIsNotAlive$")
		cmd.Env = append(os.Environ(), childVariable+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "no tests to run") {
			t.Fatalf("the other process ended with %v:\n%s", err, out)
		}
		return
	}
	var broken atomic.Bool
	cfg := small()
	cfg.Dir, cfg.Now = "node", time.Now
	cfg.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.EIO
		}
		return nil
	}))
	n, err := node.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := grpcapi.Listen("127.0.0.1:0", n, grpcapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		broken.Store(false) // lets what hangs end
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = s.Stop(ctx)
		_ = n.Close() // says again why it failed
	})
	at := "esdb://" + s.Addr() + "?tls=false"
	c := connect(t, at)
	stream := unique("failed")
	mustAppend(t, c, stream, "a")
	if status, _ := get(t, at, "/health/live"); status != http.StatusNoContent {
		t.Fatalf("a node that works is said to be dead: %d", status)
	}
	broken.Store(true)
	if _, err := c.AppendToStream(deadline(t), stream, revision(-2), events("b")...); code(err) != esdb.ErrorUnavailable && code(err) != esdb.ErrorCodeUnknown {
		t.Errorf("the append answered %v", err)
	}
	for _, path := range []string{"/health/live", "/health/live?liveCode=200"} {
		if status, _ := get(t, at, path); status != http.StatusServiceUnavailable {
			t.Errorf("%s answered %d", path, status)
		}
	}
	if _, body := get(t, at, "/metrics"); !strings.Contains(body, "waybill_node_failed 1\n") {
		t.Error("the metrics do not say that it failed")
	}
	if got := readAll(t, connect(t, at), stream); !strings.HasPrefix(got, "a") {
		t.Errorf("the stream holds %q", got)
	}
}
