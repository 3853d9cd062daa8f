package eventstore

import (
	"context"

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
	stream := decider.Stream(id)
	state, revision := snapshot.State, snapshot.Revision
	for recorded, err := range store.ReadStream(ctx, stream, revision+1) {
		if err != nil {
			return snapshot.State, snapshot.Revision, err
		}
		event, err := recorded.Decode()
		if err != nil {
			return snapshot.State, snapshot.Revision, err
		}
		own, ok := event.(E)
		if !ok {
			return snapshot.State, snapshot.Revision, recorded.Foreign(decider.Category)
		}
		state, revision = decider.Evolve(state, own), recorded.Revision
	}
	return state, revision, nil
}
