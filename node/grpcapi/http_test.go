package grpcapi_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// get asks the node over plain HTTP, at the port its clients use.
func get(tb testing.TB, connection, path string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(deadline(tb), http.MethodGet, "http://"+hostOf(connection)+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func hostOf(connection string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(connection, "esdb://"), "?")
	return host
}

func TestHealth(t *testing.T) {
	t.Parallel()
	at := address(t)
	for path, want := range map[string]int{
		"/health/live":              http.StatusNoContent,
		"/health/live?liveCode=200": http.StatusOK,
		"/health/live?liveCode=x":   http.StatusNoContent,
	} {
		if got, _ := get(t, at, path); got != want {
			t.Errorf("%s answered %d, want %d", path, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	at := address(t)
	c := connect(t, at)
	stream := unique("metrics")
	mustAppend(t, c, stream, "abc")
	if _, err := c.AppendToStream(deadline(t), stream, revision(7), events("d")...); err == nil {
		t.Fatal("the append should be refused")
	}
	readAll(t, c, stream)
	sub, err := c.SubscribeToStream(deadline(t), stream, esdb.SubscribeToStreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if err := c.CreatePersistentSubscription(deadline(t), stream, "billing", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}}); err != nil {
		t.Fatal(err)
	}
	_, body := get(t, at, "/metrics")
	for _, line := range []string{
		"waybill_node_events_written_total 5\n", // two of them are the settings of the group
		`waybill_node_appends_total{outcome="ok"} 3` + "\n",
		`waybill_node_appends_total{outcome="wrong revision"} 1` + "\n",
		"waybill_node_sync_seconds_count 3\n",
		"waybill_node_group_requests_sum 3\n",
		`waybill_node_pages_read_total{of="stream"} `,
		`waybill_node_subscriptions{of="stream"} 1` + "\n",
		`waybill_node_subscription_lag_bytes{of="stream"} `,
		"waybill_node_failed 0\n",
		`waybill_node_calls_total{method="/event_store.client.streams.Streams/Append",status="OK"} 2` + "\n",
		"waybill_node_pebble_wal_bytes ",
		`waybill_node_persistent_lag{group="billing",stream="` + stream + `"} 3` + "\n",
		`waybill_node_persistent_parked{group="billing",stream="` + stream + `"} 0` + "\n",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("the metrics have no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// smallDisk says how much room it has.
type smallDisk struct {
	vfs.FS
	free *atomic.Uint64
}

func (d smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 40}, nil
}

// TestADiskThatIsNearlyFullIsToldAndLeftWhenThereIsRoom: whoever looks after the
// node sees it, its readers do not.
func TestADiskThatIsNearlyFullIsToldAndLeftWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	const room, little = 1 << 30, 1 << 20
	var free atomic.Uint64
	free.Store(room)
	cfg := small()
	cfg.FS = smallDisk{FS: vfs.NewMem(), free: &free}
	at := nodetest.New(t, nodetest.Config{Node: cfg}).ConnectionString()
	c := connect(t, at)
	stream := unique("disk")
	mustAppend(t, c, stream, "a")
	free.Store(little)
	_, err := c.AppendToStream(deadline(t), stream, revision(-2), events("b")...)
	if code(err) != esdb.ErrorUnavailable || !strings.Contains(err.Error(), "1 MiB free") || !strings.Contains(err.Error(), "make room") {
		t.Errorf("the append answered %v", err)
	}
	if got := readAll(t, connect(t, at), stream); got != "a" {
		t.Errorf("the stream holds %q", got)
	}
	if status, _ := get(t, at, "/health/live"); status != http.StatusNoContent {
		t.Errorf("the node is said to be dead: %d", status)
	}
	if _, body := get(t, at, "/metrics"); !strings.Contains(body, "waybill_node_disk_free_bytes 1.048576e+06\n") || !strings.Contains(body, "waybill_node_disk_needed_bytes ") {
		t.Errorf("the metrics do not say how little room there is:\n%s", body)
	}
	free.Store(room)
	mustAppend(t, connect(t, at), stream, "b")
}

func TestSilentConnectionsDoNotHoldTheNode(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	n := nodetest.New(t, nodetest.Config{Node: small()})
	for range 3 {
		c, err := new(net.Dialer).DialContext(deadline(t), "tcp", hostOf(n.ConnectionString()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Stop()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("the node waits for connections that say nothing")
	}
}
