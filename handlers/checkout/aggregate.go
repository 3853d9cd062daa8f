package checkout

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
)

// aggregate is one stream as this process last saw it.
type aggregate[S, C any, E domain.Event] struct {
	decider  domain.Decider[S, C, E]
	id       string
	state    S
	revision eventstore.Revision
	position eventstore.Position // of the last event this process appended
}

// fresh returns an aggregate that nothing happened to, as far as is known.
func fresh[S, C any, E domain.Event](decider domain.Decider[S, C, E], id string) aggregate[S, C, E] {
	return aggregate[S, C, E]{decider: decider, id: id, revision: eventstore.NoStream}
}

// load reads what happened since.
func (a *aggregate[S, C, E]) load(ctx context.Context, store eventstore.Store) error {
	known := eventstore.Snapshot[S]{State: a.state, Revision: a.revision}
	state, revision, err := eventstore.Resume(ctx, store, a.decider, a.id, known)
	if err != nil {
		return fmt.Errorf("read %s: %w", a.decider.Stream(a.id), err)
	}
	a.state, a.revision = state, revision
	return nil
}

// do lets the aggregate decide commands, one after another, and appends what
// they cause in one step. It returns the id of the last event, if any.
func (a *aggregate[S, C, E]) do(
	ctx context.Context, store eventstore.Store, meta eventstore.Metadata, commands ...C,
) (string, error) {
	state := a.state
	var all []E
	for _, c := range commands {
		events, err := a.decider.Decide(state, c)
		if err != nil {
			return "", err
		}
		state = a.decider.Fold(state, events...)
		all = append(all, events...)
	}
	if len(all) == 0 {
		return "", nil
	}
	news := handlers.NewEvents(a.decider.Stream(a.id), meta, all...)
	done, err := store.Append(ctx, a.decider.Stream(a.id), a.revision, news...)
	if err != nil {
		return "", err
	}
	a.state, a.revision, a.position = state, done.Revision, done.Position
	return news[len(news)-1].ID.String(), nil
}
