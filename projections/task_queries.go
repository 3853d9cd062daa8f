package projections

import (
	"context"
	"database/sql"
	"time"

	"github.com/waybill-dev/waybill/domain/process"
)

// TaskRow is a task that is not closed.
type TaskRow struct {
	OrderID  string
	Task     process.Task
	OpenedAt time.Time // when it was first asked for
	Position int64     // in the log, of the event that did
	DueAt    time.Time
	NextAt   time.Time // DueAt, or when it is tried again
	Failures int
	Alarmed  time.Time // zero if it is not
	Cause    string    // of the last failure
	Paused   bool      // because the order is on hold
	// TraceParent is that of the event that opened the task.
	TraceParent string
}

// TaskQueries reads the to-do list.
type TaskQueries struct{ DB *sql.DB }

const (
	taskColumns = `SELECT order_id, kind, ref, opened_by, opened_at, due_at, next_at, failures, alarmed_at, cause, position, paused, traceparent FROM tasks `
	dueTasks    = taskColumns + `WHERE paused = 0 AND next_at <= ? AND (next_at, order_id, kind, ref) > (?, ?, ?, ?)
		ORDER BY next_at, order_id, kind, ref LIMIT ?`
	orderTasks   = taskColumns + `WHERE order_id = ? ORDER BY position, kind, ref`
	alarmedTasks = taskColumns + `WHERE alarmed_at > 0 ORDER BY alarmed_at LIMIT ?`
	countTasks   = `SELECT kind, count(*), min(due_at), count(CASE WHEN failures > 0 THEN 1 END), count(CASE WHEN alarmed_at > 0 THEN 1 END) FROM tasks WHERE paused = 0 AND due_at <= ? GROUP BY kind`
)

// Due returns up to limit tasks whose time has come, the longest due first,
// after one of them; the zero row is the beginning. What an order on hold keeps
// waiting is not due.
func (q TaskQueries) Due(ctx context.Context, now time.Time, after TaskRow, limit int) ([]TaskRow, error) {
	rows, err := q.DB.QueryContext(ctx, dueTasks, millis(now),
		millis(after.NextAt), after.OrderID, string(after.Task.Kind), after.Task.Ref, limit)
	return rowsOf(rows, err, scanTask)
}

// Of returns the tasks of an order, in the order they were opened.
func (q TaskQueries) Of(ctx context.Context, orderID string) ([]TaskRow, error) {
	rows, err := q.DB.QueryContext(ctx, orderTasks, orderID)
	return rowsOf(rows, err, scanTask)
}

// Alarmed returns up to limit tasks that raised an alarm, the longest first.
func (q TaskQueries) Alarmed(ctx context.Context, limit int) ([]TaskRow, error) {
	rows, err := q.DB.QueryContext(ctx, alarmedTasks, limit)
	return rowsOf(rows, err, scanTask)
}

func scanTask(rows *sql.Rows) (t TaskRow, err error) {
	var opened, due, next, alarmed int64
	err = rows.Scan(&t.OrderID, &t.Task.Kind, &t.Task.Ref, &t.Task.OpenedBy, &opened, &due, &next, &t.Failures, &alarmed, &t.Cause, &t.Position, &t.Paused, &t.TraceParent)
	t.OpenedAt, t.DueAt, t.NextAt, t.Alarmed = fromMillis(opened), fromMillis(due), fromMillis(next), fromMillis(alarmed)
	return t, err
}

// TaskCount is how many tasks of a kind are due.
type TaskCount struct {
	Kind                  process.Kind
	Due, Failing, Alarmed int
	Oldest                time.Time // since when the first of them is
}

// Count counts the tasks whose time has come, those that failed and wait
// included, but not those that a hold keeps waiting, by kind.
func (q TaskQueries) Count(ctx context.Context, now time.Time) ([]TaskCount, error) {
	rows, err := q.DB.QueryContext(ctx, countTasks, millis(now))
	return rowsOf(rows, err, func(rows *sql.Rows) (c TaskCount, err error) {
		var oldest int64
		err = rows.Scan(&c.Kind, &c.Due, &oldest, &c.Failing, &c.Alarmed)
		c.Oldest = fromMillis(oldest)
		return c, err
	})
}
