// Package inbox remembers which effects were brought about, so that an event
// that comes again causes none. It promises that an effect that succeeded is
// not begun again, and that no two attempts at one are under way at once, in
// any number of processes. What it cannot promise is that an effect whose
// process died in the middle did not happen: it is begun again, with the same
// key, by which the other side may tell it.
package inbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are those of its table.
func Migrations() fs.FS { return database.Embedded(migrations, "migrations") }

// ErrBusy says that another attempt at the same effect is under way: come back
// later.
var ErrBusy = errors.New("another attempt at the same effect is under way")

// Inbox keeps the effects of one handler.
type Inbox struct {
	DB      *database.DB
	Handler string
	Now     func() time.Time
	// Lease is how long an attempt may take: longer than its own deadline; 0
	// is 2 min.
	Lease time.Duration
}

// Do brings about an effect once. The error is the effect's, [ErrBusy], or one
// of the database.
func (i *Inbox) Do(ctx context.Context, key string, effect func(context.Context) error) error {
	owner := uuid.NewString()
	done, err := i.claim(ctx, key, owner)
	if err != nil || done {
		return err
	}
	if err := effect(ctx); err != nil {
		// Whoever tries again need not wait. If this fails, the lease runs out.
		_, release := i.DB.Write.ExecContext(context.WithoutCancel(ctx), `UPDATE inbox SET until = 0 WHERE handler = ? AND key = ? AND owner = ? AND done_at IS NULL`, i.Handler, key, owner)
		return errors.Join(err, release)
	}
	// The effect is there, and is noted although the caller may be gone.
	_, err = i.DB.Write.ExecContext(context.WithoutCancel(ctx), `UPDATE inbox SET done_at = ? WHERE handler = ? AND key = ?`, i.Now().UnixMilli(), i.Handler, key)
	if err != nil {
		return fmt.Errorf("note that %s was done: %w", key, err)
	}
	return nil
}

// claim takes a key, unless it is done or somebody is at it.
func (i *Inbox) claim(ctx context.Context, key, owner string) (done bool, err error) {
	const lease = 2 * time.Minute
	until := i.Lease
	if until == 0 {
		until = lease
	}
	now := i.Now()
	var taken string
	err = i.DB.Write.QueryRowContext(ctx, `
		INSERT INTO inbox (handler, key, owner, until) VALUES (?, ?, ?, ?)
		ON CONFLICT (handler, key) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE inbox.done_at IS NULL AND inbox.until <= ?
		RETURNING owner`, i.Handler, key, owner, now.Add(until).UnixMilli(), now.UnixMilli()).Scan(&taken)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("claim %s: %w", key, err)
	}
	var doneAt sql.NullInt64
	if err := i.DB.Read.QueryRowContext(ctx, `SELECT done_at FROM inbox WHERE handler = ? AND key = ?`, i.Handler, key).Scan(&doneAt); err != nil {
		return false, fmt.Errorf("look up %s: %w", key, err)
	}
	if !doneAt.Valid {
		return false, ErrBusy
	}
	return true, nil
}

// Prune forgets what was done before a time: an event that comes again after it
// has its effect again. It returns how many keys there were.
func (i *Inbox) Prune(ctx context.Context, before time.Time) (int64, error) {
	result, err := i.DB.Write.ExecContext(ctx, `DELETE FROM inbox WHERE handler = ? AND done_at < ?`, i.Handler, before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("prune the inbox: %w", err)
	}
	return result.RowsAffected()
}
