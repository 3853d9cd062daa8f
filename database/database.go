// Package database opens SQL databases and brings their schema up to date. It
// promises one writer at a time, whose transactions lock at once and so never
// fail half-way for a lock, readers that do not wait for it, and a clear error
// for a file that a newer program wrote. It must not know any table.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

// Config names a database file and its schema.
type Config struct {
	// Path of the SQLite file; folders are made as needed.
	Path string
	// Migrations are goose files in the root of the file system.
	Migrations fs.FS
	// Durable waits for the disk at each commit. Without it a power cut may
	// take the last transactions back, whole ones and in order; the end of the
	// process takes nothing. That is enough for what can be made again.
	Durable bool
}

// DB is an open database.
type DB struct {
	Write *sql.DB // one connection; BEGIN locks
	Read  *sql.DB // a pool; writes are refused
}

// ErrNewer says that the schema was written by a newer program.
var ErrNewer = errors.New("the database was written by a newer version of the program")

// Open opens a database, makes it if there is none, and migrates it.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", cfg.Path, err)
	}
	db, err := connect(cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	if err := migrate(ctx, db.Write, cfg.Migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s: %w", cfg.Path, err), db.Close())
	}
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("schema %d, this program knows up to %d: %w", current, target, ErrNewer)
	}
	_, err = provider.Up(ctx)
	return err
}

// Tx runs do as one transaction: all of it or, when it returns an error,
// nothing.
func (db *DB) Tx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// After a panic, too, the one connection must be free again.
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Close closes both sides.
func (db *DB) Close() error {
	return errors.Join(db.Read.Close(), db.Write.Close())
}
