package endpoint_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

var (
	later      = noon.Add(time.Hour)
	known      = []string{"order.cancelled", "order.placed"}
	requested  = replayRequested("r1")
	progressed = endpoint.ReplayProgressed{EndpointID: "e1", ReplayID: "r1", Through: 50, Delivered: 7, GivenUp: 1, ProgressedAt: later}
	cancelled  = endpoint.ReplayCancelled{EndpointID: "e1", ReplayID: "r1", Delivered: 9, CancelledAt: later}
	completed  = endpoint.ReplayCompleted{EndpointID: "e1", ReplayID: "r1", Delivered: 20, GivenUp: 1, CompletedAt: later}
)

func replayRequested(id string) endpoint.ReplayRequested {
	return endpoint.ReplayRequested{EndpointID: "e1", ReplayID: id, ReplaySpec: endpoint.ReplaySpec{From: 12, Types: []string{"order.placed"}}, RequestedAt: noon}
}

func request(change func(*endpoint.RequestReplay)) endpoint.RequestReplay {
	c := endpoint.RequestReplay{ReplayID: "r1", ReplaySpec: endpoint.ReplaySpec{From: 12, Types: []string{"order.placed"}}, KnownTypes: known, At: noon}
	if change != nil {
		change(&c)
	}
	return c
}

func TestReplay(t *testing.T) {
	t.Parallel()
	given := func(events ...endpoint.Event) []endpoint.Event { return append([]endpoint.Event{created}, events...) }
	many := given()
	for i := range endpoint.MostReplays {
		many = append(many, replayRequested(fmt.Sprint("m", i)))
	}
	complete := endpoint.CompleteReplay{ReplayID: "r1", Delivered: 20, GivenUp: 1, At: later}
	cancel := endpoint.CancelReplay{ReplayID: "r1", Delivered: 9, At: later}
	decidertest.Run(t, endpoint.Decider, []decidertest.Case[endpoint.Command, endpoint.Event]{
		{Name: "a replay is asked for", Given: given(), When: request(nil), Then: []endpoint.Event{requested}},
		{Name: "a replay that ended is not asked for again", Given: given(requested, completed), When: request(nil)},
		{Name: "a replay of nothing that exists is refused", When: request(nil), Refused: endpoint.ErrNotFound},
		{Name: "a deleted endpoint is not replayed to", Given: given(deleted), When: request(nil), Refused: endpoint.ErrNotFound},
		{Name: "a disabled endpoint is not replayed to", Given: given(disabled), When: request(nil), Refused: endpoint.ErrDisabled},
		{Name: "too many replays at once are refused", Given: many, When: request(nil), Refused: endpoint.ErrReplays},
		{
			Name: "one that ended makes room", Given: append(slices.Clip(many), endpoint.ReplayCancelled{EndpointID: "e1", ReplayID: "m0"}),
			When: request(nil), Then: []endpoint.Event{requested},
		},
		{
			Name: "everything that is wrong is told at once", Given: given(),
			When: request(func(c *endpoint.RequestReplay) {
				c.Types = []string{"order.placed", "order.eaten", "order.placed", "order.cancelled"}
				c.To, c.Rate, c.Aggregate = 12, -1, " o1"
			}),
			Refused: endpoint.ErrReplayInvalid.Because(
				mistake("/types/1", endpoint.CodeUnknownType, `there is no event type "order.eaten"`),
				mistake("/types/2", endpoint.CodeRepeated, `"order.placed" is named twice`),
				mistake("/types/3", endpoint.CodeNotWanted, "the endpoint does not want order.cancelled: add it to its event_types first"),
				mistake("/to", endpoint.CodeEmptySpan, "must be after from"),
				mistake("/rate", endpoint.CodeRateTooLow, "must be above 0"),
				mistake("/aggregate", endpoint.CodeAggregate, "must be the id of an aggregate, without blanks around it"),
			),
		},
		{
			Name: "a span of time that is none is refused", Given: given(),
			When:    request(func(c *endpoint.RequestReplay) { c.FromTime, c.ToTime = later, noon }),
			Refused: endpoint.ErrReplayInvalid.Because(mistake("/to", endpoint.CodeEmptySpan, "must be after from")),
		},
		{
			Name: "progress is noted", Given: given(requested),
			When: endpoint.ProgressReplay{ReplayID: "r1", Through: 50, Delivered: 7, GivenUp: 1, At: later}, Then: []endpoint.Event{progressed},
		},
		{Name: "progress of a replay that ended is none", Given: given(requested, cancelled), When: endpoint.ProgressReplay{ReplayID: "r1", Through: 50, At: later}},
		{Name: "a replay completes", Given: given(requested, progressed), When: complete, Then: []endpoint.Event{completed}},
		{Name: "a cancelled replay does not complete", Given: given(requested, cancelled), When: complete},
		{Name: "a replay is cancelled", Given: given(requested), When: cancel, Then: []endpoint.Event{cancelled}},
		{
			Name: "where a replay ended is noted", Given: given(requested), When: endpoint.CompleteReplay{ReplayID: "r1", Through: 90, At: later},
			Then: []endpoint.Event{endpoint.ReplayCompleted{EndpointID: "e1", ReplayID: "r1", Through: 90, CompletedAt: later}},
		},
		{
			Name: "where a replay was cancelled is noted", Given: given(requested), When: endpoint.CancelReplay{ReplayID: "r1", Through: 60, Until: 90, At: later},
			Then: []endpoint.Event{endpoint.ReplayCancelled{EndpointID: "e1", ReplayID: "r1", Through: 60, Until: 90, CancelledAt: later}},
		},
		{Name: "a completed replay cannot be cancelled any more, which is harmless", Given: given(requested, completed), When: cancel},
		{Name: "a replay nobody asked for cannot be cancelled", Given: given(), When: cancel, Refused: endpoint.ErrReplayNotFound},
		{Name: "a replay nobody asked for cannot complete", Given: given(), When: complete, Refused: endpoint.ErrReplayNotFound},
		{Name: "a replay nobody asked for has no progress", Given: given(), When: endpoint.ProgressReplay{ReplayID: "r1", Through: 1}, Refused: endpoint.ErrReplayNotFound},
	})
}

func TestReplaysFollowTheEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []endpoint.Event
		want   endpoint.Replay
	}{
		"running":   {nil, endpoint.Replay{Status: endpoint.StatusReplayRunning, Through: 12}},
		"under way": {[]endpoint.Event{progressed}, endpoint.Replay{Status: endpoint.StatusReplayRunning, Through: 50, Delivered: 7, GivenUp: 1}},
		"completed": {[]endpoint.Event{progressed, completed}, endpoint.Replay{Status: endpoint.StatusReplayCompleted, Through: 50, Delivered: 20, GivenUp: 1, EndedAt: later}},
		"cancelled": {[]endpoint.Event{cancelled}, endpoint.Replay{Status: endpoint.StatusReplayCancelled, Through: 12, Delivered: 9, EndedAt: later}},
		"completed there": {[]endpoint.Event{endpoint.ReplayCompleted{ReplayID: "r1", Through: 90, CompletedAt: later}}, endpoint.Replay{
			Status: endpoint.StatusReplayCompleted, Through: 90, Until: 90, EndedAt: later,
		}},
		"cancelled there": {[]endpoint.Event{progressed, endpoint.ReplayCancelled{ReplayID: "r1", Through: 60, Until: 90, CancelledAt: later}}, endpoint.Replay{
			Status: endpoint.StatusReplayCancelled, Through: 60, Until: 90, Delivered: 7, GivenUp: 1, EndedAt: later,
		}},
		"of a lost place": {[]endpoint.Event{progressed, endpoint.ReplayCancelled{ReplayID: "r1", CancelledAt: later}}, endpoint.Replay{Status: endpoint.StatusReplayCancelled, Through: 50, Delivered: 7, GivenUp: 1, EndedAt: later}},
		"with the endpoint": {[]endpoint.Event{endpoint.Deleted{EndpointID: "e1", DeletedAt: later}}, endpoint.Replay{
			Status: endpoint.StatusReplayCancelled, Through: 12, EndedAt: later,
		}},
	} {
		before := endpoint.Decider.Fold(endpoint.State{}, created, requested, replayRequested("other"))
		c.want.ReplayRequested = requested
		got, ok := endpoint.Decider.Fold(before, c.events...).Replay("r1")
		if diff := cmp.Diff(c.want, got); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if old, _ := before.Replay("r1"); old.Status != endpoint.StatusReplayRunning || old.Through != 12 {
			t.Errorf("%s changed the state before: %+v", name, old)
		}
	}
	if _, ok := (endpoint.State{}).Replay("r1"); ok {
		t.Error("a replay of nothing")
	}
}

// TestAStateKnowsTheLastReplays, those that run, and the log any.
func TestAStateKnowsTheLastReplays(t *testing.T) {
	t.Parallel()
	events := []endpoint.Event{created, replayRequested("running")}
	id := func(n int) string { return fmt.Sprint("r", n) }
	for n := range 2 * endpoint.KnownReplays {
		events = append(events, replayRequested(id(n)), endpoint.ReplayCompleted{EndpointID: "e1", ReplayID: id(n), Delivered: n, CompletedAt: later})
	}
	state := endpoint.Decider.Fold(endpoint.State{}, events...)
	if len(state.Replays) != endpoint.KnownReplays {
		t.Errorf("it knows %d replays", len(state.Replays))
	}
	for id, want := range map[string]bool{"running": true, id(0): false, id(endpoint.KnownReplays): false, id(endpoint.KnownReplays + 1): true, id(2*endpoint.KnownReplays - 1): true} {
		if _, known := state.Replay(id); known != want {
			t.Errorf("it knows %s: %t", id, known)
		}
	}
	var old, none endpoint.Replay
	for _, e := range events {
		old, none = endpoint.FollowReplay(old, id(7), e), endpoint.FollowReplay(none, "none", e)
	}
	want := endpoint.Replay{ReplayRequested: replayRequested(id(7)), Status: endpoint.StatusReplayCompleted, Through: 12, Delivered: 7, EndedAt: later}
	if diff := cmp.Diff(want, old); diff != "" || none.ReplayID != "" {
		t.Errorf("%+v; (-want +got):\n%s", none, diff)
	}
}

func TestAStateKnowsWhatWasGivenUpLast(t *testing.T) {
	t.Parallel()
	state := endpoint.Decider.Fold(endpoint.State{}, created)
	const most = 10_000
	for n := range most + 5 {
		state = endpoint.Decider.Evolve(state, endpoint.DeliveryExhausted{EndpointID: "e1", Exhausted: endpoint.Exhausted{EventID: fmt.Sprint(n)}})
	}
	known := state.Operation.Exhausted
	if len(known) != most || known[0] != "5" || known[most-1] != fmt.Sprint(most+4) {
		t.Errorf("it knows %d, from %s to %s", len(known), known[0], known[len(known)-1])
	}
}
