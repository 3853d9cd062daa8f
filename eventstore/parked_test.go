package eventstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

// parkAll puts aside what comes, so many events.
func parkAll(t *testing.T, client *eventstore.Client, count int) {
	t.Helper()
	subscriber, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g", Prefixes: []string{"order-"}, Buffer: 1}, "orders")
	for range count {
		msg, d := take(t, messages)
		eventstore.Park(msg, "event "+nameOf(t, d)+" is wrong")
		msg.Nack()
	}
	waitFor(t, "all are put aside", func() bool {
		status, err := client.GroupStatus(t.Context(), "g")
		return err == nil && status.Parked == int64(count)
	})
	_ = subscriber.Close()
}

func reasons(t *testing.T, client *eventstore.Client, from eventstore.Revision) (all []string) {
	t.Helper()
	for p, err := range client.Parked(t.Context(), "g", from) {
		if err != nil {
			t.Fatal(err)
		}
		if p.At.IsZero() || p.Event.Stream != p.Stream || p.Event.Revision != p.Revision {
			t.Errorf("put aside: %+v", p)
		}
		all = append(all, name(t, p.Event)+": "+p.Reason)
	}
	return all
}

func TestParkedTellsWhatAndWhy(t *testing.T) {
	t.Parallel()
	client := start(t)
	if got := reasons(t, client, 0); got != nil {
		t.Errorf("before there is a group: %v", got)
	}
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	parkAll(t, client, 3)
	want := []string{"0: event 0 is wrong", "1: event 1 is wrong", "2: event 2 is wrong"}
	if diff := cmp.Diff(want, reasons(t, client, 0)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], reasons(t, client, 1)); diff != "" {
		t.Errorf("from the second on (-want +got)\n%s", diff)
	}
}

func TestParkedAreGivenAgain(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 3)...)
	parkAll(t, client, 3)
	_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g", Prefixes: []string{"order-"}}, "orders")
	if err := client.ReplayParked(t.Context(), "g", 2); err != nil {
		t.Fatal(err)
	}
	takeAll(t, messages, "0", "1")
	waitFor(t, "one is left", func() bool { return len(reasons(t, client, 0)) == 1 })
	if err := client.ReplayParked(t.Context(), "g", 0); err != nil {
		t.Fatal(err)
	}
	takeAll(t, messages, "2")
	waitFor(t, "none is left", func() bool { return len(reasons(t, client, 0)) == 0 })
	if err := client.ReplayParked(t.Context(), "nobody", 0); err == nil {
		t.Error("a group that does not exist was replayed")
	}
}

func TestStatusOfAGroup(t *testing.T) {
	t.Parallel()
	client := start(t)
	if got, err := client.GroupStatus(t.Context(), "g"); err != nil || got != (eventstore.GroupStatus{}) {
		t.Errorf("without a group: %+v, %v", got, err)
	}
	done := mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c", 0, 2)...)
	_, messages := join(t, eventstore.GroupConfig{Client: client, Name: "g", Prefixes: []string{"order-"}, CheckpointAfter: 1e6}, "orders")
	first, _ := take(t, messages)
	second, _ := take(t, messages)
	waitFor(t, "two are in flight", func() bool {
		got, err := client.GroupStatus(t.Context(), "g")
		return err == nil && got.Subscribers == 1 && got.InFlight == 2 && got.Checkpoint < done.Position
	})
	first.Ack()
	second.Ack()
	waitFor(t, "the group has come to the end", func() bool {
		got, err := client.GroupStatus(t.Context(), "g")
		return err == nil && got.InFlight == 0 && got.Checkpoint >= done.Position && got.End == done.Position
	})
}
