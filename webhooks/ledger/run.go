package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Run is a way through the log for one endpoint: the live one, which has no
// end, or a replay.
type Run struct {
	Key
	// From and Until are where a replay begins and ends; it sends what comes
	// after From, up to and with Until.
	From, Until eventstore.Position
	// Spec is what a replay sends, in the words of whoever asked for it. It is
	// empty for the live run.
	Spec string
	// Through is where the run stands. Delivered counts messages: a replay is
	// started with those it is known to have delivered.
	Through   eventstore.Position
	Delivered int
	// Owner serves the run, or did, until its lease ran out. It is empty when the
	// run was given back.
	Owner string
	// LeaseUntil moves with every renewal. Where it stands still for longer than a
	// lease lasts, nobody renews it, whatever clocks say.
	LeaseUntil time.Time
	Served     bool // it has an owner whose lease has not run out
}

// readRuns is the beginning of a statement that reads cursors.
func (l *Ledger) readRuns() (query string, args []any) {
	clock, now := database.Clock(l.Now)
	return `
		SELECT endpoint_id, run_id, from_pos, until_pos, spec, pos, delivered, coalesce(owner, ''), lease_until,
			CASE WHEN owner IS NOT NULL AND lease_until > ` + clock + ` THEN 1 ELSE 0 END
		FROM wh_cursor `, now
}

// Runs returns all cursors there are, the live ones first.
func (l *Ledger) Runs(ctx context.Context) (list []Run, err error) {
	return l.runs(ctx, `ORDER BY CASE run_id WHEN ? THEN 0 ELSE 1 END, endpoint_id, run_id`, Live)
}

// RunsOf returns the cursors of an endpoint.
func (l *Ledger) RunsOf(ctx context.Context, endpointID string) (list []Run, err error) {
	return l.runs(ctx, `WHERE endpoint_id = ? ORDER BY run_id`, endpointID)
}

func (l *Ledger) runs(ctx context.Context, which string, args ...any) (list []Run, err error) {
	query, now := l.readRuns()
	rows, err := l.Read.QueryContext(ctx, query+which, append(now, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var run Run
		var from, through, lease int64
		var until sql.NullInt64
		if err := rows.Scan(&run.EndpointID, &run.RunID, &from, &until, &run.Spec, &through, &run.Delivered, &run.Owner, &lease, &run.Served); err != nil {
			return nil, fmt.Errorf("read a cursor: %w", err)
		}
		run.From, run.Until, run.Through = toPosition(from), toPosition(until.Int64), toPosition(through)
		run.LeaseUntil = fromMillis(lease)
		list = append(list, run)
	}
	return list, rows.Err()
}

// startRun adds a replay's cursor. One that is there stays where it is.
func (t *tx) startRun(ctx context.Context, run Run) error {
	_, err := t.exec(ctx, `
		INSERT INTO wh_cursor (endpoint_id, run_id, pos, from_pos, until_pos, spec, delivered, seeks)
		VALUES (?, ?, ?, ?, ?, ?, ?, coalesce((SELECT seeks FROM wh_cursor WHERE endpoint_id = ? AND run_id = ?), 0))
		ON CONFLICT DO NOTHING`,
		run.EndpointID, run.RunID, fromPosition(run.Through), fromPosition(run.From), fromPosition(run.Until), run.Spec, run.Delivered,
		run.EndpointID, Live)
	return err
}

// clearSkipped takes what a replay has sent off what was passed over; what it
// gave up is given up by the live run, too. After a seek that came meanwhile
// nothing is known of what it has sent of the new passages.
func (t *tx) clearSkipped(ctx context.Context, key Key) error {
	var from, until int64
	t.count.Add(1)
	err := t.QueryRowContext(ctx, `
		SELECT r.from_pos, r.until_pos FROM wh_cursor r JOIN wh_cursor c ON c.endpoint_id = r.endpoint_id AND c.run_id = ? AND c.seeks = r.seeks
		WHERE r.endpoint_id = ? AND r.run_id = ?`, Live, key.EndpointID, key.RunID).Scan(&from, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what %s has sent: %w", key.RunID, err)
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO wh_parked (endpoint_id, run_id, commit_pos, lane, revision, event_id, attempt, dead, last_class, told)
			SELECT endpoint_id, CAST(? AS TEXT), commit_pos, lane, revision, event_id, attempt, dead, last_class, 1 FROM wh_parked
			WHERE endpoint_id = ? AND run_id = ? AND dead = 1 ON CONFLICT DO NOTHING`, []any{Live, key.EndpointID, key.RunID}},
		{`INSERT INTO wh_skipped (endpoint_id, from_pos, until_pos)
			SELECT endpoint_id, CAST(? AS BIGINT), until_pos FROM wh_skipped WHERE endpoint_id = ? AND from_pos < ? AND until_pos > ?
			ON CONFLICT DO NOTHING`, []any{until, key.EndpointID, until, until}},
		{`DELETE FROM wh_skipped WHERE endpoint_id = ? AND from_pos >= ? AND from_pos < ?`, []any{key.EndpointID, from, until}},
		{`UPDATE wh_skipped SET until_pos = ? WHERE endpoint_id = ? AND from_pos < ? AND until_pos > ?`, []any{from, key.EndpointID, from, from}},
	} {
		if _, err := t.exec(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// endRun deletes a replay's rows, but for what it gave up if it is said when it
// ended. Its attempts are kept: they are history.
func (t *tx) endRun(ctx context.Context, key Key, endedAt time.Time) error {
	if _, err := t.exec(ctx, `DELETE FROM wh_cursor WHERE endpoint_id = ? AND run_id = ?`, key.EndpointID, key.RunID); err != nil {
		return err
	}
	if endedAt.IsZero() {
		_, err := t.exec(ctx, `DELETE FROM wh_parked WHERE endpoint_id = ? AND run_id = ?`, key.EndpointID, key.RunID)
		return err
	}
	if _, err := t.exec(ctx, `DELETE FROM wh_parked WHERE endpoint_id = ? AND run_id = ? AND dead = 0`, key.EndpointID, key.RunID); err != nil {
		return err
	}
	_, err := t.exec(ctx, `
		INSERT INTO wh_ended (endpoint_id, run_id, ended_at)
		SELECT DISTINCT endpoint_id, run_id, CAST(? AS BIGINT) FROM wh_parked WHERE endpoint_id = ? AND run_id = ? ON CONFLICT DO NOTHING`,
		millis(endedAt), key.EndpointID, key.RunID)
	return err
}

// forgetEnded deletes what replays gave up that ended before a time.
func (l *Ledger) forgetEnded(ctx context.Context, before time.Time) error {
	err := l.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `
			DELETE FROM wh_parked WHERE EXISTS (SELECT 1 FROM wh_ended e
				WHERE e.endpoint_id = wh_parked.endpoint_id AND e.run_id = wh_parked.run_id AND e.ended_at < ?)`, millis(before))
		if err == nil {
			_, err = t.exec(ctx, `DELETE FROM wh_ended WHERE ended_at < ?`, millis(before))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("forget what replays gave up: %w", err)
	}
	return nil
}

func deliveredBy(attempts []Attempt) []eventstore.Position {
	var positions []eventstore.Position
	for _, a := range attempts {
		if a.Class == delivery.ClassOK {
			positions = append(positions, a.Position)
		}
	}
	return positions
}

// revive takes what a replay delivered off the list of what was given up.
func (t *tx) revive(ctx context.Context, s Settlement) error {
	if s.Lease.RunID == Live {
		return nil
	}
	return inChunks(deliveredBy(s.Attempts), func(delivered []eventstore.Position) error {
		args := []any{s.Lease.EndpointID, Live}
		for _, p := range delivered {
			args = append(args, fromPosition(p))
		}
		_, err := t.exec(ctx, `
			DELETE FROM wh_parked WHERE endpoint_id = ? AND run_id = ? AND dead = 1 AND commit_pos IN `+values(1, len(delivered)), args...)
		return err
	})
}

// skip notes what a seek passes over, and forgets what it comes back to.
func (t *tx) skip(ctx context.Context, change Change) error {
	id, position := change.Endpoint.ID, fromPosition(change.Seek)
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO wh_skipped (endpoint_id, from_pos, until_pos)
			SELECT endpoint_id, pos, CAST(? AS BIGINT) FROM wh_cursor WHERE endpoint_id = ? AND run_id = ? AND seeks < ? AND pos < ?
			ON CONFLICT (endpoint_id, from_pos) DO UPDATE SET until_pos = excluded.until_pos`, []any{position, id, Live, change.Seeks, position}},
		{`DELETE FROM wh_skipped WHERE endpoint_id = ? AND from_pos >= ?`, []any{id, position}},
		{`UPDATE wh_skipped SET until_pos = ? WHERE endpoint_id = ? AND until_pos > ?`, []any{position, id, position}},
	} {
		if _, err := t.exec(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// PassOver notes that the live run of an endpoint leaves out an event. It may
// be called again.
func (l *Ledger) PassOver(ctx context.Context, endpointID string, position eventstore.Position) error {
	return l.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO wh_skipped (endpoint_id, from_pos, until_pos) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			endpointID, fromPosition(position)-1, fromPosition(position))
		return err
	})
}

// Span is a piece of the log: what comes after From, up to and with Until.
type Span struct{ From, Until eventstore.Position }

// Undelivered returns the events of a span that a run gave up, or that wait in
// it, in the order of the log and at most so many.
func (l *Ledger) Undelivered(ctx context.Context, key Key, span Span, most int) (list []delivery.Parked, err error) {
	rows, err := l.Read.QueryContext(ctx, `
		SELECT `+parkedColumns+` FROM wh_parked
		WHERE endpoint_id = ? AND run_id = ? AND commit_pos > ? AND commit_pos <= ? ORDER BY commit_pos LIMIT ?`,
		key.EndpointID, key.RunID, fromPosition(span.From), fromPosition(span.Until), most)
	if err != nil {
		return nil, fmt.Errorf("read what %s did not get: %w", key.EndpointID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row, err := scanParked(rows)
		if err != nil {
			return nil, fmt.Errorf("read what %s did not get: %w", key.EndpointID, err)
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// Skipped returns what the live run of an endpoint passed over within a span,
// in the order of the log.
func (l *Ledger) Skipped(ctx context.Context, endpointID string, span Span) (list []Span, err error) {
	rows, err := l.Read.QueryContext(ctx, `
		SELECT from_pos, until_pos FROM wh_skipped WHERE endpoint_id = ? AND from_pos < ? AND until_pos > ? ORDER BY from_pos`,
		endpointID, fromPosition(span.Until), fromPosition(span.From))
	if err != nil {
		return nil, fmt.Errorf("read what %s passed over: %w", endpointID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var from, until int64
		if err := rows.Scan(&from, &until); err != nil {
			return nil, fmt.Errorf("read what %s passed over: %w", endpointID, err)
		}
		list = append(list, Span{From: max(toPosition(from), span.From), Until: min(toPosition(until), span.Until)})
	}
	return list, rows.Err()
}
