package grpcapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// TestBackupsUnderLoadAreMomentsOfTheLog backs up beside writers, a group that
// is at work, and metadata nearly as large as an append may be. Each backup is
// the log up to some place, in which the group goes on: what it has not done is
// delivered.
func TestBackupsUnderLoadAreMomentsOfTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := nodetest.New(t, nodetest.Config{Dir: filepath.Join(dir, "events"), Node: small()})
	c := connect(t, n.ConnectionString())
	if _, err := c.SetStreamMetadata(deadline(t), "described", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, largeMetadata()); err != nil {
		t.Fatal(err)
	}
	createWorkers(t, c)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	for w := range 3 {
		busy.Go(func() { keepWriting(ctx, t, c, w) })
	}
	busy.Go(func() { keepWorking(ctx, t, c) })
	var backups []string
	for i := range 4 {
		backups = append(backups, filepath.Join(dir, fmt.Sprintf("backup-%d", i)))
		s, release, err := operator(t, n.ConnectionString()).Snapshot(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := node.CopySnapshot(deadline(t), vfs.Default, s, backups[i], nil); err != nil {
			t.Fatal(err)
		}
		release()
		for range 30 { // the log grows meanwhile
			if _, err := c.AppendToStream(deadline(t), "own", esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "Happened"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	busy.Wait()
	all := wholeLog(t, c)
	for _, backup := range backups {
		restored := node.Config{Dir: backup + ".restored", Now: time.Now}
		if _, err := node.Restore(deadline(t), restored, backup, nil); err != nil {
			t.Fatal(err)
		}
		if report, err := node.VerifyDir(deadline(t), restored, node.Verification{}); err != nil || !report.OK() {
			t.Fatalf("what was restored is %+v, %v", report, err)
		}
		back := connect(t, nodetest.New(t, nodetest.Config{Dir: restored.Dir, Node: small()}).ConnectionString())
		isBeginning(t, wholeLog(t, back), all)
		if m := lastData(t, back, "$$described"); len(m) < 900_000 || m != lastData(t, c, "$$described") {
			t.Errorf("the metadata is another one, of %d bytes", len(m))
		}
		goesOn(t, back)
	}
}

// largeMetadata is as long as fits into an append.
func largeMetadata() esdb.StreamMetadata {
	var m esdb.StreamMetadata
	m.SetMaxCount(7)
	var acl esdb.Acl
	for i := range 30_000 {
		acl.AddReadRoles(fmt.Sprintf("a-role-with-a-long-name-%06d", i))
	}
	m.SetAcl(acl)
	return m
}

func createWorkers(t *testing.T, c *esdb.Client) {
	t.Helper()
	settings := esdb.SubscriptionSettingsDefault()
	settings.CheckpointLowerBound, settings.CheckpointUpperBound = 1, 5
	err := c.CreatePersistentSubscription(deadline(t), "work", "g", esdb.PersistentStreamSubscriptionOptions{Settings: &settings, StartFrom: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
}

func keepWriting(ctx context.Context, t *testing.T, c *esdb.Client, writer int) {
	t.Helper()
	for i := 0; ctx.Err() == nil; i++ {
		for _, stream := range []string{"work", "described", fmt.Sprintf("own-%d", writer)} {
			e := esdb.EventData{EventType: "Happened", Data: bytes.Repeat([]byte("x"), 1+(i*977)%3000)}
			if _, err := c.AppendToStream(context.Background(), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// keepWorking acknowledges most and parks some.
func keepWorking(ctx context.Context, t *testing.T, c *esdb.Client) {
	t.Helper()
	sub, err := c.SubscribeToPersistentSubscription(ctx, "work", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer sub.Close()
	for {
		e := sub.Recv()
		switch {
		case e.SubscriptionDropped != nil:
			return
		case e.EventAppeared == nil:
		case e.EventAppeared.Event.Event.EventNumber%5 == 3:
			_ = sub.Nack("because", esdb.NackActionPark, e.EventAppeared.Event)
		default:
			_ = sub.Ack(e.EventAppeared.Event)
		}
	}
}

func wholeLog(t *testing.T, c *esdb.Client) []*esdb.ResolvedEvent {
	t.Helper()
	s, err := c.ReadAll(deadline(t), esdb.ReadAllOptions{}, 1<<40)
	return collect(t, s, err)
}

// isBeginning compares all but the event that says that it was restored.
func isBeginning(t *testing.T, got, want []*esdb.ResolvedEvent) {
	t.Helper()
	if last := len(got) - 1; got[last].Event.EventType == node.TypeRestored {
		got = got[:last]
	} else {
		t.Errorf("the last event is a %s", got[last].Event.EventType)
	}
	if len(got) > len(want) {
		t.Fatalf("the backup has %d events, the log %d", len(got), len(want))
	}
	for i, r := range got {
		w := want[i].Event
		if g := r.Event; g.EventID != w.EventID || g.Position != w.Position || g.StreamID != w.StreamID || g.EventNumber != w.EventNumber || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("event %d is %s of %s at %v, it was %s of %s at %v", i, g.EventID, g.StreamID, g.Position, w.EventID, w.StreamID, w.Position)
		}
	}
}

// goesOn checks that the group delivers what is behind its checkpoint, all of
// it, and that what it has parked can be had again.
func goesOn(t *testing.T, c *esdb.Client) {
	t.Helper()
	s, err := c.ReadStream(deadline(t), "work", esdb.ReadStreamOptions{}, 1<<40)
	var due []uint64
	from := uint64(0)
	if at := lastData(t, c, "$persistentsubscription-work::g-checkpoint"); at != "" {
		if _, err := fmt.Sscanf(at, "%q", &at); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(at, &from)
		from++
	}
	for _, e := range collect(t, s, err) {
		if e.Event.EventNumber >= from {
			due = append(due, e.Event.EventNumber)
		}
	}
	m := joinGroup(t, c, "work", "g", 10)
	for _, want := range due {
		e := m.next()
		if e.Event.Event.EventNumber != want {
			t.Fatalf("the group goes on with %d, want %d", e.Event.Event.EventNumber, want)
		}
		m.ack(e.Event)
	}
	t.Logf("%d of the events were delivered again", len(due))
}

func lastData(t *testing.T, c *esdb.Client, stream string) string {
	t.Helper()
	s, err := c.ReadStream(deadline(t), stream, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.Recv()
	if known := (*esdb.Error)(nil); errors.As(err, &known) && known.Code() == esdb.ErrorCodeResourceNotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(e.Event.Data))
}
