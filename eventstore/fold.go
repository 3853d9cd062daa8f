package eventstore

import (
	"context"
	"iter"

	"github.com/waybill-dev/waybill/domain"
)

// Snapshot is a state and the revision of the last event in it. NoStream is
// the revision before the first event.
type Snapshot[S any] struct {
	State    S
	Revision Revision
}

// Load folds the whole stream of the aggregate with that id. It answers the
// zero state and NoStream when there is no such stream.
func Load[S, C any, E domain.Event](
	ctx context.Context, store Store, decider domain.Decider[S, C, E], id string,
) (S, Revision, error) {
	return Resume(ctx, store, decider, id, Snapshot[S]{Revision: NoStream})
}

// Resume folds what came after a snapshot into it. On an error the state is
// that of the snapshot, so that nobody goes on with half a fold.
func Resume[S, C any, E domain.Event](
	ctx context.Context, store Store, decider domain.Decider[S, C, E], id string, snapshot Snapshot[S],
) (S, Revision, error) {
	state, revision := snapshot.State, snapshot.Revision
	for own, err := range Events(ctx, store, decider, id, revision+1) {
		if err != nil {
			return snapshot.State, snapshot.Revision, err
		}
		state, revision = decider.Evolve(state, own.Event), own.Revision
	}
	return state, revision, nil
}

// Own is an event of an aggregate, decoded.
type Own[E domain.Event] struct {
	Recorded
	Event E
}

// Events yields the events of the aggregate with that id from a revision on, in
// their order. It ends with the first error: that of the store, or an
// [UnreadableError] for an event that is none of the aggregate's.
func Events[S, C any, E domain.Event](
	ctx context.Context, store Store, decider domain.Decider[S, C, E], id string, from Revision,
) iter.Seq2[Own[E], error] {
	return func(yield func(Own[E], error) bool) {
		for recorded, err := range store.ReadStream(ctx, decider.Stream(id), from) {
			own, err := ownOf[E](recorded, decider.Category, err)
			if !yield(own, err) || err != nil {
				return
			}
		}
	}
}

func ownOf[E domain.Event](recorded Recorded, category string, err error) (Own[E], error) {
	own := Own[E]{Recorded: recorded}
	if err != nil {
		return own, err
	}
	event, err := recorded.Decode()
	if err != nil {
		return own, err
	}
	var ok bool
	if own.Event, ok = event.(E); !ok {
		return own, recorded.Foreign(category)
	}
	return own, nil
}
