package stock

import (
	"context"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// recall is what the log tells, up to a revision, of something that an item has
// forgotten.
type recall struct {
	memory   stock.Memory
	revision eventstore.Revision
}

// recall looks something forgotten up for the caller of a request, and returns
// the request to be made then. That reads the whole item, beside its lane,
// which does not wait for it. Where too much happened meanwhile it is asked
// again, and reads what came since.
func (w *Writer) recall(item Item, r *request, memory stock.Memory) (*request, error) {
	select {
	case w.lookups <- struct{}{}:
		defer func() { <-w.lookups }()
	case <-r.ctx.Done():
		return nil, late(r.ctx)
	}
	w.counts.lookups.Add(1)
	found := recall{memory: memory, revision: eventstore.NoStream}
	if r.recall != nil && r.recall.memory.Key == memory.Key {
		found = *r.recall
	}
	if err := newLane(w, item).lookUp(r.ctx, &found); err != nil {
		return nil, err
	}
	return &request{ctx: r.ctx, meta: r.meta, command: r.command, since: r.since, expected: r.expected, recall: &found}, nil
}

func (l *lane) lookUp(ctx context.Context, found *recall) error {
	return l.events(ctx, found.revision+1, func(r eventstore.Recorded, e stock.Event) error {
		found.memory, found.revision = found.memory.With(e), r.Revision
		return nil
	})
}

// recalled returns the state to decide a request on. What was looked up holds
// as long as nothing can have been made and forgotten since: of so many events,
// or in so much time, which the state itself looks at.
func (l *lane) recalled(s stock.State, r *request) stock.State {
	if r.recall == nil || l.known.revision-r.recall.revision > stock.Remembered/2 {
		return s
	}
	return s.Recall(r.recall.memory)
}
