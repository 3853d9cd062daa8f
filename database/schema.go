package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Table is a table as it stands in the database.
type Table struct {
	Name    string
	Columns []string // in the order of the table
	Key     []string // the primary key; none where the table has none
}

// Snapshot begins a transaction that sees the database as it is when the first
// statement of it runs, for as long as it takes. It only reads.
func (db *DB) Snapshot(ctx context.Context) (*sql.Tx, error) {
	tx, err := db.Read.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if db.server == nil {
		return tx, nil
	}
	if _, err := tx.ExecContext(ctx, `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return nil, errors.Join(fmt.Errorf("begin to read: %w", err), tx.Rollback())
	}
	return tx, nil
}

// Tables lists the tables that a transaction sees, by name, without those of
// the migrations and those that an index for full text keeps for itself.
func (db *DB) Tables(ctx context.Context, tx *sql.Tx) ([]Table, error) {
	list := sqliteTables
	if db.server != nil {
		list = postgresTables
	}
	rows, err := tx.QueryContext(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	var tables []Table
	for rows.Next() {
		var table, column string
		var key int // place in the primary key, from 1
		if err := rows.Scan(&table, &column, &key); err != nil {
			return nil, fmt.Errorf("list the tables: %w", err)
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != table {
			tables = append(tables, Table{Name: table})
		}
		t := &tables[len(tables)-1]
		t.Columns = append(t.Columns, column)
		if key > 0 {
			t.Key = append(t.Key, strings.Repeat("\x00", key)+column) // to sort them by their place
		}
	}
	for i := range tables {
		slices.SortFunc(tables[i].Key, func(a, b string) int { return strings.Count(a, "\x00") - strings.Count(b, "\x00") })
		for k := range tables[i].Key {
			tables[i].Key[k] = strings.TrimLeft(tables[i].Key[k], "\x00")
		}
	}
	return tables, rows.Err()
}

const (
	sqliteTables = `
		SELECT t.name, c.name, c.pk FROM pragma_table_list() t, pragma_table_info(t.name) c
		WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'goose_%'
		ORDER BY t.name, c.cid`
	postgresTables = `
		SELECT c.relname, a.attname, coalesce(array_position(i.indkey::int[], a.attnum::int) + 1, 0)
		FROM pg_class c
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE 'goose_%'
		ORDER BY c.relname COLLATE "C", a.attnum`
)

// Index is an index that can be made again.
type Index struct{ Name, SQL string }

// Indexes lists the indexes of a table that are made by a statement of their
// own: not those of its keys.
func (db *DB) Indexes(ctx context.Context, tx *sql.Tx, table string) ([]Index, error) {
	list := `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ? ORDER BY name`
	if db.server != nil {
		list = `SELECT x.indexname, x.indexdef FROM pg_indexes x
			WHERE x.schemaname = current_schema() AND x.tablename = ? AND NOT EXISTS (
				SELECT 1 FROM pg_constraint c WHERE c.connamespace = current_schema()::regnamespace AND c.conname = x.indexname)
			ORDER BY x.indexname`
	}
	rows, err := tx.QueryContext(ctx, list, table)
	if err != nil {
		return nil, fmt.Errorf("list the indexes of %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	var indexes []Index
	for rows.Next() {
		var index Index
		if err := rows.Scan(&index.Name, &index.SQL); err != nil {
			return nil, fmt.Errorf("list the indexes of %s: %w", table, err)
		}
		indexes = append(indexes, index)
	}
	return indexes, rows.Err()
}

// Indexing gives a transaction the memory that an index is made with.
func (db *DB) Indexing(ctx context.Context, tx *sql.Tx) error {
	if db.server == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `SET LOCAL maintenance_work_mem = '256MB'`); err != nil {
		return fmt.Errorf("take memory for an index: %w", err)
	}
	return nil
}

// Filling prepares for many rows that are written at random places, until it is
// told that this is over: SQLite keeps more pages in memory, and moves them from
// its log of changes into the file less often.
func (db *DB) Filling(ctx context.Context) (over func() error, err error) {
	set := func(ctx context.Context, cache, log int) error {
		if db.server != nil {
			return nil
		}
		_, err := db.Write.ExecContext(ctx, fmt.Sprintf(`PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = %d`, cache, log))
		if err != nil {
			return fmt.Errorf("set the memory of the database: %w", err)
		}
		return nil
	}
	const pages = 4 // KiB each
	if err := set(ctx, fillingCache, fillingCache/pages); err != nil {
		return nil, err
	}
	return func() error { return set(context.WithoutCancel(ctx), usualCache, usualLog) }, nil
}

// Analyze counts what is in the tables, for Postgres to plan by: by itself it
// does that a minute after many rows were written, or later. SQLite's plans here
// do not depend on it.
func (db *DB) Analyze(ctx context.Context) error {
	if db.server == nil {
		return nil
	}
	return db.Tx(ctx, func(tx *sql.Tx) error {
		tables, err := db.Tables(ctx, tx)
		if err != nil {
			return err
		}
		for _, table := range tables {
			if _, err := tx.ExecContext(ctx, `ANALYZE `+quoted(table.Name)); err != nil {
				return fmt.Errorf("analyze %s: %w", table.Name, err)
			}
		}
		return nil
	})
}

// Remove deletes a database that nobody has open, with everything in it. One
// that is not there is none to delete.
func Remove(ctx context.Context, cfg Config) error {
	if cfg.Server != nil {
		name := cfg.Server.schemaOf(cfg.Path)
		if _, err := cfg.Server.pool.Exec(ctx, `DROP SCHEMA IF EXISTS `+quoted(name)+` CASCADE`); err != nil {
			return fmt.Errorf("drop schema %s: %w", name, explained(ctx, err))
		}
		return nil
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(cfg.Path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete %s: %w", cfg.Path+suffix, err)
		}
	}
	return nil
}
