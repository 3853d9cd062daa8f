package projections

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/eventstore"
)

// RepairKind is what is done about an event that cannot be applied.
type RepairKind string

// What may be done about an event that cannot be applied, besides mending the
// code.
const (
	Edit RepairKind = "edit" // an edited copy is applied in its place
	Skip RepairKind = "skip" // nothing is
)

// Repair is a decision about one event of a blocked stream. The event in the
// log stays as it is. The decision holds for one read model, and for every
// version of it that is built later: otherwise that would be blocked again.
type Repair struct {
	Projection string
	Stream     string
	Revision   eventstore.Revision
	Kind       RepairKind
	Data       json.RawMessage // of the copy
	EventID    string
	Error      string // why the event could not be applied
	Reason     string
	By         string
	At         time.Time
}

// BlockedEvent is a blocked stream with the event that is the reason.
type BlockedEvent struct {
	BlockedStream

	EventID string
	Type    string
	Created time.Time
	Data    json.RawMessage
	Waiting int // events of the stream after it that wait, up to [MaxWaiting]
}

// MaxWaiting is how many events that wait are counted.
const MaxWaiting = 1000

// Outcome is what trying a blocked stream again has led to, or would lead to.
type Outcome struct {
	Stream   string
	Applied  int                 // events, when it goes on to the end
	Blocked  bool                // still, or again
	Revision eventstore.Revision // of the event that cannot be applied
	Error    string
}

// Refusals of repairs.
var (
	ErrNotBlocked    = domain.Rule("stream-not-blocked", "the stream is not blocked in this read model")
	ErrOtherEvent    = domain.Rule("blocked-at-other-event", "the stream is blocked at another event")
	ErrRepairInvalid = domain.Rule("repair-invalid", "the repair is not valid")
)

// BlockedEvents lists what is blocked, longest first, each with its event.
func (m *Model) BlockedEvents(ctx context.Context) ([]BlockedEvent, error) {
	blocked, err := m.Blocked(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]BlockedEvent, 0, len(blocked))
	for _, b := range blocked {
		e := BlockedEvent{BlockedStream: b}
		first := true
		for r, err := range m.set.cfg.Store.ReadStream(ctx, b.Stream, b.Revision) {
			if err != nil {
				return nil, err
			}
			if first {
				e.EventID, e.Type, e.Created, e.Data, first = r.ID.String(), r.Type, r.Created, r.Data, false
				continue
			}
			if e.Waiting++; e.Waiting == MaxWaiting {
				break
			}
		}
		list = append(list, e)
	}
	return list, nil
}

// Repairs lists every decision about events of a read model, the newest first,
// those that were replaced by another one included.
func (m *Model) Repairs(ctx context.Context) ([]Repair, error) {
	return m.set.catalogue.repairs(ctx, m.Name(), `ORDER BY made_at DESC, stream, revision, number DESC`)
}

func (c *Catalogue) repairs(ctx context.Context, projection, order string) ([]Repair, error) {
	//nolint:gosec // one of our own orders
	rows, err := c.db.Read.QueryContext(ctx, `SELECT projection, stream, revision, kind, data, event_id, error, reason, made_by, made_at FROM repairs
		WHERE projection = ? `+order, projection)
	return rowsOf(rows, err, func(rows *sql.Rows) (r Repair, err error) {
		var data string
		var at int64
		err = rows.Scan(&r.Projection, &r.Stream, &r.Revision, &r.Kind, &data, &r.EventID, &r.Error, &r.Reason, &r.By, &at)
		if data != "" {
			r.Data = json.RawMessage(data)
		}
		r.At = fromMillis(at)
		return r, err
	})
}

// RetryStream tries a blocked stream again: on trial, which changes nothing, or
// for good, by whichever process brings the read model forward.
func (m *Model) RetryStream(ctx context.Context, stream string, dry bool) (Outcome, error) {
	if !dry {
		return m.release(ctx, stream)
	}
	return ofLive(m, func(live *Runner) (Outcome, error) {
		b, err := live.blockedAt(ctx, stream)
		if err != nil {
			return Outcome{}, err
		}
		return live.rehearse(ctx, b, nil)
	})
}

// Repair decides about the event that blocks a stream, and tries the stream
// again. On trial nothing is changed, but told what would happen.
func (m *Model) Repair(ctx context.Context, r Repair, dry bool) (Outcome, error) {
	b, err := ofLive(m, func(live *Runner) (BlockedStream, error) { return live.blockedAt(ctx, r.Stream) })
	if err != nil {
		return Outcome{}, err
	}
	if b.Revision != r.Revision {
		return Outcome{}, ErrOtherEvent.With("revision", b.Revision)
	}
	event, err := m.event(ctx, r.Stream, r.Revision)
	if err != nil {
		return Outcome{}, err
	}
	if err := r.check(event); err != nil {
		return Outcome{}, err
	}
	r.Projection, r.EventID, r.Error, r.At = m.Name(), event.ID.String(), b.Error, m.set.cfg.Now()
	if dry {
		return ofLive(m, func(live *Runner) (Outcome, error) { return live.rehearse(ctx, b, &r) })
	}
	if err := m.set.catalogue.decide(ctx, r); err != nil {
		return Outcome{}, err
	}
	m.set.cfg.Logger.WarnContext(ctx, "an event is repaired in a read model", "projection", r.Projection, "stream", r.Stream, "revision", r.Revision,
		"kind", r.Kind, "by", r.By, "reason", r.Reason)
	outcome, err := m.release(ctx, r.Stream)
	if errors.Is(err, ErrNotBlocked) {
		return Outcome{Stream: r.Stream}, nil // it was tried by itself, or another version is live that knew
	}
	return outcome, err
}

// ofLive asks the live version. One whose place is taken meanwhile is closed,
// and the one that took it is asked.
func ofLive[T any](m *Model, ask func(live *Runner) (T, error)) (T, error) {
	for {
		live := m.Live()
		answer, err := ask(live)
		if refused := (*domain.RuleError)(nil); err == nil || errors.As(err, &refused) || m.Live() == live {
			return answer, err
		}
	}
}

func (m *Model) event(ctx context.Context, stream string, revision eventstore.Revision) (eventstore.Recorded, error) {
	for e, err := range m.set.cfg.Store.ReadStream(ctx, stream, revision) {
		return e, err
	}
	return eventstore.Recorded{}, ErrNotBlocked
}

// check tells what is wrong with a decision.
func (r *Repair) check(event eventstore.Recorded) error {
	r.Reason = strings.TrimSpace(r.Reason)
	switch {
	case r.Reason == "":
		return ErrRepairInvalid.Because(domain.Mistake{Pointer: "/reason", Code: "missing", Detail: "it needs a reason, for the record"})
	case r.Kind == Skip:
		r.Data = nil
		return nil
	case r.Kind != Edit:
		return ErrRepairInvalid.Because(domain.Mistake{Pointer: "/kind", Code: "unknown", Detail: "it is an edit or a skip"})
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, r.Data); err != nil || !strings.HasPrefix(compact.String(), "{") {
		return ErrRepairInvalid.Because(domain.Mistake{Pointer: "/data", Code: "invalid", Detail: "the copy has to be a JSON object, as the payload of the event is"})
	}
	r.Data = compact.Bytes()
	if _, err := event.WithData(r.Data).Decode(); err != nil {
		return ErrRepairInvalid.Because(domain.Mistake{Pointer: "/data", Code: "unreadable", Detail: fmt.Sprintf("the copy cannot be read as a %s: %v", event.Type, err)})
	}
	return nil
}

// decide keeps a decision; an earlier one about the same event stays on record.
func (c *Catalogue) decide(ctx context.Context, r Repair) error {
	return c.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO repairs (projection, stream, revision, number, kind, data, event_id, error, reason, made_by, made_at)
			SELECT ?, ?, ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM repairs WHERE projection = ? AND stream = ? AND revision = ?`,
			r.Projection, r.Stream, int64(r.Revision), string(r.Kind), string(r.Data), r.EventID, r.Error, r.Reason, r.By, millis(r.At),
			r.Projection, r.Stream, int64(r.Revision))
		if err != nil {
			return fmt.Errorf("keep the repair of %s: %w", r.Stream, err)
		}
		return nil
	})
}

// releasePatience is how long to wait for the process that brings the read
// model forward.
const releasePatience = 10 * time.Second

// release lets a stream be tried at once, and waits for what comes of it. An
// attempt that fails may have begun before something was decided; the next one
// has not.
func (m *Model) release(ctx context.Context, stream string) (Outcome, error) {
	once := func(live *Runner) (Outcome, error) { return live.release(ctx, stream) }
	outcome, err := ofLive(m, once)
	if err != nil || !outcome.Blocked {
		return outcome, err
	}
	if outcome, err = ofLive(m, once); errors.Is(err, ErrNotBlocked) {
		return Outcome{Stream: stream}, nil
	}
	return outcome, err
}

func (r *Runner) release(ctx context.Context, stream string) (Outcome, error) {
	b, err := r.blockedAt(ctx, stream)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := r.db.Write.ExecContext(ctx, `UPDATE blocked_streams SET due_at = 0 WHERE stream = ?`, stream); err != nil {
		return Outcome{}, fmt.Errorf("try %s again: %w", stream, err)
	}
	r.wake()
	patient, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	for {
		now, err := r.blockedAt(ctx, stream)
		switch {
		case errors.Is(err, ErrNotBlocked):
			return Outcome{Stream: stream}, nil
		case err != nil:
			return Outcome{}, err
		case now.Attempts != b.Attempts || now.Revision != b.Revision:
			return Outcome{Stream: stream, Blocked: true, Revision: now.Revision, Error: now.Error}, nil
		}
		if pause(patient, look) != nil {
			return Outcome{Stream: stream, Blocked: true, Revision: now.Revision, Error: now.Error}, ctx.Err()
		}
	}
}

func (r *Runner) blockedAt(ctx context.Context, stream string) (BlockedStream, error) {
	blocked, err := r.Blocked(ctx)
	if err != nil {
		return BlockedStream{}, err
	}
	for _, b := range blocked {
		if b.Stream == stream {
			return b, nil
		}
	}
	return BlockedStream{}, ErrNotBlocked
}

// errRehearsed undoes a transaction that was a trial.
var errRehearsed = errors.New("it was a trial")

// rehearse applies what waits of a blocked stream, with a repair if there is
// one, and undoes it.
func (r *Runner) rehearse(ctx context.Context, b BlockedStream, repair *Repair) (Outcome, error) {
	r, err := r.laneOf(ctx, b.Stream)
	if err != nil {
		return Outcome{}, err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	known, err := r.readRepairs(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if repair != nil {
		known[eventPlace{repair.Stream, repair.Revision}] = *repair
	}
	outcome := Outcome{Stream: b.Stream}
	err = r.db.Tx(ctx, func(raw *sql.Tx) error {
		outcome = Outcome{Stream: b.Stream}
		tx := r.tx(raw)
		through, err := r.reached(ctx, raw)
		if err != nil {
			return err
		}
		for e, err := range r.cfg.Store.ReadStream(ctx, b.Stream, b.Revision) {
			if err != nil {
				return err
			}
			if e.Position > through {
				break
			}
			failure, err := r.applyRepaired(ctx, tx, e, known)
			if err != nil {
				return err
			}
			if failure != nil {
				outcome.Blocked, outcome.Revision, outcome.Error = true, e.Revision, failure.Error()
				break
			}
			outcome.Applied++
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		err = nil
	}
	return outcome, err
}

// reached is how far we are, as a transaction sees it.
func (r *Runner) reached(ctx context.Context, tx *sql.Tx) (eventstore.Position, error) {
	if r.whole == nil {
		return ReadPositionTx(ctx, tx)
	}
	var position int64
	err := tx.QueryRowContext(ctx, `SELECT position FROM partitions WHERE part = ? AND parts = ?`, r.part.number, r.part.of).Scan(&position)
	return eventstore.Position(position), err //nolint:gosec // written from a Position
}

// ReadPositionTx is [ReadPosition] as a transaction sees it.
func ReadPositionTx(ctx context.Context, tx *sql.Tx) (eventstore.Position, error) {
	var position int64
	if err := tx.QueryRowContext(ctx, readPosition).Scan(&position); err != nil {
		return 0, fmt.Errorf("read the checkpoint: %w", err)
	}
	return eventstore.Position(position), nil //nolint:gosec // written from a Position
}

// eventPlace is where an event stands.
type eventPlace struct {
	stream   string
	revision eventstore.Revision
}

// readRepairs reads the decisions that are in force.
func (r *Runner) readRepairs(ctx context.Context) (map[eventPlace]Repair, error) {
	all := map[eventPlace]Repair{}
	if r.cfg.catalogue == nil {
		return all, nil
	}
	list, err := r.cfg.catalogue.repairs(ctx, r.Name(), `ORDER BY number`)
	for _, repair := range list {
		all[eventPlace{repair.Stream, repair.Revision}] = repair // the last one counts
	}
	return all, err
}

// repaired puts edited copies in the place of events, and leaves out those that
// are skipped.
func (r *Runner) repaired(events []eventstore.Recorded) []eventstore.Recorded {
	if len(r.repairs) == 0 {
		return events
	}
	list := make([]eventstore.Recorded, 0, len(events))
	for _, e := range events {
		repair, there := r.repairs[eventPlace{e.Stream, e.Revision}]
		switch {
		case !there:
			list = append(list, e)
		case repair.Kind == Edit:
			list = append(list, e.WithData(repair.Data))
		}
	}
	return list
}

// applyRepaired is applyOne for an event that may have been decided about.
func (r *Runner) applyRepaired(ctx context.Context, tx *Tx, e eventstore.Recorded, repairs map[eventPlace]Repair) (failure, err error) {
	if repair, there := repairs[eventPlace{e.Stream, e.Revision}]; there {
		if repair.Kind == Skip {
			return nil, nil
		}
		e = e.WithData(repair.Data)
	}
	return r.applyOne(ctx, tx, e)
}

// wake lets blocked streams be tried at once that are due, if this process
// brings them forward.
func (r *Runner) wake() {
	r.mu.Lock()
	lanes := append([]*Runner{r}, r.lanes...)
	r.mu.Unlock()
	for _, lane := range lanes {
		select {
		case lane.woken <- struct{}{}:
		default:
		}
	}
}
