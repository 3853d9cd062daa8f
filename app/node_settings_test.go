package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/alecthomas/kong"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/configs"
)

// nodeWith starts a node with settings as they are on the command line.
func nodeWith(t *testing.T, settings ...string) (*app.Node, *esdb.Client) {
	t.Helper()
	var cfg configs.Config
	parser, err := kong.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(settings, "--node-addr", "127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	n, err := app.StartNode(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := esdb.ParseConnectionString(n.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	parsed.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return n, c
}

func stopNode(t *testing.T, n *app.Node) {
	t.Helper()
	if err := n.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func happened(size int) esdb.EventData {
	return esdb.EventData{EventType: "Happened", ContentType: esdb.ContentTypeBinary, Data: bytes.Repeat([]byte("x"), size)}
}

// eventsOf counts what the whole log has of a stream.
func eventsOf(t *testing.T, c *esdb.Client, stream string) (count int) {
	t.Helper()
	all, err := c.ReadAll(t.Context(), esdb.ReadAllOptions{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for {
		e, err := all.Recv()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.OriginalEvent().StreamID == stream {
			count++
		}
	}
}

func TestANodeIsScavengedAtItsStartWhenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, c := nodeWith(t, "--data-dir", dir)
	meta := esdb.StreamMetadata{}
	meta.SetMaxCount(1)
	if _, err := c.SetStreamMetadata(t.Context(), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, meta); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, happened(10)); err != nil {
			t.Fatal(err)
		}
	}
	if got := eventsOf(t, c, "s"); got != 3 {
		t.Fatalf("the log has %d events, want 3", got)
	}
	stopNode(t, n)
	n, c = nodeWith(t, "--data-dir", dir, "--node-scavenge-every", "1h")
	defer stopNode(t, n)
	for began := time.Now(); eventsOf(t, c, "s") != 1; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("nothing was scavenged")
		}
	}
}

func TestANodeHasTheBoundsOfItsSettings(t *testing.T) {
	t.Parallel()
	n, c := nodeWith(t, "--data-dir", t.TempDir(), "--node-max-append-bytes", "2048", "--node-max-groups", "1", "--node-max-group-clients", "1")
	defer stopNode(t, n)
	if _, err := c.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, happened(2000)); err != nil {
		t.Error(err)
	}
	if _, err := c.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, happened(3000)); err == nil || !strings.Contains(err.Error(), "Maximum Append Size of 2048 Exceeded.") {
		t.Errorf("an append beyond the bound answered %v", err)
	}
	if err := c.CreatePersistentSubscription(t.Context(), "s", "one", esdb.PersistentStreamSubscriptionOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.CreatePersistentSubscription(t.Context(), "s", "two", esdb.PersistentStreamSubscriptionOptions{}); err == nil || !strings.Contains(err.Error(), "at most 1 groups") {
		t.Errorf("a group beyond the bound answered %v", err)
	}
	first, err := c.SubscribeToPersistentSubscription(t.Context(), "s", "one", esdb.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if second, err := c.SubscribeToPersistentSubscription(t.Context(), "s", "one", esdb.SubscribeToPersistentSubscriptionOptions{}); err == nil {
		_ = second.Close()
		t.Error("a client beyond the bound was let in")
	}
}

func TestANodeRefusesAppendsWhileItsDiskHasLessThanItsSettingSays(t *testing.T) {
	t.Parallel()
	n, c := nodeWith(t, "--data-dir", t.TempDir(), "--node-min-free-bytes", "1152921504606846976")
	defer stopNode(t, n)
	if _, err := c.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, happened(10)); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("the append answered %v", err)
	}
}
