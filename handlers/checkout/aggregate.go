package checkout

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// aggregate is one stream as this process last saw it.
type aggregate[S, C any, E domain.Event] struct {
	decider  domain.Decider[S, C, E]
	id       string
	state    S
	revision eventstore.Revision
	position eventstore.Position // of the last event this process appended
	// putOff is decided, and in the state, but goes with what is appended next.
	putOff []eventstore.NewEvent
}

// fresh returns an aggregate that nothing happened to, as far as is known.
func fresh[S, C any, E domain.Event](decider domain.Decider[S, C, E], id string) aggregate[S, C, E] {
	return aggregate[S, C, E]{decider: decider, id: id, revision: eventstore.NoStream}
}

// load reads what happened since. What was put off is forgotten.
func (a *aggregate[S, C, E]) load(ctx context.Context, store eventstore.Store) error {
	if len(a.putOff) > 0 {
		*a = fresh(a.decider, a.id)
	}
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
	state, news, err := a.decide(meta, commands)
	if err != nil || len(news) == 0 {
		return "", err
	}
	done, err := store.Append(ctx, a.decider.Stream(a.id), a.revision, slices.Concat(a.putOff, news)...)
	if err != nil {
		return "", err
	}
	a.state, a.revision, a.position, a.putOff = state, done.Revision, done.Position, nil
	return news[len(news)-1].ID.String(), nil
}

// later is do, but for the append: that waits for the next one.
func (a *aggregate[S, C, E]) later(meta eventstore.Metadata, commands ...C) (string, error) {
	state, news, err := a.decide(meta, commands)
	if err != nil || len(news) == 0 {
		return "", err
	}
	a.state, a.putOff = state, append(a.putOff, news...)
	return news[len(news)-1].ID.String(), nil
}

// flush appends what was put off.
func (a *aggregate[S, C, E]) flush(ctx context.Context, store eventstore.Store) error {
	if len(a.putOff) == 0 {
		return nil
	}
	done, err := store.Append(ctx, a.decider.Stream(a.id), a.revision, a.putOff...)
	if err == nil {
		a.revision, a.position, a.putOff = done.Revision, done.Position, nil
	}
	return err
}

func (a *aggregate[S, C, E]) decide(meta eventstore.Metadata, commands []C) (S, []eventstore.NewEvent, error) {
	state := a.state
	var all []E
	for _, c := range commands {
		events, err := a.decider.Decide(state, c)
		if err != nil {
			return a.state, nil, err
		}
		state = a.decider.Fold(state, events...)
		all = append(all, events...)
	}
	return state, eventstore.NewEvents(a.decider.Stream(a.id), meta, all...), nil
}
