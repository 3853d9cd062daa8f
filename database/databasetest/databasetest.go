// Package databasetest lets tests run on every engine: on SQLite files, and on
// a real Postgres, which it starts once for a test binary and ends with it. It
// promises each test a database of its own. Where no Postgres is installed the
// tests that want one are skipped by name. It must not know any table.
package databasetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/waybill-dev/waybill/database"
)

// Running is the environment variable that names a Postgres that runs already,
// with a user who may make databases; empty starts one.
const Running = "WAYBILL_TEST_POSTGRES"

// Engine is one kind of database, with a place for those of one test.
type Engine struct {
	Name   string
	Server *database.Server // nil is SQLite
	URL    string           // of the server, for settings; empty is SQLite
	Dir    string           // for files
}

// Each runs a test on every engine.
func Each(t *testing.T, test func(t *testing.T, e Engine)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite returns a folder for files.
func SQLite(tb testing.TB) Engine {
	tb.Helper()
	return Engine{Name: "SQLite", Dir: tb.TempDir()}
}

// Postgres returns connections to an empty database.
func Postgres(tb testing.TB) Engine {
	tb.Helper()
	e := Engine{Name: "Postgres", Dir: tb.TempDir(), URL: URL(tb)}
	e.Server = Connect(tb, e.URL)
	return e
}

// Connect connects to a database as another process would.
func Connect(tb testing.TB, url string) *database.Server {
	tb.Helper()
	server, err := database.Connect(tb.Context(), database.ServerConfig{URL: url, Connections: 12})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server
}

// Another is an empty place on the same engine.
func (e Engine) Another(tb testing.TB) Engine {
	tb.Helper()
	if e.Server == nil {
		return SQLite(tb)
	}
	e.Dir, e.Server = tb.TempDir(), e.Server.Within(random()+"_")
	return e
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return "t" + hex.EncodeToString(b[:])
}

// Rounds is how often something random is tried of so many times: every answer
// of a server costs, and what is tried is mostly not the engine.
func (e Engine) Rounds(n uint64) uint64 {
	const fewer = 10
	if e.Server == nil {
		return n
	}
	return (n + fewer - 1) / fewer
}

// Config is that of a database of this test.
func (e Engine) Config(name string, migrations fs.FS) database.Config {
	return database.Config{Path: filepath.Join(e.Dir, name+".db"), Server: e.Server, Migrations: migrations}
}

// Open opens a database of this test until its end.
func (e Engine) Open(tb testing.TB, name string, migrations fs.FS) *database.DB {
	tb.Helper()
	db, err := database.Open(tb.Context(), e.Config(name, migrations))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// URL makes an empty database that is dropped after the test, and returns how
// it is reached.
func URL(tb testing.TB) string {
	tb.Helper()
	if running := os.Getenv(Running); running != "" {
		return makeDatabase(tb, running)
	}
	server, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	if server == nil {
		tb.Skip("no Postgres is installed: apt-get install postgresql, or name one in " + Running)
	}
	return server.Database(tb)
}

func makeDatabase(tb testing.TB, server string) string {
	tb.Helper()
	name := "waybill_test_" + random()
	if err := admin(server, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := admin(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func admin(server, statement string) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the Postgres of the tests: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// shared returns the server of this test binary; nil where there can be none.
// It is kept for good: a Process that is forgotten ends.
var shared = sync.OnceValues(func() (*Process, error) {
	if programs() == "" {
		return nil, nil
	}
	return start()
})
