package stock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// known is an item after one of its events.
type known struct {
	state    stock.State
	revision eventstore.Revision
	last     uuid.UUID // the event's id
}

// errSilent says that the store sent nothing for too long.
var errSilent = fmt.Errorf("the store is silent: %w", eventstore.ErrUnavailable)

// errForeign says that the log is not the one a snapshot was taken of.
var errForeign = errors.New("the log does not have the snapshot's last event")

// read brings what is known of the item up to date. It may take as long as the
// store goes on sending, and where it is interrupted the next read goes on from
// there.
func (l *lane) read(ctx context.Context) error {
	now := l.config.Now()
	k := l.known
	if !l.loaded && k.revision == eventstore.NoStream {
		k = l.snapshotted(ctx)
		l.snapped, l.retained = k.revision, k.revision != eventstore.NoStream
	}
	after, err := l.fold(ctx, k)
	if errors.Is(err, errForeign) {
		l.writer.snapshot(l.item, err)
		l.snapped = eventstore.NoStream
		after, err = l.fold(ctx, known{revision: eventstore.NoStream})
	}
	if err != nil {
		l.known = after
		return fmt.Errorf("read stock %s: %w", l.id, err)
	}
	l.learn(after, now)
	return nil
}

// fold folds what came after an event, which must be there itself. With an
// error it returns as far as it got.
func (l *lane) fold(ctx context.Context, k known) (known, error) {
	from := k.revision
	proven := from == eventstore.NoStream
	err := l.events(ctx, max(from, 0), func(r eventstore.Recorded, e stock.Event) error {
		if !proven && (r.Revision != from || r.ID != k.last) {
			return errForeign
		}
		if proven {
			k = known{stock.Decider.Evolve(k.state, e), r.Revision, r.ID}
		}
		proven = true
		return nil
	})
	if err == nil && !proven {
		err = errForeign
	}
	return k, err
}

// events reads the item's events from a revision on.
func (l *lane) events(ctx context.Context, from eventstore.Revision, each func(eventstore.Recorded, stock.Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(l.config.Timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	for recorded, err := range l.config.Store.ReadStream(ctx, stock.Decider.Stream(l.id), from) {
		if err != nil {
			return err
		}
		silence.Reset(l.config.Timeout)
		event, err := recorded.Decode()
		if err != nil {
			return err
		}
		own, ok := event.(stock.Event)
		if !ok {
			return recorded.Foreign(stock.Decider.Category)
		}
		if err := each(recorded, own); err != nil {
			return err
		}
	}
	return nil
}
