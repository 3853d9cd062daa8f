package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Key names a cursor.
type Key struct{ EndpointID, RunID string }

// Lease is the right to move a cursor, as long as nobody else takes it after
// it ran out.
type Lease struct {
	Key
	Epoch   int64
	Through eventstore.Position
	Gate    time.Time
	Failing time.Time // since when nothing succeeded
}

// Claim is what a process wants of a cursor.
type Claim struct {
	Owner string
	For   time.Duration
	// Abandoned is the end of a lease that nobody renews any more, which may be
	// taken before it: see [Run.LeaseUntil]. Zero is none.
	Abandoned time.Time
}

// Acquire takes a cursor that is free, ours, or whose lease has run out. It
// returns false when another owner has it, or when there is none.
func (l *Ledger) Acquire(ctx context.Context, key Key, claim Claim) (Lease, bool, error) {
	lease := Lease{Key: key}
	var position, gate, failing int64
	clock, now := database.Clock(l.Now)
	args := slices.Concat([]any{claim.Owner}, now, []any{claim.For.Milliseconds(), key.EndpointID, key.RunID, claim.Owner}, now, []any{millis(claim.Abandoned)})
	l.statements.Add(1)
	err := l.Write.QueryRowContext(ctx, `
		UPDATE wh_cursor SET owner = ?, epoch = epoch + 1, lease_until = `+clock+` + ?
		WHERE endpoint_id = ? AND run_id = ? AND (owner IS NULL OR owner = ? OR lease_until < `+clock+` OR lease_until = ?)
		RETURNING epoch, pos, gate_until, failing_since`, args...).Scan(&lease.Epoch, &position, &gate, &failing)
	if errors.Is(err, sql.ErrNoRows) {
		return Lease{}, false, nil
	}
	if err != nil {
		return Lease{}, false, fmt.Errorf("acquire cursor of %s: %w", key.EndpointID, err)
	}
	lease.Through, lease.Gate, lease.Failing = toPosition(position), fromMillis(gate), fromMillis(failing)
	return lease, true, nil
}

// Renewal is what became of the leases of an owner.
type Renewal struct {
	Epochs map[Key]int64 // of those it still has
	At     time.Time     // by the clock that leases go by; zero where it has none
}

// Renew prolongs every lease of an owner that has not run out, for a time from
// now on.
func (l *Ledger) Renew(ctx context.Context, owner string, length time.Duration) (renewal Renewal, err error) {
	err = database.Retry(func() (err error) {
		renewal, err = l.renew(ctx, owner, length)
		return err
	})
	if err != nil {
		return Renewal{}, fmt.Errorf("renew leases: %w", err)
	}
	return renewal, nil
}

func (l *Ledger) renew(ctx context.Context, owner string, length time.Duration) (_ Renewal, err error) {
	clock, now := database.Clock(l.Now)
	l.statements.Add(1)
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	rows, err := l.Write.QueryContext(ctx, `
		UPDATE wh_cursor SET lease_until = `+clock+` + ? WHERE owner = ? AND lease_until >= `+clock+`
		RETURNING endpoint_id, run_id, epoch, lease_until`, slices.Concat(now, []any{length.Milliseconds(), owner}, now)...)
	if err != nil {
		return Renewal{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	renewal := Renewal{Epochs: map[Key]int64{}}
	for rows.Next() {
		var key Key
		var epoch, until int64
		if err := rows.Scan(&key.EndpointID, &key.RunID, &epoch, &until); err != nil {
			return Renewal{}, err
		}
		renewal.Epochs[key], renewal.At = epoch, fromMillis(until).Add(-length)
	}
	return renewal, rows.Err()
}

// Release gives a cursor back, if it is still ours.
func (l *Ledger) Release(ctx context.Context, lease Lease) error {
	l.statements.Add(1)
	_, err := l.Write.ExecContext(ctx, `
		UPDATE wh_cursor SET owner = NULL, lease_until = 0 WHERE endpoint_id = ? AND run_id = ? AND epoch = ?`,
		lease.EndpointID, lease.RunID, lease.Epoch)
	if err != nil {
		return fmt.Errorf("release cursor of %s: %w", lease.EndpointID, err)
	}
	return nil
}

// Furthest returns the position the furthest cursor, or the checkpoint of the
// endpoints, has reached.
func (l *Ledger) Furthest(ctx context.Context) (eventstore.Position, error) {
	var position int64
	err := l.Read.QueryRowContext(ctx, `
		SELECT coalesce(max(position), 0) FROM (
			SELECT max(pos) AS position FROM wh_cursor UNION ALL SELECT max(position) FROM wh_checkpoint) AS reached`).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("read the furthest cursor: %w", err)
	}
	return toPosition(position), nil
}

// Status is where a cursor stands.
type Status struct {
	Through    eventstore.Position
	Owner      string
	Epoch      int64
	LeaseUntil time.Time
	GateUntil  time.Time
	Breaker    delivery.BreakerState
	Failing    time.Time // since when nothing succeeded; zero when it is well
	Blocked    int       // lanes that wait for somebody's decision
	Parked     int       // waiting for another attempt, or for those before them
	Dead       int       // given up
	NextDue    time.Time
	Delivered  int // messages
	// From and Until are those of a replay.
	From, Until eventstore.Position
}

// Status returns where a cursor stands, and whether there is one.
func (l *Ledger) Status(ctx context.Context, key Key) (Status, bool, error) {
	var s Status
	var owner sql.NullString
	var position, lease, gate, failing int64
	var due sql.NullInt64
	err := l.Read.QueryRowContext(ctx, `
		SELECT c.pos, c.owner, c.epoch, c.lease_until, c.gate_until, c.breaker, c.failing_since, c.delivered, c.from_pos, coalesce(c.until_pos, 0),
			(SELECT count(*) FROM wh_parked p WHERE p.endpoint_id = c.endpoint_id AND p.run_id = c.run_id AND blocked = 1),
			(SELECT count(*) FROM wh_parked p WHERE p.endpoint_id = c.endpoint_id AND p.run_id = c.run_id AND dead = 0),
			(SELECT count(*) FROM wh_parked p WHERE p.endpoint_id = c.endpoint_id AND p.run_id = c.run_id AND dead = 1),
			(SELECT min(due_at) FROM wh_parked p WHERE p.endpoint_id = c.endpoint_id AND p.run_id = c.run_id AND dead = 0)
		FROM wh_cursor c WHERE c.endpoint_id = ? AND c.run_id = ?`, key.EndpointID, key.RunID).
		Scan(&position, &owner, &s.Epoch, &lease, &gate, &s.Breaker, &failing, &s.Delivered, &s.From, &s.Until, &s.Blocked, &s.Parked, &s.Dead, &due)
	if errors.Is(err, sql.ErrNoRows) {
		return Status{}, false, nil
	}
	if err != nil {
		return Status{}, false, fmt.Errorf("read cursor of %s: %w", key.EndpointID, err)
	}
	s.Through, s.Owner = toPosition(position), owner.String
	s.LeaseUntil, s.GateUntil, s.NextDue, s.Failing = fromMillis(lease), fromMillis(gate), fromMillis(due.Int64), fromMillis(failing)
	return s, true, nil
}
