package eventstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	client := start(t)
	first := mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 3)...)
	second := mustAppend(t, client, "order-1", first.Revision, events("order-1", "c2", 3, 2)...)
	if first.Revision != 2 || second.Revision != 4 || second.Position <= first.Position {
		t.Errorf("answers %+v, %+v", first, second)
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var last []eventstore.Recorded
	for r, err := range client.ReadBackwards(t.Context(), "order-1", 2) {
		if err != nil {
			t.Fatal(err)
		}
		last = append(last, r)
	}
	if len(last) != 2 || last[0].Revision != 4 || last[1].Revision != 3 {
		t.Fatalf("last events %+v", last)
	}
	if last[0].Position != second.Position {
		t.Errorf("position %d read, %d answered", last[0].Position, second.Position)
	}
	meta, err := last[1].Metadata()
	if err != nil {
		t.Fatal(err)
	}
	want := eventstore.Metadata{CommandID: "c2", CorrelationID: "order-1", Schema: 1}
	if diff := cmp.Diff(want, meta); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if last[1].ID != eventstore.EventID("order-1", "c2", 0) {
		t.Errorf("id %s", last[1].ID)
	}
}

// The JSON of an event need not be made twice.
func TestTheContentThatWasMadeIsStored(t *testing.T) {
	t.Parallel()
	client := start(t)
	all := events("order-1", "c1", 0, 2)
	made, err := json.Marshal(all[1].Event)
	if err != nil {
		t.Fatal(err)
	}
	all[0].Content = made
	mustAppend(t, client, "order-1", eventstore.NoStream, all...)
	if diff := cmp.Diff([]string{"1", "1"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadFromRevision(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 5)...)
	for from, want := range map[eventstore.Revision]int{0: 5, 3: 2, 4: 1, 5: 0, 9: 0} {
		got := 0
		for r, err := range client.ReadStream(t.Context(), "order-1", from) {
			if err != nil {
				t.Fatal(err)
			}
			if got == 0 && r.Revision != from {
				t.Errorf("from %d: first is %d", from, r.Revision)
			}
			got++
		}
		if got != want {
			t.Errorf("from %d: %d events, want %d", from, got, want)
		}
	}
}

func TestReadMayStopEarly(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 500)...)
	for range 100 {
		for _, err := range client.ReadStream(t.Context(), "order-1", 0) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
}

func TestMissingStreamIsEmpty(t *testing.T) {
	t.Parallel()
	client := start(t)
	for e, err := range client.ReadStream(t.Context(), "order-none", 0) {
		t.Errorf("read %v, %v", e, err)
	}
	for e, err := range client.ReadBackwards(t.Context(), "order-none", 5) {
		t.Errorf("read %v, %v backwards", e, err)
	}
	for _, name := range []string{"order-\x01", "order-\xff", ""} {
		for e, err := range client.ReadStream(t.Context(), name, 0) {
			t.Errorf("read %v, %v of %q", e, err, name)
		}
	}
}

func TestAppendConflicts(t *testing.T) {
	t.Parallel()
	for name, expected := range map[string]eventstore.Revision{
		"the stream is there already": eventstore.NoStream,
		"the stream went on":          0,
		"the stream is not so far":    7,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t)
			mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 2)...)
			_, err := client.Append(t.Context(), "order-1", expected, events("order-1", "c2", 0, 1)...)
			if !errors.Is(err, eventstore.ErrConflict) || errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("the stream is not there", func(t *testing.T) {
		t.Parallel()
		_, err := start(t).Append(t.Context(), "order-1", eventstore.StreamExists, events("order-1", "c", 0, 1)...)
		if !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAppendTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	client := start(t)
	news := events("order-1", "c1", 0, 2)
	first := mustAppend(t, client, "order-1", eventstore.NoStream, news...)
	mustAppend(t, client, "order-1", 1, events("order-1", "c2", 2, 1)...)
	again := mustAppend(t, client, "order-1", eventstore.NoStream, news...)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-first +again)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, names(t, client, "order-1")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	client := start(t)
	unnamed := events("order-1", "c1", 0, 1)
	unnamed[0].ID = [16]byte{}
	unknown := events("order-1", "c1", 0, 1)
	unknown[0].Event = impostor{}
	for name, news := range map[string][]eventstore.NewEvent{
		"an event without an id": unnamed, "an event nobody registered": unknown, "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client.Append(t.Context(), "order-1", eventstore.Any, news...)
			if err == nil || errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrConflict) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCallsObeyTheContext(t *testing.T) {
	t.Parallel()
	client := start(t)
	mustAppend(t, client, "order-1", eventstore.NoStream, events("order-1", "c1", 0, 2)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Append(ctx, "order-1", 1, events("order-1", "c2", 0, 1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	for _, err := range client.ReadStream(ctx, "order-1", 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v", err)
		}
	}
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("a cancelled call broke the connection: %v", err)
	}
}

func TestClosedClient(t *testing.T) {
	t.Parallel()
	client := start(t)
	if err := client.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	if err := client.Ping(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
