package stock

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
)

// maxSnapshot is how many bytes of state fit into one append, in base64.
const maxSnapshot = (eventstore.MaxAppendBytes - 4<<10) / 4 * 3

// snapshots returns the stream of the item's snapshots.
func (l *lane) snapshots() string { return stock.SnapshotCategory + "-" + l.id }

// snapshotted returns the item as its last snapshot says, or nothing: the log
// has everything, so that no snapshot is worth a failure.
func (l *lane) snapshotted(ctx context.Context) known {
	k := known{revision: eventstore.NoStream}
	if l.config.Retain == nil {
		return k
	}
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	for recorded, err := range l.config.Store.ReadStream(ctx, l.snapshots(), 0) {
		if err == nil {
			k, err = l.open(recorded)
		}
		if err != nil {
			l.writer.snapshot(l.item, fmt.Errorf("snapshot of stock %s: %w", l.id, err))
		}
	}
	return k
}

func (l *lane) open(recorded eventstore.Recorded) (known, error) {
	none := known{revision: eventstore.NoStream}
	event, err := recorded.Decode()
	if err != nil {
		return none, err
	}
	taken, ok := event.(stock.StockSnapshotTaken)
	if !ok {
		return none, fmt.Errorf("%s is no snapshot", recorded.Type)
	}
	state, err := taken.Open(l.item.Location, l.item.SKU)
	if err != nil {
		return none, err
	}
	last, err := uuid.Parse(taken.EventID)
	if err != nil || taken.Revision < 0 {
		return none, fmt.Errorf("event %d with id %q: %w", taken.Revision, taken.EventID, errForeign)
	}
	return known{state, eventstore.Revision(taken.Revision), last}, nil
}

// snapshot begins to write a snapshot where it is time for one: what is known
// is in the log by then. A big item has its snapshots further apart, so that
// they cost each event about the same.
func (l *lane) snapshot(ctx context.Context) {
	k := l.known
	apart := max(l.config.Every, k.state.Size()/2)
	if l.writer.isCrowded() {
		apart = max(l.config.Every/16, k.state.Size()/8)
	}
	if l.config.Retain == nil || !k.state.Known() || k.revision-l.snapped < eventstore.Revision(apart) ||
		!l.snapping.CompareAndSwap(false, true) {
		return
	}
	l.snapped = k.revision
	go func() {
		defer l.snapping.Store(false)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.config.Timeout)
		defer cancel()
		l.writer.snapshot(l.item, l.write(ctx, k))
	}()
}

// write appends a snapshot. Where two processes do so, either is as good.
func (l *lane) write(ctx context.Context, k known) error {
	taken, err := stock.NewSnapshot(k.state, int64(k.revision), k.last.String())
	if err != nil {
		return fmt.Errorf("snapshot of stock %s: %w", l.id, err)
	}
	if len(taken.State) > maxSnapshot {
		return fmt.Errorf("snapshot of stock %s with %d reservations: %w", l.id, k.state.Size(), eventstore.ErrTooLarge)
	}
	stream := l.snapshots()
	if !l.retained {
		if err := l.config.Retain(ctx, stream, 1); err != nil {
			return fmt.Errorf("keep one snapshot of stock %s: %w", l.id, err)
		}
		l.retained = true
	}
	_, err = l.config.Store.Append(ctx, stream, eventstore.Any, eventstore.NewEvent{
		ID:    eventstore.EventID(stream, taken.Checksum, 0),
		Event: taken, Metadata: eventstore.Metadata{Actor: eventstore.Actor{Type: "process", ID: "stock-writer"}},
	})
	return err
}
