package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

// Attempt is one attempt that was made. What was sent is not kept: it follows
// from the event.
type Attempt struct {
	EndpointID string
	RunID      string
	Position   eventstore.Position
	Lane       string // the event's stream
	EventID    string
	EventType  string
	Attempt    int
	At         time.Time
	Status     int // HTTP, or 0 when there was no answer
	Class      delivery.Class
	Took       time.Duration
	TraceID    string
	Response
}

// Response is what the receiver answered, as far as it is kept. It is a
// stranger's text: for the endpoint's owner only, and never to be shown as
// anything but text.
type Response struct {
	Head string // "Name: value" lines
	Body string
}

// Attempts are in a table for each day (UTC): old ones are dropped with their
// table, which costs the same however many they were. The text is what both
// engines understand.
const dayTable = `
	CREATE TABLE IF NOT EXISTS %[1]s (
		endpoint_id TEXT   NOT NULL,
		run_id      TEXT   NOT NULL,
		commit_pos  BIGINT NOT NULL,
		lane        TEXT   NOT NULL, -- the event's stream
		event_id    TEXT   NOT NULL,
		event_type  TEXT   NOT NULL,
		attempt     BIGINT NOT NULL,
		at          BIGINT NOT NULL, -- microseconds
		status      BIGINT NOT NULL, -- HTTP, or 0
		class       TEXT   NOT NULL,
		micros      BIGINT NOT NULL, -- how long it took
		trace_id    TEXT   NOT NULL,
		resp_head   TEXT   NOT NULL,
		resp_body   TEXT   NOT NULL
	)`

const dayIndex = `CREATE INDEX IF NOT EXISTS %[1]s_endpoint ON %[1]s (endpoint_id, at)`

const attemptColumns = `endpoint_id, run_id, commit_pos, lane, event_id, event_type, attempt, at, status, class, micros, trace_id, resp_head, resp_body`

// day is a day of UTC as a number, 20260304.
type day int64

func dayOf(t time.Time) day {
	t = t.UTC()
	return day(t.Year()*10_000 + int(t.Month())*100 + t.Day())
}

func (d day) table() string { return fmt.Sprintf("wh_attempt_%d", int64(d)) }

// days remembers which tables there are.
type days struct {
	mu    sync.Mutex
	known map[day]bool
}

func (d *days) has(one day) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[one]
}

func (d *days) set(one day, is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[day]bool{}
	}
	d.known[one] = is
}

// insertAttempts returns the days whose tables it made; they exist once the
// transaction is committed.
func (t *tx) insertAttempts(ctx context.Context, known *days, attempts []Attempt) (made []day, err error) {
	for of, list := range byDay(attempts) {
		if !known.has(of) {
			if err := t.makeDay(ctx, of); err != nil {
				return nil, err
			}
			made = append(made, of)
		}
		if err := t.insertInto(ctx, of.table(), list); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func byDay(attempts []Attempt) map[day][]Attempt {
	days := map[day][]Attempt{}
	for _, a := range attempts {
		days[dayOf(a.At)] = append(days[dayOf(a.At)], a)
	}
	return days
}

func (t *tx) makeDay(ctx context.Context, of day) error {
	for _, query := range []string{fmt.Sprintf(dayTable, of.table()), fmt.Sprintf(dayIndex, of.table())} {
		if _, err := t.exec(ctx, query); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `INSERT INTO wh_attempt_day (day) VALUES (?) ON CONFLICT DO NOTHING`, int64(of))
	return err
}

func (t *tx) insertInto(ctx context.Context, table string, attempts []Attempt) error {
	return inChunks(attempts, func(attempts []Attempt) error {
		const columns = 14
		args := make([]any, 0, len(attempts)*columns)
		for _, a := range attempts {
			args = append(args, a.EndpointID, a.RunID, fromPosition(a.Position), a.Lane, a.EventID, a.EventType, a.Attempt,
				a.At.UnixMicro(), a.Status, string(a.Class), a.Took.Microseconds(), a.TraceID, a.Head, a.Body)
		}
		_, err := t.exec(ctx, `INSERT INTO `+table+` (`+attemptColumns+`) VALUES `+values(len(attempts), columns), args...)
		return err
	})
}

// AttemptFilter chooses attempts at one endpoint.
type AttemptFilter struct {
	EndpointID string
	EventID    string         // empty is every one
	Lane       string         // the event's stream; empty is every one
	RunID      string         // empty is every one
	Class      delivery.Class // empty is every one
	From, To   time.Time      // made then or later, and earlier; zero is any time
	Before     Attempt        // those older than it; the zero value is none
	Limit      int
}

// Attempts returns the last attempts at an endpoint, newest first.
func (l *Ledger) Attempts(ctx context.Context, endpointID string, limit int) ([]Attempt, error) {
	return l.FindAttempts(ctx, AttemptFilter{EndpointID: endpointID, Limit: limit})
}

// FindAttempts returns the attempts that a filter chooses, newest first.
func (l *Ledger) FindAttempts(ctx context.Context, f AttemptFilter) (list []Attempt, err error) {
	// One transaction, so that no table is dropped while it is looked for.
	snapshot, err := l.Read.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read attempts at %s: %w", f.EndpointID, err)
	}
	defer func() { _ = snapshot.Rollback() }()
	all, err := attemptDays(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	for _, of := range all {
		if f.leavesOut(of) {
			continue
		}
		if list, err = f.read(ctx, snapshot, of, list); err != nil {
			return nil, fmt.Errorf("read attempts at %s: %w", f.EndpointID, err)
		}
		if len(list) >= f.Limit {
			break
		}
	}
	return list, nil
}

// attemptDays returns the days there are tables of, the last one first.
func attemptDays(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) (all []day, err error) {
	rows, err := db.QueryContext(ctx, `SELECT day FROM wh_attempt_day ORDER BY day DESC`)
	if err != nil {
		return nil, fmt.Errorf("read the days of attempts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one day
		if err := rows.Scan(&one); err != nil {
			return nil, fmt.Errorf("read the days of attempts: %w", err)
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// leavesOut says that nothing of a day is wanted.
func (f AttemptFilter) leavesOut(of day) bool {
	return (!f.Before.At.IsZero() && of > dayOf(f.Before.At)) || (!f.To.IsZero() && of > dayOf(f.To)) || (!f.From.IsZero() && of < dayOf(f.From))
}

func (f AttemptFilter) where() (condition string, args []any) {
	condition, args = "endpoint_id = ?", []any{f.EndpointID}
	for _, part := range []struct{ column, value string }{{"event_id", f.EventID}, {"lane", f.Lane}, {"run_id", f.RunID}, {"class", string(f.Class)}} {
		if part.value != "" {
			condition, args = condition+" AND "+part.column+" = ?", append(args, part.value)
		}
	}
	if !f.From.IsZero() {
		condition, args = condition+" AND at >= ?", append(args, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		condition, args = condition+" AND at < ?", append(args, f.To.UnixMicro())
	}
	if !f.Before.At.IsZero() {
		condition += " AND (at, commit_pos, attempt) < (?, ?, ?)"
		args = append(args, f.Before.At.UnixMicro(), fromPosition(f.Before.Position), f.Before.Attempt)
	}
	return condition, args
}

func (f AttemptFilter) read(ctx context.Context, snapshot *sql.Tx, of day, list []Attempt) (_ []Attempt, err error) {
	condition, args := f.where()
	//nolint:gosec // the parts are constants, what comes from outside are arguments
	rows, err := snapshot.QueryContext(ctx, `SELECT `+attemptColumns+` FROM `+of.table()+` WHERE `+condition+
		` ORDER BY at DESC, commit_pos DESC, attempt DESC LIMIT ?`, append(args, f.Limit-len(list))...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		a, err := scanAttempt(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

func scanAttempt(rows *sql.Rows) (Attempt, error) {
	var a Attempt
	var position, at, micros int64
	err := rows.Scan(&a.EndpointID, &a.RunID, &position, &a.Lane, &a.EventID, &a.EventType, &a.Attempt, &at, &a.Status, &a.Class, &micros,
		&a.TraceID, &a.Head, &a.Body)
	a.Position, a.At, a.Took = toPosition(position), time.UnixMicro(at).UTC(), time.Duration(micros)*time.Microsecond
	return a, err
}

// PrepareAttempts makes the tables of a day and the next one, so that no result
// has to wait for it.
func (l *Ledger) PrepareAttempts(ctx context.Context, now time.Time) error {
	for _, of := range []day{dayOf(now), dayOf(now.AddDate(0, 0, 1))} {
		if l.days.has(of) {
			continue
		}
		if err := l.tx(ctx, func(ctx context.Context, t *tx) error { return t.makeDay(ctx, of) }); err != nil {
			return fmt.Errorf("prepare for the attempts of %d: %w", of, err)
		}
		l.days.set(of, true)
	}
	return nil
}

// ForgetAttempts drops the days that ended before a time, and what replays gave
// up that ended before it.
func (l *Ledger) ForgetAttempts(ctx context.Context, before time.Time) error {
	all, err := attemptDays(ctx, l.Read)
	if err != nil {
		return err
	}
	for _, of := range all {
		if of >= dayOf(before) {
			continue
		}
		if err := l.dropDay(ctx, of); err != nil {
			return fmt.Errorf("forget the attempts of %d: %w", of, err)
		}
	}
	return l.forgetEnded(ctx, before)
}

func (l *Ledger) dropDay(ctx context.Context, of day) error {
	l.days.set(of, false)
	return l.tx(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, `DROP TABLE IF EXISTS `+of.table()); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM wh_attempt_day WHERE day = ?`, int64(of))
		return err
	})
}
