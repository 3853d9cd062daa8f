package database_test

import (
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
)

func filled(t *testing.T, e databasetest.Engine, name string, n int) *database.DB {
	t.Helper()
	db := e.Open(t, name, fstest.MapFS{"1_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (id INTEGER, name TEXT, PRIMARY KEY (name, id));\nCREATE INDEX things_by_id ON things (id);\n")}})
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO things VALUES (?, ?)`, i, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestReadersFollowASwitchWithoutAFailedRead(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		all := []*database.DB{filled(t, e, "a", 3), filled(t, e, "b", 3)}
		s := database.NewSwitch(all[0])
		defer func() { _ = s.Close() }()
		stop := make(chan struct{})
		var reading sync.WaitGroup
		for range 6 {
			reading.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					var different, rows int
					err := s.Read().QueryRowContext(t.Context(), `SELECT count(DISTINCT name), count(*) FROM things WHERE id < ?`, 9).Scan(&different, &rows)
					if err != nil || different != 1 || rows != 3 {
						t.Errorf("%d names, %d rows, %v", different, rows, err)
						return
					}
				}
			})
		}
		for i := range 200 {
			s.To(all[i%2])
			var name string
			err := s.Read().QueryRowContext(t.Context(), `SELECT max(name) FROM things WHERE id < ?`, 9).Scan(&name)
			if want := []string{"a", "b"}[i%2]; err != nil || name != want {
				t.Fatalf("after the switch: %s, %v; want %s", name, err, want)
			}
		}
		close(stop)
		reading.Wait()
	})
}

func TestWhatIsBeingReadEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		old := filled(t, e, "a", 100)
		s := database.NewSwitch(old)
		defer func() { _ = s.Close() }()
		rows, err := s.Read().QueryContext(t.Context(), `SELECT name FROM things WHERE id < ? ORDER BY id`, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		s.To(filled(t, e, "b", 100))
		if err := old.Close(); err != nil { // whoever writes needs it no more
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil || name != "a" {
				t.Fatalf("row %d: %s, %v", n, name, err)
			}
			n++
		}
		if err := rows.Err(); err != nil || n != 100 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

func TestASnapshotStaysAsItIsAndKnowsTablesAndIndexes(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		db := filled(t, e, "a", 1)
		tx, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		tables, err := db.Tables(t.Context(), tx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]database.Table{{Name: "things", Columns: []string{"id", "name"}, Key: []string{"name", "id"}}}, tables); diff != "" {
			t.Errorf("tables (-want +got):\n%s", diff)
		}
		indexes, err := db.Indexes(t.Context(), tx, "things")
		if err != nil || len(indexes) != 1 || indexes[0].Name != "things_by_id" || !strings.Contains(indexes[0].SQL, "things_by_id") {
			t.Errorf("indexes: %+v, %v", indexes, err)
		}
		if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO things VALUES (?, ?)`, 7, "later"); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM things`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows, %v; want 1", n, err)
		}
	})
}

func TestADatabaseIsRemovedWithEverythingInIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		files := fstest.MapFS{"1_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (id INTEGER);\n")}}
		for range 2 {
			db, err := database.Open(t.Context(), e.Config("gone", files))
			if err != nil {
				t.Fatal(err)
			}
			if n := count(t, db); n != 0 {
				t.Errorf("%d rows of the one that was removed", n)
			}
			_, err = db.Write.ExecContext(t.Context(), `INSERT INTO things VALUES (?)`, 1)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := database.Remove(t.Context(), e.Config("gone", files)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
