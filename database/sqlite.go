package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
)

const (
	usualCache   = 16 * 1024 // KiB
	usualLog     = 4000      // pages of changes, before they are moved into the file
	fillingCache = 96 * 1024 // KiB
)

// connect opens the two sides of a SQLite file. WAL lets readers go on while
// somebody writes.
func connect(cfg Config) (*DB, error) {
	// Each pragma is named once: the driver executes them in alphabetical order.
	pragmas := []string{"journal_mode(WAL)", fmt.Sprintf("wal_autocheckpoint(%d)", usualLog)}
	if cfg.Durable {
		// What matters to somebody also has to go when it is deleted.
		pragmas = append(pragmas, "synchronous(FULL)", "secure_delete(true)")
	} else {
		pragmas = append(pragmas, "synchronous(NORMAL)")
	}
	write, err := open(source(cfg.Path, "immediate", pragmas...))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.Ping(); err != nil { //nolint:noctx // opens a local file
		return nil, errors.Join(err, write.Close())
	}
	read, err := open(source(cfg.Path, "deferred", "query_only(true)"))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	return &DB{Write: write, Read: read}, nil
}

func source(path, lock string, pragmas ...string) string {
	query := url.Values{"_txlock": {lock}}
	for _, pragma := range append([]string{"busy_timeout(10000)", "foreign_keys(true)", "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", usualCache)}, pragmas...) {
		query.Add("_pragma", pragma)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// Forget removes from the disk what was deleted or overwritten before: the log
// of changes is worked into the file and emptied. It waits for readers; the
// error says that they took too long, and it may be asked again. It needs a
// [Config.Durable] database, which overwrites what is deleted.
//
// On Postgres it makes the space free to be overwritten. What was there stays on
// the server's disk until it is, and in its log of changes and its backups for
// as long as they are kept.
func (db *DB) Forget(ctx context.Context) error {
	if db.server != nil {
		return db.vacuum(ctx)
	}
	var busy, frames, moved int
	row := db.Write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	if err := row.Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("empty the log of changes: %w", err)
	}
	if busy != 0 {
		return errors.New("empty the log of changes: a reader is in the way")
	}
	return nil
}

// Alone makes a SQLite file that nobody has open one that needs no other file
// beside it: it may be copied, or read where nothing can be written.
func Alone(ctx context.Context, path string) (err error) {
	db, err := open(source(path, "immediate"))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode); err != nil || mode != "delete" {
		return errors.Join(fmt.Errorf("work the log of changes into %s: it stays in mode %q", path, mode), err)
	}
	return nil
}
