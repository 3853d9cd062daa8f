package effects_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// written is an event of what the tests fold, and stranger one of somebody
// else.
type (
	written  struct{ Text string }
	stranger struct{ Count int }
)

func (written) EventName() string  { return "Written" }
func (stranger) EventName() string { return "Stranger" }

var texts = domain.Decider[string, struct{}, written]{
	Category: "text", Evolve: func(s string, e written) string { return s + e.Text },
}

// knows is a client at a node that knows some types of events.
func knows(t *testing.T, node string, types ...domain.EventType) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec(types...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.NewClient(eventstore.Config{ConnectionString: node, Codec: codec, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestFold tells what no repetition mends from what will pass: the first is put
// aside for a person, the other one is tried again.
func TestFold(t *testing.T) {
	t.Parallel()
	node := nodetest.Start(t)
	same := func(data json.RawMessage) (json.RawMessage, error) { return data, nil }
	newer := knows(t, node, domain.EventType{Zero: written{}, Upcasters: []domain.Upcaster{same}}, domain.EventType{Zero: stranger{}})
	ours := knows(t, node, domain.EventTypes(written{}, stranger{})...)
	less := knows(t, node, domain.EventTypes(stranger{})...)
	write := func(by *eventstore.Client, id string, events ...domain.Event) {
		t.Helper()
		for _, event := range events {
			if _, err := by.Append(t.Context(), texts.Stream(id), eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: event}); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(ours, "whole", written{"a"}, written{"b"}, written{"c"})
	write(ours, "foreign", written{"a"}, stranger{})
	write(newer, "newer", written{"a"})
	for name, row := range map[string]struct {
		by               *eventstore.Client
		id               string
		last             eventstore.Revision
		want             string
		fails, permanent bool
	}{
		"as it was right after an event": {by: ours, id: "whole", last: 1, want: "ab"},
		"whoever answers is behind":      {by: ours, id: "whole", last: 3, fails: true},
		"an event of somebody else":      {by: ours, id: "foreign", last: 1, fails: true, permanent: true},
		"an event of an unknown type":    {by: less, id: "whole", last: 1, fails: true, permanent: true},
		"an event of a newer program":    {by: ours, id: "newer", fails: true},
	} {
		state, err := effects.Fold(t.Context(), row.by, texts, row.id, row.last)
		if (err != nil) != row.fails || effects.IsPermanent(err) != row.permanent || (err == nil && state != row.want) {
			t.Errorf("%s: %q, %v, permanent %v", name, state, err, effects.IsPermanent(err))
		}
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := effects.Fold(t.Context(), ours, texts, "whole", 1); !errors.Is(err, eventstore.ErrUnavailable) || effects.IsPermanent(err) {
		t.Errorf("while the event store is away: %v", err)
	}
}
