// Package database opens SQL databases, SQLite files or schemas of a Postgres,
// and brings them up to date. It promises that transactions of [DB.Tx] run one
// at a time, over all processes, and so never fail half-way for a lock; readers
// that do not wait for them; one text of SQL for both engines; connections that
// heal; and a clear error for what a newer program wrote. It must not know any
// table.
package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

// Config names a database and its schema.
type Config struct {
	// Path of the SQLite file; folders are made as needed. On Postgres the
	// file's name is that of the schema: orders-v2.db is orders_v2.
	Path string
	// Server is the Postgres to use instead of a file; nil is SQLite.
	Server *Server
	// Migrations are goose files in the root of the file system.
	Migrations fs.FS
	// Durable waits for the disk at each commit. Without it a power cut may
	// take the last transactions back, whole ones and in order; the end of the
	// process takes nothing. That is enough for what can be made again.
	Durable bool
}

// Embedded is a folder of migrations that the program carries with it, as
// [Config] wants them.
func Embedded(files embed.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the name of the folder is no path
	}
	return sub
}

// DB is an open database.
type DB struct {
	Write *sql.DB // SQLite has one connection, whose BEGIN locks
	Read  *sql.DB // a pool; SQLite refuses to write with it

	server  *Server // nil is SQLite
	schema  string  // Postgres's
	section int64   // the lock of a section, 0 is the whole
}

// ErrNewer says that the schema was written by a newer program.
var ErrNewer = errors.New("the database was written by a newer version of the program")

// Open opens a database, makes it if there is none, and migrates it.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Server != nil {
		return openSchema(ctx, cfg)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", cfg.Path, err)
	}
	db, err := connect(cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	if err := migrate(ctx, goose.DialectSQLite3, db.Write, migrationsFor{FS: cfg.Migrations}); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s: %w", cfg.Path, err), db.Close())
	}
	return db, nil
}

// openSchema migrates while no other process does: several may start at once.
func openSchema(ctx context.Context, cfg Config) (*DB, error) {
	db, err := connectPostgres(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open schema %s of %s: %w", cfg.Server.schemaOf(cfg.Path), cfg.Server, err)
	}
	err = cfg.Server.locked(ctx, "migrate "+db.schema, func(ctx context.Context) error {
		return migrate(ctx, goose.DialectPostgres, db.Write, migrationsFor{FS: cfg.Migrations, postgres: true})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate schema %s of %s: %w", db.schema, cfg.Server, err), db.Close())
	}
	return db, nil
}

func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, migrations fs.FS) error {
	provider, err := goose.NewProvider(dialect, db, migrations)
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

// Script runs statements without arguments, one after the other, that make
// tables where there are none. They are written as those of a migration are.
func (db *DB) Script(ctx context.Context, script string) error {
	return db.Tx(ctx, func(tx *sql.Tx) error {
		if db.server != nil {
			script = schemaText(script)
		}
		_, err := tx.ExecContext(ctx, script)
		return err
	})
}

// Tx runs do as one transaction: all of it or, when it returns an error,
// nothing. No other of this database's runs beside it, in any process. On
// Postgres do may be called again, after what it wrote was undone, where others
// were in the way.
func (db *DB) Tx(ctx context.Context, do func(*sql.Tx) error) error {
	return Retry(func() error { return db.tx(ctx, do) })
}

func (db *DB) tx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.Write.BeginTx(context.WithValue(ctx, alone{}, alone{db.section}), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// After a panic, too, the connection must be free again.
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Section is one of several parts of a database: a transaction of a section runs
// beside those of the others, but beside none of the same section and none of
// the whole. It is for rows that no other section touches. A file has one
// writer: there a section is the whole. What a section uses is closed with the
// database.
func (db *DB) Section(number, of int) *DB {
	if db.server == nil {
		return db
	}
	section := *db
	section.section = lockKey(fmt.Sprintf("write %s %d/%d", db.schema, number, of))
	db.Write.SetMaxOpenConns(maxWriting + of) // they need not wait for each other
	return &section
}

// Shared tells whether other processes may work on the same database: one on
// Postgres. A file belongs to whoever holds the lock of its folder.
func (db *DB) Shared() bool { return db.server != nil }

// Close closes both sides.
func (db *DB) Close() error {
	return errors.Join(db.Read.Close(), db.Write.Close())
}
