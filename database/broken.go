package database

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Broken tells whether a database answered that it is not one, is damaged, or
// has other tables than the statement wants: to try again does not help.
func Broken(err error) bool {
	if answer, ok := errors.AsType[*sqlite.Error](err); ok {
		switch answer.Code() & 0xff { // the rest says more of the same
		case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return true
		}
		return false
	}
	state := sqlState(err)
	return len(state) == 5 && (state[:2] == "42" || state[:2] == "XX") && state != stateNotAllowed
}

// Place says to people where the database is.
func (cfg Config) Place() string {
	if cfg.Server != nil {
		return fmt.Sprintf("schema %s of %s", cfg.Server.schemaOf(cfg.Path), cfg.Server)
	}
	return fmt.Sprintf("%s, with -wal and -shm", cfg.Path)
}
