package deadletters

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/deadletter"
	"github.com/waybill-dev/waybill/eventstore"
)

// Letter is an event that was put aside, with what was decided about it.
type Letter struct {
	eventstore.Parked

	Handler  string
	Status   deadletter.Status
	Attempts int       // before it was put aside
	First    time.Time // of them
	Errors   []Error   // the newest are last; those of retries included
	Changes  []deadletter.Change
	Data     json.RawMessage // of the edited copy; nil without one
}

// Error is why an attempt failed.
type Error struct {
	At    time.Time
	Error string
}

func (l Letter) of() deadletter.Of {
	return deadletter.Of{Handler: l.Handler, Number: int64(l.Number), EventID: l.Event.ID.String(), Stream: l.Stream, Revision: int64(l.Revision)}
}

// Filter narrows a list. The zero value has what is not closed.
type Filter struct {
	Status        deadletter.Status // empty: those that are not closed
	Type          string            // of the event
	Stream        string
	Before, After time.Time // when it was put aside

	undecided bool // neither closed nor being retried
}

// passes tells what can be told without the event.
func (f Filter) passes(p eventstore.Parked, status deadletter.Status) bool {
	switch {
	case f.Status != "" && status != f.Status, f.Status == "" && status.Closed():
		return false
	case f.undecided && (status.Closed() || status == deadletter.Retrying):
		return false
	case f.Stream != "" && p.Stream != f.Stream:
		return false
	case !f.Before.IsZero() && !p.At.Before(f.Before), !f.After.IsZero() && p.At.Before(f.After):
		return false
	}
	return true
}

// List returns what a handler put aside, the oldest first, from a number on, and
// whether there is more.
func (d *Desk) List(ctx context.Context, handler string, filter Filter, from int64, limit int) (letters []Letter, more bool, err error) {
	decided, err := d.decided(ctx, handler)
	if err != nil {
		return nil, false, err
	}
	for p, err := range d.client.ParkedLinks(ctx, handler, eventstore.Revision(from)) {
		if err != nil {
			return nil, false, err
		}
		if !filter.passes(p, decided.State.Letter(int64(p.Number)).Status) {
			continue
		}
		if p.Event, err = d.event(ctx, p.Stream, p.Revision); err != nil {
			return nil, false, err
		}
		if filter.Type != "" && p.Event.Type != filter.Type {
			continue
		}
		if len(letters) == limit {
			return letters, true, nil
		}
		l, err := d.letter(handler, p, decided.State)
		if err != nil {
			return nil, false, err
		}
		letters = append(letters, l)
	}
	return letters, false, nil
}

// Get returns one; the error is [deadletter.ErrNotFound] if there is none.
func (d *Desk) Get(ctx context.Context, handler string, number int64) (Letter, error) {
	decided, err := d.decided(ctx, handler)
	if err != nil {
		return Letter{}, err
	}
	if number < 0 {
		return Letter{}, deadletter.ErrNotFound
	}
	for p, err := range d.client.Parked(ctx, handler, eventstore.Revision(number)) {
		if err != nil {
			return Letter{}, err
		}
		if int64(p.Number) != number {
			break
		}
		return d.letter(handler, p, decided.State)
	}
	return Letter{}, deadletter.ErrNotFound
}

// Size is how many are not closed, and since when the oldest of them is there,
// of so many that the store says it has. It reads only what is new since it was
// asked before, unless the store gave some of them again meanwhile.
func (d *Desk) Size(ctx context.Context, handler string, listed int64) (open int, oldest time.Time, err error) {
	f := d.of(handler)
	f.mu.Lock()
	defer f.mu.Unlock()
	decided, err := f.read(ctx, d.client, handler)
	if err != nil {
		return 0, oldest, err
	}
	if err = f.readParked(ctx, d.client, handler); err == nil && f.size.read != listed {
		f.size = size{}
		err = f.readParked(ctx, d.client, handler)
	}
	if err != nil {
		f.size = size{}
		return 0, oldest, err
	}
	f.size.open = slices.DeleteFunc(f.size.open, func(p eventstore.Parked) bool {
		return decided.State.Letter(int64(p.Number)).Status.Closed()
	})
	if len(f.size.open) > 0 {
		oldest = f.size.open[0].At
	}
	return len(f.size.open), oldest, nil
}

// readParked needs the lock.
func (f *folded) readParked(ctx context.Context, client *eventstore.Client, handler string) error {
	for p, err := range client.ParkedLinks(ctx, handler, f.size.next) {
		if err != nil {
			return err
		}
		p.Reason = "" // is not looked at
		f.size.next, f.size.read, f.size.open = p.Number+1, f.size.read+1, append(f.size.open, p)
	}
	return nil
}

// event is zero when it is no longer there.
func (d *Desk) event(ctx context.Context, stream string, revision eventstore.Revision) (eventstore.Recorded, error) {
	for r, err := range d.client.ReadStream(ctx, stream, revision) {
		if err != nil || r.Revision != revision {
			return eventstore.Recorded{}, err
		}
		return r, nil
	}
	return eventstore.Recorded{}, nil
}

// letter puts together what the store and the decisions tell.
func (d *Desk) letter(handler string, p eventstore.Parked, state deadletter.State) (Letter, error) {
	decided := state.Letter(int64(p.Number))
	l := Letter{Parked: p, Handler: handler, Status: decided.Status, Changes: decided.Changes}
	var told struct {
		Attempts int
		First    time.Time
		Errors   []Error
	}
	if err := json.Unmarshal([]byte(p.Reason), &told); err != nil || len(told.Errors) == 0 {
		told.Errors = []Error{{At: p.At, Error: p.Reason}} // the store's own reason
	}
	l.Attempts, l.First, l.Errors = told.Attempts, told.First, told.Errors
	for _, c := range decided.Changes {
		if c.Kind != "failed" {
			continue
		}
		text, err := d.sealer.Open(c.Sealed, bound(handler, int64(p.Number)))
		if err != nil {
			return l, err
		}
		l.Errors = append(l.Errors, Error{At: c.At, Error: string(text)})
	}
	if decided.Sealed != nil {
		data, err := d.sealer.Open(decided.Sealed, bound(handler, int64(p.Number)))
		if err != nil {
			return l, err
		}
		l.Data = data
	}
	return l, nil
}

// readable refuses what cannot stand in the place of an event's payload.
func readable(event eventstore.Recorded, data []byte) error {
	mistake := func(detail string) error {
		return deadletter.ErrInvalid.Because(domain.Mistake{Pointer: "/data", Code: "not-readable", Detail: detail})
	}
	if event.Stream == "" {
		return mistake("the event is no longer in the log; discard it")
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '{' {
		return mistake("send a JSON object, the whole payload")
	}
	if _, err := event.WithData(data).Decode(); err != nil {
		return mistake("send a payload of " + event.Type + ": " + err.Error())
	}
	return nil
}
