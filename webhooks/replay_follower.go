package webhooks

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// isReplay tells the events that start or end a replay.
func isReplay(stored string) bool {
	switch stored {
	case endpoint.ReplayRequested{}.EventName(), endpoint.ReplayCancelled{}.EventName(), endpoint.ReplayCompleted{}.EventName():
		return true
	}
	return false
}

// replay says what an event of a replay means for its cursor, given how the
// replay stands by now: one that has ended meanwhile is not started any more,
// and one that made progress before its cursor was lost goes on there.
func (f *follower) replay(ctx context.Context, r eventstore.Recorded) (ledger.Change, error) {
	event, err := r.Decode()
	if err != nil {
		return ledger.Change{}, err
	}
	endpointID := message.AggregateID(r.Stream)
	s, _, err := eventstore.Load(ctx, f.d.Store, endpoint.Decider, endpointID)
	if err != nil {
		return ledger.Change{}, fmt.Errorf("load endpoint %s: %w", endpointID, err)
	}
	requested, ok := event.(endpoint.ReplayRequested)
	if !ok {
		id := endedReplay(event)
		ended, _ := s.Replay(id)
		return ledger.Change{Ended: &ledger.Key{EndpointID: endpointID, RunID: id}, EndedAt: ended.EndedAt, Repeated: repeated(ended)}, nil
	}
	key := ledger.Key{EndpointID: endpointID, RunID: requested.ReplayID}
	replay, _ := s.Replay(requested.ReplayID)
	if replay.Status != endpoint.StatusReplayRunning {
		return ledger.Change{Ended: &key, EndedAt: replay.EndedAt}, nil
	}
	spec, err := json.Marshal(requested.ReplaySpec)
	if err != nil {
		return ledger.Change{}, fmt.Errorf("encode replay %s: %w", key.RunID, err)
	}
	until := r.Position
	if requested.To > 0 {
		until = min(until, eventstore.Position(requested.To))
	}
	from := eventstore.Position(requested.From)
	if !requested.FromTime.IsZero() {
		if from, err = f.d.Before(ctx, requested.FromTime); err != nil {
			return ledger.Change{}, err
		}
	}
	from = min(from, until)
	return ledger.Change{Started: &ledger.Run{
		Key: key, From: from, Until: until, Spec: string(spec),
		Through: max(from, eventstore.Position(replay.Through)), Delivered: replay.Delivered,
	}}, nil
}

// repeated says whether a replay has sent everything that was not delivered
// between its bounds.
func repeated(r endpoint.Replay) bool {
	return r.Status == endpoint.StatusReplayCompleted && r.Only == endpoint.OnlyUndelivered &&
		len(r.Types) == 0 && r.Aggregate == "" && r.FromTime.IsZero() && r.ToTime.IsZero()
}

func endedReplay(event any) string {
	switch e := event.(type) {
	case endpoint.ReplayCancelled:
		return e.ReplayID
	case endpoint.ReplayCompleted:
		return e.ReplayID
	}
	return ""
}
