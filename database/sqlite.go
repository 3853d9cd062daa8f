package database

import (
	"database/sql"
	"net/url"
	"runtime"

	_ "modernc.org/sqlite" // the driver, in Go alone
)

// connect opens the two sides of a SQLite file. WAL lets readers go on while
// somebody writes.
func connect(cfg Config) (*DB, error) {
	synchronous := "NORMAL"
	if cfg.Durable {
		synchronous = "FULL"
	}
	write, err := sql.Open("sqlite", source(cfg.Path, "immediate", "journal_mode(WAL)", "synchronous("+synchronous+")", "wal_autocheckpoint(4000)"))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.Ping(); err != nil { //nolint:noctx // opens a local file
		return nil, err
	}
	read, err := sql.Open("sqlite", source(cfg.Path, "deferred", "query_only(true)"))
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	return &DB{Write: write, Read: read}, nil
}

func source(path, lock string, pragmas ...string) string {
	query := url.Values{"_txlock": {lock}}
	for _, pragma := range append([]string{"busy_timeout(10000)", "foreign_keys(true)", "temp_store(MEMORY)", "cache_size(-16384)"}, pragmas...) {
		query.Add("_pragma", pragma)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}
