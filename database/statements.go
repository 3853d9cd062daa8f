package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// maxKept is how many statements a connection keeps. There are fewer texts than
// that in any of our databases; lists with filters have the most.
const maxKept = 200

// open returns a database whose connections keep their statements: the driver
// parses and plans each text every time, which costs more than running it.
func open(source string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(source)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(keeping{connector}), nil
}

// keeping makes connections that keep their statements.
type keeping struct{ driver.Connector }

// Connect implements [driver.Connector].
func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := raw.(connection)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection lacks a method"), raw.Close())
	}
	return &conn{connection: inner, kept: map[string]statement{}}, nil
}

// connection is what the driver's connections can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// conn is one connection; database/sql lets one goroutine at a time use it.
type conn struct {
	connection
	kept map[string]statement // by text; none that is in use
}

// ExecContext implements [driver.ExecerContext]. What has no arguments may be a
// script, and is not run often.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 {
		return c.connection.ExecContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	return result, errors.Join(err, c.keep(query, s, err == nil))
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.connection.QueryContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.keep(query, s, false))
	}
	return &rows{Rows: found, conn: c, query: query, statement: s}, nil
}

func (c *conn) take(ctx context.Context, query string) (statement, error) {
	if s, there := c.kept[query]; there {
		delete(c.kept, query)
		return s, nil
	}
	raw, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := raw.(statement)
	if !ok {
		return nil, errors.Join(errors.New("the driver's statement lacks a method"), raw.Close())
	}
	return s, nil
}

// keep puts a statement back, or closes it where it is of no more use.
func (c *conn) keep(query string, s statement, good bool) error {
	if _, there := c.kept[query]; there || !good || len(c.kept) >= maxKept {
		return s.Close()
	}
	c.kept[query] = s
	return nil
}

// Close implements [driver.Conn].
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	clear(c.kept)
	return errors.Join(append(errs, c.connection.Close())...)
}

// rows puts its statement back when it is closed.
type rows struct {
	driver.Rows
	conn      *conn
	query     string
	statement statement
}

// Close implements [driver.Rows].
func (r *rows) Close() error {
	err := r.Rows.Close()
	return errors.Join(err, r.conn.keep(r.query, r.statement, err == nil))
}
