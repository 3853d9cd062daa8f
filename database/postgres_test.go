package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
)

const things = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, flag INTEGER NOT NULL DEFAULT 0, body BLOB) WITHOUT ROWID"

// One text of SQL means the same on both engines.
func TestBothEnginesUnderstandTheSameTexts(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := e.Open(t, "things", schema(things))
		// In the order of a language a comes before B; ours is that of bytes.
		names := []string{"a", "B", "ä", "A", "what?", "'quoted'", ""}
		for i, name := range names {
			_, err := db.Write.ExecContext(t.Context(), `INSERT INTO things (id, name, flag, body) -- really?
				VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`, i, name, i%2 == 0, []byte{0, byte(i)})
			if err != nil {
				t.Fatal(err)
			}
		}
		rows, err := db.Read.QueryContext(t.Context(), `SELECT name, flag, body FROM things WHERE name <> '?' AND id >= ? ORDER BY name`, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var name string
			var flag bool
			var body []byte
			if err := rows.Scan(&name, &flag, &body); err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(names, name); flag != (i%2 == 0) || !slices.Equal(body, []byte{0, byte(i)}) {
				t.Errorf("%q: %t, %v", name, flag, body)
			}
			got = append(got, name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(names, got); diff != "" || rows.Err() != nil {
			t.Errorf("%v (-want +got):\n%s", rows.Err(), diff)
		}
	})
}

// What Postgres cannot keep of a text is replaced, and found again.
func TestATextThatIsNoTextIsKeptAsFarAsItIsOne(t *testing.T) {
	t.Parallel()
	db := databasetest.Postgres(t).Open(t, "things", schema(things))
	for i, name := range []string{"a\x00b", "a\xffb"} {
		var id int
		err := errors.Join(
			db.Tx(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO things (id, name) VALUES (?, ?)`, i, name)
				return err
			}),
			db.Read.QueryRowContext(t.Context(), `SELECT id FROM things WHERE name = ? AND id = ?`, name, i).Scan(&id))
		if err != nil || id != i {
			t.Errorf("%q: %d, %v", name, id, err)
		}
	}
}

// Read, count, write: what others do in between would be lost, if they could.
func TestTransactionsOfAllProcessesRunOneAtATime(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		const processes, rounds = 4, 25
		var group sync.WaitGroup
		for range processes {
			db := e.Open(t, "things", schema(things, "INSERT INTO things (id, name, flag) VALUES (1, 'counter', 0)"))
			group.Go(func() {
				for range rounds {
					err := db.Tx(t.Context(), func(tx *sql.Tx) error {
						var n int
						if err := tx.QueryRowContext(t.Context(), `SELECT flag FROM things WHERE id = ?`, 1).Scan(&n); err != nil {
							return err
						}
						_, err := tx.ExecContext(t.Context(), `UPDATE things SET flag = ? WHERE id = ?`, n+1, 1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		var n int
		db := e.Open(t, "things", schema(things, "INSERT INTO things (id, name, flag) VALUES (1, 'counter', 0)"))
		if err := db.Read.QueryRowContext(t.Context(), `SELECT flag FROM things WHERE id = ?`, 1).Scan(&n); err != nil || n != processes*rounds {
			t.Errorf("counted %d, %v; want %d", n, err, processes*rounds)
		}
	})
}

func TestManyProcessesMayStartAtOnce(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			db, err := database.Open(t.Context(), e.Config("things", schema(things, "ALTER TABLE things ADD COLUMN more TEXT")))
			if err != nil {
				t.Error(err)
				return
			}
			_ = db.Close()
		})
	}
	group.Wait()
}

func TestASchemaIsMigratedForwardAndNeverReadByAnOlderProgram(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	_ = e.Open(t, "things", schema(things, "ALTER TABLE things ADD COLUMN more TEXT"))
	_, err := database.Open(t.Context(), e.Config("things", schema(things)))
	if !errors.Is(err, database.ErrNewer) {
		t.Errorf("error = %v, want %v", err, database.ErrNewer)
	}
}

// A database sees its own schema, whichever one the connection it is lent saw
// before, and after a transaction that was undone, too.
func TestDatabasesThatShareConnectionsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	var dbs []*database.DB
	for i := range 5 {
		db := e.Open(t, fmt.Sprint("things-", i), schema(things))
		if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO things (id, name) VALUES (?, ?)`, i, "x"); err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, db)
	}
	var group sync.WaitGroup
	for n := range 200 {
		i := n % len(dbs)
		group.Go(func() {
			var id int
			read := func(row *sql.Row) {
				if err := row.Scan(&id); err != nil || id != i {
					t.Errorf("the row of %d is %d, %v", i, id, err)
				}
			}
			err := dbs[i].Tx(t.Context(), func(tx *sql.Tx) error {
				read(tx.QueryRowContext(t.Context(), `SELECT id FROM things WHERE id >= ?`, 0))
				return errWanted
			})
			if !errors.Is(err, errWanted) {
				t.Error(err)
			}
			read(dbs[i].Read.QueryRowContext(t.Context(), `SELECT id FROM things WHERE id >= ?`, 0))
		})
	}
	group.Wait()
	if open, _, most := e.Server.Connections(); open > most {
		t.Errorf("%d connections of %d", open, most)
	}
}

func TestStatementsThatAreSentTogetherFailTogether(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := e.Open(t, "things", schema(things))
		insert := func(ids ...int) error {
			return db.Tx(t.Context(), func(tx *sql.Tx) error {
				batch := db.Batch(tx)
				for _, id := range ids {
					if err := batch.Exec(t.Context(), `INSERT INTO things (id, name) VALUES (?, ?)`, id, "x"); err != nil {
						return err
					}
				}
				return batch.Flush(t.Context())
			})
		}
		if err := insert(1, 2, 2, 3); err == nil {
			t.Error("the same row was inserted twice")
		}
		many := make([]int, 1200)
		for i := range many {
			many[i] = i
		}
		if err := insert(many...); err != nil {
			t.Error(err)
		}
		if n := count(t, db); n != len(many) {
			t.Errorf("%d rows, want %d", n, len(many))
		}
	})
}

// What was acknowledged is there after Postgres was killed, and the connections
// of before heal by themselves.
func TestConnectionsHealAfterPostgresWasKilled(t *testing.T) {
	t.Parallel()
	process := databasetest.Start(t)
	server := databasetest.Connect(t, process.Database(t))
	db := databasetest.Engine{Server: server, Dir: t.TempDir()}.Open(t, "things", schema(things))
	insert := func(id int) error {
		return db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO things (id, name) VALUES (?, ?)`, id, "x")
			return err
		})
	}
	for id := range 20 {
		if err := insert(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := insert(100); !errors.Is(err, database.ErrUnavailable) {
			t.Errorf("while it is away: %v", err)
		}
		var n int
		if err := db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM things`).Scan(&n); !errors.Is(err, database.ErrUnavailable) {
			t.Errorf("while it is away: %v", err)
		}
	}
	if err := server.Ping(t.Context()); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
	if err := process.Run(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
	if err := insert(100); err != nil {
		t.Error(err)
	}
}

func TestAServerThatCannotBeUsedIsExplained(t *testing.T) {
	t.Parallel()
	url := databasetest.URL(t)
	for name, row := range map[string]struct {
		url, want string
		away      bool
	}{
		"nobody listens":   {"postgres://u:secret@127.0.0.1:1/d", "127.0.0.1:1", true},
		"no such database": {strings.Replace(url, "/waybill_test_", "/nowhere_", 1), "createdb", false},
		"no such user":     {strings.Replace(url, "waybill@", "nobody:secret@", 1), "the user or the password", false},
		"no URL":           {"postgres://u:secret@h:port/d", "read the connection string", false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := database.Connect(ctx, database.ServerConfig{URL: row.url})
		cancel()
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") || errors.Is(err, database.ErrUnavailable) != row.away {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// Those who make the same table at once do not fail because of each other.
func TestATableIsMadeOnceByMany(t *testing.T) {
	t.Parallel()
	db := databasetest.Postgres(t).Open(t, "things", schema(things))
	for n := range 5 {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				err := database.Retry(func() error {
					_, err := db.Write.ExecContext(t.Context(), fmt.Sprintf(`CREATE TABLE IF NOT EXISTS more_%d (id BIGINT PRIMARY KEY)`, n))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

// Transactions of two sections wait for each other here, so they must run at
// once; one of the whole waits for both.
func TestSectionsOfADatabaseAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	e := databasetest.Postgres(t)
	db := e.Open(t, "things", schema(things))
	another := e.Open(t, "things", schema(things))
	var group sync.WaitGroup
	inside, leave := make(chan string, 4), make(chan struct{})
	for i, section := range []*database.DB{db.Section(1, 2), another.Section(2, 2)} {
		group.Go(func() {
			err := section.Tx(t.Context(), func(tx *sql.Tx) error {
				inside <- "section"
				<-leave
				_, err := tx.ExecContext(t.Context(), `INSERT INTO things (id, name) VALUES (?, 'x')`, i)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		<-inside
	}
	for name, other := range map[string]*database.DB{"the same section": another.Section(1, 2), "the whole": another} {
		group.Go(func() {
			err := other.Tx(t.Context(), func(tx *sql.Tx) error {
				var n int
				if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM things`).Scan(&n); err != nil || n == 0 {
					t.Errorf("%s ran beside a section: it sees %d rows, %v", name, n, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() (n int) {
		err := db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); waiting() < 2 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	close(leave)
	group.Wait()
}
