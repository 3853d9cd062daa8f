package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
)

// replay is what a courier sends that repeats history. A nil replay is the live
// run.
type replay struct {
	endpoint.ReplaySpec
	run  ledger.Run
	ping *ping // it sends only that
}

// replayOf reads what a run sends; nil is everything, for ever.
func replayOf(run ledger.Run) (*replay, error) {
	if run.RunID == ledger.Live {
		return nil, nil //nolint:nilnil // see above
	}
	r := &replay{run: run}
	if IsPing(run.RunID) {
		r.ping = &ping{}
		if err := json.Unmarshal([]byte(run.Spec), r.ping); err != nil {
			return nil, fmt.Errorf("read what %s sends: %w", run.RunID, err)
		}
		return r, nil
	}
	if err := json.Unmarshal([]byte(run.Spec), &r.ReplaySpec); err != nil {
		return nil, fmt.Errorf("read what %s sends: %w", run.RunID, err)
	}
	return r, nil
}

// wants says whether an event is among those to repeat.
func (r *replay) wants(it *item) bool {
	isPing := it.kind.Stored == endpoint.VerificationAsked{}.EventName()
	switch {
	case isPing || (r != nil && r.ping != nil):
		return isPing && r != nil && r.ping != nil // which was sent before anything else, and counts as sent
	case r == nil:
		return true
	case it.Position > r.run.Until || it.Created.Before(r.FromTime), !r.ToTime.IsZero() && it.Created.After(r.ToTime):
		return false
	case len(r.Types) > 0 && !slices.Contains(r.Types, it.kind.Public):
		return false
	}
	return r.Aggregate == "" || r.Aggregate == message.AggregateID(it.Stream)
}

// messageID is what a message is called: a receiver takes a new name for
// something that happened anew.
func (r *replay) messageID(id string) string {
	if r == nil || r.Dedupe != endpoint.DedupeNew {
		return id
	}
	return id + renamed + strings.TrimPrefix(r.run.RunID, replayPrefix)
}

// renamed stands between the id that a message had the first time and what
// follows from the replay that named it anew.
const renamed = ".r"

// EventOf returns the id that a message had the first time, which is that of
// its event, whatever a replay has named it since.
func EventOf(messageID string) string {
	id, _, _ := strings.Cut(messageID, renamed)
	return id
}

// gave says whether a message may have had an id: that of the first time, or
// that of one of an endpoint's replays.
func gave(ctx context.Context, store eventstore.Store, to endpoint.State, id string) (bool, error) {
	_, of, again := strings.Cut(id, renamed)
	if !again {
		return true, nil
	}
	r, known, err := replayIn(ctx, store, to, replayPrefix+of)
	return known && r.Dedupe == endpoint.DedupeNew, err
}

// replayIn returns a replay of an endpoint, and whether there is one: from the
// log where it ended so long ago that the endpoint's state has it no more.
func replayIn(ctx context.Context, store eventstore.Store, of endpoint.State, id string) (endpoint.Replay, bool, error) {
	if r, ok := of.Replay(id); ok || len(of.Replays) < endpoint.KnownReplays {
		return r, ok, nil
	}
	var r endpoint.Replay
	for own, err := range eventstore.Events(ctx, store, endpoint.Decider, of.ID, 0) {
		if err != nil {
			return endpoint.Replay{}, false, fmt.Errorf("look for replay %s: %w", id, err)
		}
		r = endpoint.FollowReplay(r, id, own.Event)
	}
	return r, r.ReplayID != "", nil
}

// replayPrefix begins the names of runs that are replays.
const replayPrefix = "replay_"

// rate is how many attempts a replay may begin in a second; 0 is what the
// endpoint leaves.
func (r *replay) rate() int { return int(math.Ceil(r.Rate)) }
