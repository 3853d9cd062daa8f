package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// maxWriting is how many connections one database writes with: transactions
// wait for each other, single statements need not.
const maxWriting = 4

// connectPostgres opens one schema. Its connections are those of the server,
// lent for as long as a statement or a transaction takes.
func connectPostgres(ctx context.Context, cfg Config) (*DB, error) {
	name := cfg.Server.schemaOf(cfg.Path)
	s := &schema{name: name, path: quoted(name), lock: lockKey("write " + name), pool: stdlib.GetPoolConnector(cfg.Server.pool)}
	err := cfg.Server.locked(ctx, "migrate", func(ctx context.Context) error {
		_, err := cfg.Server.pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+s.path)
		return explained(ctx, err)
	})
	if err != nil {
		return nil, err
	}
	write, read := sql.OpenDB(s), sql.OpenDB(s)
	write.SetMaxOpenConns(maxWriting)
	for _, db := range []*sql.DB{write, read} {
		db.SetMaxIdleConns(-1) // they go back to the server's
	}
	return &DB{Write: write, Read: read, server: cfg.Server, schema: name}, nil
}

// schema lends connections that see one schema.
type schema struct {
	name, path string
	lock       int64
	pool       driver.Connector

	texts sync.Map // of statements, as Postgres wants them
	kept  atomic.Int64
}

// Connect implements [driver.Connector].
func (s *schema) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := s.pool.Connect(ctx)
	if err != nil {
		return nil, explained(ctx, err)
	}
	return &pgConn{Conn: raw.(*stdlib.Conn), schema: s}, nil
}

// Driver implements [driver.Connector].
func (s *schema) Driver() driver.Driver { return s.pool.Driver() }

// text is a statement with its parameters numbered. The schema's name in front
// keeps apart what a connection has prepared for each, and tells whoever looks
// at pg_stat_activity.
func (s *schema) text(query string) string {
	if known, ok := s.texts.Load(query); ok {
		return known.(string)
	}
	text := "/* " + s.name + " */ " + numbered(query)
	if s.kept.Load() < keptTexts { // texts that are made up each time are not kept for ever
		if _, there := s.texts.LoadOrStore(query, text); !there {
			s.kept.Add(1)
		}
	}
	return text
}

// pgConn is a connection that is lent to one schema.
type pgConn struct {
	*stdlib.Conn

	schema *schema
}

const seenSchema = "waybill schema" // the last one that a connection was made to see

// see makes the connection see our schema, if it last saw another one.
func (c *pgConn) see(ctx context.Context) error {
	conn := c.Conn.Conn().PgConn()
	if conn.CustomData()[seenSchema] == c.schema.name {
		return nil
	}
	if conn.IsClosed() {
		return unavailable{driver.ErrBadConn}
	}
	if _, err := conn.Exec(ctx, `SET search_path = `+c.schema.path).ReadAll(); err != nil {
		return explained(ctx, err)
	}
	conn.CustomData()[seenSchema] = c.schema.name
	return nil
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *pgConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if _, ours := v.Value.(together); ours {
		return nil
	}
	v.Value, err = postgresValue(v.Value)
	return err
}

// explained marks whatever happens to a connection that is lost by it.
func (c *pgConn) explained(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && sqlState(err) == "" && c.Conn.Conn().IsClosed() && !errors.Is(err, ErrUnavailable) {
		return unavailable{err}
	}
	return explained(ctx, err)
}

// ExecContext implements [driver.ExecerContext].
func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.see(ctx); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return c.script(ctx, query)
	}
	if statements, ok := args[0].Value.(together); ok {
		return c.send(ctx, statements)
	}
	result, err := c.Conn.ExecContext(ctx, c.schema.text(query), args)
	return result, c.explained(ctx, err)
}

// script runs what has no arguments: it may be several statements, and is not
// worth preparing.
func (c *pgConn) script(ctx context.Context, query string) (driver.Result, error) {
	tag, err := c.Conn.Conn().Exec(ctx, query, pgx.QueryExecModeSimpleProtocol)
	return driver.RowsAffected(tag.RowsAffected()), c.explained(ctx, err)
}

// QueryContext implements [driver.QueryerContext].
func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.see(ctx); err != nil {
		return nil, err
	}
	found, err := c.Conn.QueryContext(ctx, c.schema.text(query), searching(args))
	if err != nil {
		return nil, c.explained(ctx, err)
	}
	return &pgRows{Rows: found.(*stdlib.Rows), ctx: ctx}, nil
}

// searching has a full-text search planned for the words that are looked for:
// one that is prepared is soon planned for words in general, and reads all rows
// for the lack of a rare one.
func searching(args []driver.NamedValue) []driver.NamedValue {
	for i, arg := range args {
		query, ok := arg.Value.(tsquery)
		if !ok {
			continue
		}
		planned := append([]driver.NamedValue{{Value: pgx.QueryExecModeCacheDescribe}}, args...)
		planned[i+1].Value = string(query)
		for i := range planned {
			planned[i].Ordinal = i + 1
		}
		return planned
	}
	return args
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *pgConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errors.New("statements are kept prepared already: run the text itself")
}

// BeginTx implements [driver.ConnBeginTx]. What has to happen at the beginning
// goes along in the same message.
func (c *pgConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts.Isolation != 0 || opts.ReadOnly {
		return nil, errors.New("transactions have no options here")
	}
	conn := c.Conn.Conn().PgConn()
	if conn.IsClosed() {
		return nil, unavailable{driver.ErrBadConn}
	}
	text := `BEGIN`
	if conn.CustomData()[seenSchema] != c.schema.name {
		text += `; SET LOCAL search_path = ` + c.schema.path
	}
	switch turn, ok := ctx.Value(alone{}).(alone); {
	case ok && turn.section != 0:
		text += fmt.Sprintf(`; SELECT pg_advisory_xact_lock_shared(%d); SELECT pg_advisory_xact_lock(%d)`, c.schema.lock, turn.section)
	case ok:
		text += fmt.Sprintf(`; SELECT pg_advisory_xact_lock(%d)`, c.schema.lock)
	}
	if _, err := conn.Exec(ctx, text).ReadAll(); err != nil {
		return nil, c.explained(ctx, err)
	}
	inside := conn.CustomData()[seenSchema]
	conn.CustomData()[seenSchema] = c.schema.name
	return &pgTx{conn: c, ctx: ctx, before: inside}, nil
}

// alone marks the context of a transaction that no other of its database, or of
// its section, may run beside. Its zero value is also the key of that mark.
type alone struct{ section int64 }

type pgTx struct {
	conn   *pgConn
	ctx    context.Context //nolint:containedctx // [driver.Tx] has none of its own
	before any             // the schema that the connection saw before
}

// Commit implements [driver.Tx].
func (t *pgTx) Commit() error {
	// The server answers ROLLBACK when a statement of the transaction failed.
	if done, err := t.end(`COMMIT`); err != nil || done == `COMMIT` {
		return err
	}
	return errors.New("the transaction was rolled back, because one of its statements failed")
}

// Rollback implements [driver.Tx].
func (t *pgTx) Rollback() error {
	_, err := t.end(`ROLLBACK`)
	return err
}

func (t *pgTx) end(how string) (string, error) {
	conn := t.conn.Conn.Conn().PgConn()
	conn.CustomData()[seenSchema] = t.before
	results, err := conn.Exec(t.ctx, how).ReadAll()
	if err != nil || len(results) == 0 {
		return "", t.conn.explained(t.ctx, err)
	}
	return results[0].CommandTag.String(), nil
}

// pgRows tells when the server goes away while rows are read.
type pgRows struct {
	*stdlib.Rows

	ctx context.Context //nolint:containedctx // [driver.Rows] has none of its own
}

// Next implements [driver.Rows].
func (r *pgRows) Next(into []driver.Value) error {
	err := r.Rows.Next(into)
	if err == nil || err.Error() == "EOF" {
		return err
	}
	return explained(r.ctx, err)
}

// vacuum frees the space of deleted and overwritten rows.
func (db *DB) vacuum(ctx context.Context) error {
	rows, err := db.Write.QueryContext(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	defer func() { _ = rows.Close() }() // a failure shows in Err
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return fmt.Errorf("list the tables: %w", err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	for _, table := range tables {
		if _, err := db.Write.ExecContext(ctx, `VACUUM `+quoted(table)); err != nil {
			return fmt.Errorf("free the space of what was deleted: %w", err)
		}
	}
	return nil
}
