package grpcapi_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
	"github.com/waybill-dev/waybill/node/nodetest"
)

func operator(tb testing.TB, connection string) *grpcapi.Operator {
	tb.Helper()
	o, err := grpcapi.NewOperator(connection)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = o.Close() })
	return o
}

func TestServedStoreIsVerifiedAndScavenged(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Node: small()})
	c := connect(t, n.ConnectionString())
	mustAppend(t, c, "s", "abcdefgh")
	meta := esdb.StreamMetadata{}
	meta.SetMaxCount(3)
	if _, err := c.SetStreamMetadata(deadline(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, meta); err != nil {
		t.Fatal(err)
	}
	o := operator(t, n.ConnectionString())
	report, err := o.Verify(deadline(t), node.Verification{})
	if err != nil || !report.OK() || report.Records != 9 {
		t.Errorf("the report is %+v, %v", report, err)
	}
	done, err := o.Scavenge(deadline(t), nil)
	if err != nil || done.Records != 5 {
		t.Errorf("scavenging has removed %+v, %v", done, err)
	}
	if got := readAll(t, c, "s"); got != "fgh" {
		t.Errorf("the stream reads %q afterwards", got)
	}
	log, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{From: esdb.Start{}}, 100)
	if got := len(collect(t, log, err)); got != 4 {
		t.Errorf("the log has %d events afterwards", got)
	}
}

func TestServedStoreIsBackedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := nodetest.New(t, nodetest.Config{Dir: filepath.Join(dir, "events"), Node: small()})
	c := connect(t, n.ConnectionString())
	for i := range 50 {
		mustAppend(t, c, fmt.Sprintf("s%d", i), "x")
	}
	o := operator(t, n.ConnectionString())
	s, release, err := o.Snapshot(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(dir, "backup")
	if _, err := node.CopySnapshot(deadline(t), vfs.Default, s, backup, nil); err != nil {
		t.Fatal(err)
	}
	release()
	isGone(t, s.Dir)
	cfg := node.Config{Dir: filepath.Join(dir, "restored"), Now: time.Now}
	if _, err := node.Restore(deadline(t), cfg, backup, nil); err != nil {
		t.Fatal(err)
	}
	report, err := node.VerifyDir(deadline(t), cfg, node.Verification{})
	if err != nil || !report.OK() || report.Records != 51 {
		t.Errorf("what was restored is %+v, %v", report, err)
	}
}

// isGone waits for the node to notice that the caller has gone.
func isGone(t *testing.T, dir string) {
	t.Helper()
	for ctx := deadline(t); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
	}
	t.Errorf("%s is still there", dir)
}

func TestSnapshotEndsWithTheNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := nodetest.New(t, nodetest.Config{Dir: dir, Node: small()})
	s, release, err := operator(t, n.ConnectionString()).Snapshot(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	began := time.Now()
	n.Stop()
	if waited := time.Since(began); waited > time.Second {
		t.Errorf("the node took %s to stop", waited)
	}
	isGone(t, s.Dir)
}

func TestOperatorHearsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, connection := range []string{"nonsense", "http://x"} {
		if _, err := grpcapi.NewOperator(connection); err == nil {
			t.Errorf("%q is a connection string", connection)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := operator(t, "esdb://127.0.0.1:1?tls=false").Verify(ctx, node.Verification{}); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("where nobody listens, the error is %v", err)
	}
}

func TestOperationsAreForAdministratorsAndOperators(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	for credentials, want := range map[string]string{
		"admin:" + adminPassword: "",
		"ops:" + adminPassword:   "",
		"ann:" + userPassword:    "Access Denied",
		"admin:wrong":            "Unauthenticated",
		"":                       "Access Denied",
	} {
		o := operator(t, s.connectionString(credentials))
		_, verifyErr := o.Verify(deadline(t), node.Verification{})
		_, scavengeErr := o.Scavenge(deadline(t), nil)
		_, release, snapshotErr := o.Snapshot(deadline(t))
		if snapshotErr == nil {
			release()
		}
		for what, err := range map[string]error{"verify": verifyErr, "scavenge": scavengeErr, "snapshot": snapshotErr} {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s with credentials %q answers %v, want %q", what, credentials, err, want)
			}
		}
	}
}
