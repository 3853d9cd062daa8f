package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
)

// Switch is where something is read that has several databases, one of which is
// the present one. Whatever is asked after [Switch.To] has returned is answered
// by the new one; what is being read then ends where it began. The old one may
// be closed at once.
type Switch struct {
	current atomic.Pointer[DB]
	read    *sql.DB
}

// NewSwitch begins with a database.
func NewSwitch(db *DB) *Switch {
	s := &Switch{}
	s.To(db)
	s.read = sql.OpenDB(switched{s})
	s.read.SetMaxIdleConns(-1) // they go back to those of the database
	return s
}

// Read reads whichever database is the present one.
func (s *Switch) Read() *sql.DB { return s.read }

// To makes another database the present one.
func (s *Switch) To(db *DB) { s.current.Store(db) }

// Close ends the use of the switch; the databases stay as they are.
func (s *Switch) Close() error { return s.read.Close() }

// switched lends connections of the present database, each for a statement or a
// transaction.
type switched struct{ s *Switch }

// Connect implements [driver.Connector].
func (c switched) Connect(ctx context.Context) (driver.Conn, error) {
	for {
		db := c.s.current.Load()
		lent, err := db.Read.Conn(ctx)
		if err != nil && db != c.s.current.Load() {
			continue // it was closed because there is another one
		}
		if err != nil {
			return nil, err
		}
		conn := &lentConn{lent: lent}
		err = lent.Raw(func(raw any) (err error) {
			var ok bool
			if conn.lendable, ok = raw.(lendable); !ok {
				err = fmt.Errorf("a connection of type %T cannot be lent", raw)
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(err, lent.Close())
		}
		return conn, nil
	}
}

// Driver implements [driver.Connector].
func (c switched) Driver() driver.Driver { return c.s.current.Load().Read.Driver() }

// lendable is what the connections of both engines can do.
type lendable interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

// lentConn is a connection of the present database until it is closed.
type lentConn struct {
	lendable

	lent *sql.Conn
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *lentConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.lendable.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// Close implements [driver.Conn].
func (c *lentConn) Close() error { return c.lent.Close() }
