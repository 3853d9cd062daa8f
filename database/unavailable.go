package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable says that the database cannot be reached at the moment. What
// was asked of it may be asked again; of a commit nobody knows whether it was
// done.
var ErrUnavailable = errors.New("the database is unavailable")

// unavailable keeps the cause in reach: database/sql asks for
// [driver.ErrBadConn] and then tries another connection.
type unavailable struct{ cause error }

// Error implements error.
func (u unavailable) Error() string { return fmt.Sprintf("%v: %v", ErrUnavailable, u.cause) }

// Is lets errors.Is find [ErrUnavailable].
func (u unavailable) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns what happened.
func (u unavailable) Unwrap() error { return u.cause }

// States of SQL, as Postgres names them.
const (
	stateSerialization  = "40001"
	stateDeadlock       = "40P01"
	stateReadOnly       = "25006" // the server has become a copy of another one
	stateUnique         = "23505"
	stateDuplicateType  = "42710"
	stateDuplicateTable = "42P07"
	stateTooMany        = "53300"
	statePassword       = "28P01"
	stateRole           = "28000"
	stateNoDatabase     = "3D000"
	stateNotAllowed     = "42501"
)

func sqlState(err error) string {
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// inTheWay tells whether somebody else was the reason of a failure. Two that
// make the same table where there is none meet in Postgres's own tables.
func inTheWay(err error) bool {
	answer := (*pgconn.PgError)(nil)
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code {
	case stateSerialization, stateDeadlock, stateDuplicateType, stateDuplicateTable:
		return true
	}
	return answer.Code == stateUnique && strings.HasPrefix(answer.ConstraintName, "pg_")
}

// attempts is how often something is tried that failed because of others.
const attempts = 5

// Retry does again a transaction, or a statement by itself, that was undone
// because others were in its way: two that wait for each other, say.
func Retry(do func() error) (err error) {
	for range attempts {
		err = do()
		if !inTheWay(err) {
			break
		}
	}
	return err
}

// explained marks errors that say that the server is away, and tells people
// what to do about others.
func explained(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	switch state := sqlState(err); {
	case state == stateTooMany:
		return unavailable{fmt.Errorf("%w; raise max_connections of Postgres, or lower --database-connections", err)}
	case len(state) == 5 && (state[:2] == "08" || state[:3] == "57P" || state == stateReadOnly):
		return unavailable{err}
	case state == statePassword, state == stateRole:
		return fmt.Errorf("%w; the user or the password in --database is wrong", err)
	case state == stateNoDatabase:
		return fmt.Errorf("%w; make it with createdb, or name another one in --database", err)
	case state == stateNotAllowed:
		return fmt.Errorf("%w; the user in --database needs the right CREATE on the database, and owns what Waybill makes there", err)
	case state != "":
		return err // an answer of a server that is there
	}
	var network net.Error
	var connect *pgconn.ConnectError
	switch {
	case ctx.Err() != nil && !errors.As(err, &connect):
		return err // whoever asked has given up
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.As(err, &network), errors.As(err, &connect), pgconn.Timeout(err), pgconn.SafeToRetry(err):
		return unavailable{err}
	}
	return err
}
