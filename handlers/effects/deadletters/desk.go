// Package deadletters is where people decide about events that handlers of side
// effects put aside: what there is, why, and what becomes of it. The store can
// only list them and give all of them again, so that decisions are events of
// their own, folded over its list. It promises that a retry which was asked for
// is carried out by whoever runs the handler, also after a crash, and ends once;
// and that no error or payload stands in these events in the clear. It must not
// know what a handler does.
package deadletters

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/requestkey"
)

// Sealer keeps errors and payloads secret, bound to where they stand.
type Sealer interface {
	Seal(plain, bound []byte) ([]byte, error)
	Open(sealed, bound []byte) ([]byte, error)
}

// Desk shows and decides. Make it with [New].
type Desk struct {
	client *eventstore.Client
	sealer Sealer
	now    func() time.Time

	mu     sync.Mutex
	folded map[string]*folded // by handler
}

// folded is what was decided about one handler's, as far as it was read.
type folded struct {
	mu   sync.Mutex
	snap eventstore.Snapshot[deadletter.State]
	size size
}

// size is what is in the parked stream, as far as it was read.
type size struct {
	next eventstore.Revision
	read int64 // how many there were
	open []eventstore.Parked
}

// New returns a desk.
func New(client *eventstore.Client, sealer Sealer, now func() time.Time) *Desk {
	return &Desk{client: client, sealer: sealer, now: now, folded: map[string]*folded{}}
}

// Stream is that of the decisions about a handler's dead letters.
func Stream(handler string) string { return deadletter.Decider.Stream(handler) }

func (d *Desk) of(handler string) *folded {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.folded[handler]
	if f == nil {
		f = &folded{snap: eventstore.Snapshot[deadletter.State]{Revision: eventstore.NoStream}}
		d.folded[handler] = f
	}
	return f
}

// decided reads on to what was decided until now.
func (d *Desk) decided(ctx context.Context, handler string) (eventstore.Snapshot[deadletter.State], error) {
	f := d.of(handler)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(ctx, d.client, handler)
}

// read needs the lock.
func (f *folded) read(ctx context.Context, client *eventstore.Client, handler string) (eventstore.Snapshot[deadletter.State], error) {
	state, revision, err := eventstore.Resume(ctx, eventstore.Store(client), deadletter.Decider, handler, f.snap)
	if err != nil {
		return f.snap, fmt.Errorf("read what was decided about %s: %w", handler, err)
	}
	f.snap = eventstore.Snapshot[deadletter.State]{State: state, Revision: revision}
	return f.snap, nil
}

// decide records a decision, once for each key of a caller's. It reads what is
// new only: a stream of decisions is as long as what was ever put aside.
func (d *Desk) decide(ctx context.Context, handler string, meta eventstore.Metadata, c deadletter.Command) (made int, err error) {
	const attempts = 20 // others decide about the same handler
	if done, err := d.done(ctx, handler, meta); err != nil || done {
		return 0, err
	}
	f := d.of(handler)
	f.mu.Lock()
	defer f.mu.Unlock()
	for range attempts {
		var now eventstore.Snapshot[deadletter.State]
		if now, err = f.read(ctx, d.client, handler); err != nil {
			return 0, err
		}
		events, refused := deadletter.Decider.Decide(now.State, c)
		if refused != nil {
			return 0, refused
		}
		if len(events) == 0 {
			_, err = requestkey.KeepUnchanged(ctx, d.client, meta, now.Revision)
			return 0, err
		}
		// The decision is recorded in a stream that is not named after the key.
		if err = requestkey.Use(ctx, d.client, meta); err != nil {
			return 0, err
		}
		stream := Stream(handler)
		_, err = d.client.Append(ctx, stream, now.Revision, eventstore.NewEvents(stream, meta, events...)...)
		if !errors.Is(err, eventstore.ErrConflict) {
			return len(events), err
		}
	}
	return 0, err
}

// done reports whether a request under a caller's key was carried out before,
// and refuses another one under the key. One that took its key and died has
// decided nothing.
func (d *Desk) done(ctx context.Context, handler string, meta eventstore.Metadata) (bool, error) {
	if used, err := requestkey.Used(ctx, d.client, meta); err != nil || !used {
		return false, err
	}
	if _, unchanged, err := requestkey.Unchanged(ctx, d.client, meta); err != nil || unchanged {
		return unchanged, err
	}
	for recorded, err := range d.client.ReadStream(ctx, Stream(handler), 0) {
		if err != nil {
			return false, fmt.Errorf("read what was decided about %s: %w", handler, err)
		}
		if of, err := recorded.Metadata(); err != nil || of.CommandID == meta.CommandID {
			return err == nil, err
		}
	}
	return false, nil
}

// Retry has an event handled once more, by whoever runs the handler.
func (d *Desk) Retry(ctx context.Context, meta eventstore.Metadata, handler string, number int64) error {
	l, err := d.Get(ctx, handler, number)
	if err != nil {
		return err
	}
	_, err = d.decide(ctx, handler, meta, deadletter.Retry{Of: []deadletter.Of{l.of()}, By: meta.Actor.ID, At: d.now().UTC()})
	return err
}

// MostAtOnce is how many are retried by one decision.
const MostAtOnce = 500

// RetryAll has those handled once more that pass a filter, the oldest first.
// There may be more of them: ask again.
func (d *Desk) RetryAll(ctx context.Context, meta eventstore.Metadata, handler string, filter Filter) (retried int, more bool, err error) {
	filter.undecided = true
	letters, more, err := d.List(ctx, handler, filter, 0, MostAtOnce)
	if err != nil || len(letters) == 0 {
		return 0, more, err
	}
	all := make([]deadletter.Of, len(letters))
	for i, l := range letters {
		all[i] = l.of()
	}
	retried, err = d.decide(ctx, handler, meta, deadletter.Retry{Of: all, By: meta.Actor.ID, At: d.now().UTC()})
	if errors.Is(err, deadletter.ErrClosed) { // somebody was faster
		err = nil
	}
	return retried, more, err
}

// Edit has a copy with another payload handled in the place of an event. The
// payload is one of the event's type.
func (d *Desk) Edit(ctx context.Context, meta eventstore.Metadata, handler string, number int64, data []byte, reason string) error {
	l, err := d.Get(ctx, handler, number)
	if err != nil {
		return err
	}
	if _, err := requestkey.Used(ctx, d.client, meta); err != nil {
		return err
	}
	if err := readable(l.Event, data); err != nil {
		return err
	}
	sealed, err := d.sealer.Seal(data, bound(handler, number))
	if err != nil {
		return fmt.Errorf("seal a copy: %w", err)
	}
	_, err = d.decide(ctx, handler, meta, deadletter.Edit{Of: l.of(), SealedData: sealed, Reason: reason, By: meta.Actor.ID, At: d.now().UTC()})
	return err
}

// Discard decides that an event is not to be handled. The reason, a word, stays
// on record.
func (d *Desk) Discard(ctx context.Context, meta eventstore.Metadata, handler string, number int64, reason string) error {
	l, err := d.Get(ctx, handler, number)
	if err != nil {
		return err
	}
	_, err = d.decide(ctx, handler, meta, deadletter.Discard{Of: l.of(), Reason: reason, By: meta.Actor.ID, At: d.now().UTC()})
	return err
}

func bound(handler string, number int64) []byte {
	return fmt.Appendf(nil, "dead letter|%s|%d", handler, number)
}
