package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/database"
)

// State is what a version of a read model is for.
type State string

// What a version may be for.
const (
	Building State = "building" // a rebuild fills it
	Live     State = "live"     // it is read
	Kept     State = "kept"     // it was live, and may be again
)

// Version is one database of a read model.
type Version struct {
	Code      int // of the program's code
	Build     int // how often it was built anew with that code
	State     State
	Since     time.Time // it is in that state
	KeepUntil time.Time // of what is kept
	UsedAt    time.Time // a program last said that it reads it
}

// String is what people call it: 2, and 2.1 after it was built anew.
func (v Version) String() string {
	if v.Build == 0 {
		return fmt.Sprint(v.Code)
	}
	return fmt.Sprintf("%d.%d", v.Code, v.Build)
}

// Catalogue knows the databases of all read models: which of them is read,
// which are being filled, which are kept to go back to. It also keeps what
// people decided about them, and outlives the program.
type Catalogue struct {
	db  *database.DB
	cfg Config
}

// OpenCatalogue opens it where the read models are.
func OpenCatalogue(ctx context.Context, cfg Config) (*Catalogue, error) {
	db, err := database.Open(ctx, database.Config{
		Path: cataloguePath(cfg), Server: cfg.Server, Migrations: schema("catalogue"), Durable: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open the catalogue of read models: %w", err)
	}
	return &Catalogue{db, cfg}, nil
}

func cataloguePath(cfg Config) string { return filepath.Join(cfg.Dir, "catalogue.db") }

// Close closes the catalogue.
func (c *Catalogue) Close() error { return c.db.Close() }

func storePath(dir, name string, code, build int) string {
	file := fmt.Sprintf("%s-v%d.db", name, code)
	if build > 0 {
		file = fmt.Sprintf("%s-v%d-%d.db", name, code, build)
	}
	return filepath.Join(dir, file)
}

// Versions lists the databases of a read model, the newest first.
func (c *Catalogue) Versions(ctx context.Context, projection string) ([]Version, error) {
	rows, err := c.db.Read.QueryContext(ctx, `SELECT version, build, state, changed_at, keep_until, used_at FROM versions
		WHERE projection = ? ORDER BY version DESC, build DESC`, projection)
	return rowsOf(rows, err, scanVersion)
}

func scanVersion(rows *sql.Rows) (v Version, err error) {
	var since, keep, used int64
	err = rows.Scan(&v.Code, &v.Build, &v.State, &since, &keep, &used)
	v.Since, v.KeepUntil, v.UsedAt = fromMillis(since), fromMillis(keep), fromMillis(used)
	return v, err
}

// live returns which build is read by the code of a version. Where there is
// none it is the first, and what earlier code reads is kept from then on.
func (c *Catalogue) live(ctx context.Context, projection string, code int) (build int, err error) {
	now := c.cfg.Now()
	err = c.db.Tx(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT build FROM versions WHERE projection = ? AND version = ? AND state = 'live'`, projection, code)
		if err := row.Scan(&build); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO versions (projection, version, build, state, changed_at, keep_until, used_at) VALUES (?, ?, 0, 'live', ?, 0, ?)
			ON CONFLICT (projection, version, build) DO UPDATE SET state = 'live', changed_at = excluded.changed_at, keep_until = 0`,
			projection, code, millis(now), millis(now))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look up the live version of %s: %w", projection, err)
	}
	return build, nil
}

// lives returns the live builds of all read models, by name and version.
func (c *Catalogue) lives(ctx context.Context) (map[string]int, error) {
	type live struct {
		projection  string
		code, build int
	}
	rows, err := c.db.Read.QueryContext(ctx, `SELECT projection, version, build FROM versions WHERE state = 'live'`)
	list, err := rowsOf(rows, err, func(rows *sql.Rows) (l live, err error) {
		return l, rows.Scan(&l.projection, &l.code, &l.build)
	})
	all := map[string]int{}
	for _, l := range list {
		all[versionName(l.projection, l.code)] = l.build
	}
	return all, err
}

func versionName(projection string, code int) string { return fmt.Sprintf("%s v%d", projection, code) }

// keepFor is how long a version is kept that was live.
const keepFor = 24 * time.Hour

// swap makes a build the one that is read, and keeps the one that was.
func (c *Catalogue) swap(ctx context.Context, tx *sql.Tx, projection string, code, build int) error {
	now := c.cfg.Now()
	for _, step := range []struct {
		text string
		args []any
	}{
		{
			`UPDATE versions SET keep_until = ? WHERE projection = ? AND version = ? AND state = 'kept' AND build <> ?`,
			[]any{millis(now), projection, code, build},
		}, // one is enough to go back to
		{
			`UPDATE versions SET state = 'kept', changed_at = ?, keep_until = ? WHERE projection = ? AND version = ? AND state = 'live' AND build <> ?`,
			[]any{millis(now), millis(now.Add(keepFor)), projection, code, build},
		},
		{
			`UPDATE versions SET state = 'live', changed_at = ?, keep_until = 0, used_at = ? WHERE projection = ? AND version = ? AND build = ?`,
			[]any{millis(now), millis(now), projection, code, build},
		},
	} {
		if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// nextBuild enters a build that is to be filled.
func (c *Catalogue) nextBuild(ctx context.Context, tx *sql.Tx, projection string, code int) (build int, err error) {
	now := c.cfg.Now()
	err = tx.QueryRowContext(ctx, `
		INSERT INTO versions (projection, version, build, state, changed_at, keep_until, used_at)
		SELECT ?, ?, coalesce(max(build), -1) + 1, 'building', ?, 0, ? FROM versions WHERE projection = ? AND version = ?
		RETURNING build`, projection, code, millis(now), millis(now), projection, code).Scan(&build)
	return build, err
}

// remove deletes a database that nobody reads, and forgets it: also one that is
// live for code that no program has any more.
func (c *Catalogue) remove(ctx context.Context, projection string, code, build int) error {
	err := database.Remove(ctx, database.Config{Path: storePath(c.cfg.Dir, projection, code, build), Server: c.cfg.Server})
	if err == nil {
		_, err = c.db.Write.ExecContext(ctx, `DELETE FROM versions WHERE projection = ? AND version = ? AND build = ? AND (state <> 'live' OR used_at < ?)`,
			projection, code, build, millis(c.cfg.Now().Add(-keepFor)))
	}
	if err != nil {
		return fmt.Errorf("remove version %s of %s: %w", Version{Code: code, Build: build}, projection, err)
	}
	return nil
}

// used says that a program reads a version, so that no other one removes it.
func (c *Catalogue) used(ctx context.Context, projection string, code, build int) error {
	_, err := c.db.Write.ExecContext(ctx, `UPDATE versions SET used_at = ? WHERE projection = ? AND version = ? AND build = ?`,
		millis(c.cfg.Now()), projection, code, build)
	return err
}
