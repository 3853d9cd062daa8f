package database_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waybill-dev/waybill/database"
)

var errWanted = errors.New("wanted")

func schema(files ...string) fstest.MapFS {
	fs := fstest.MapFS{}
	for i, statement := range files {
		fs[string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
	}
	return fs
}

func open(t *testing.T, path string, files ...string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: path, Migrations: schema(files...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func count(t *testing.T, db *database.DB) (n int) {
	t.Helper()
	if err := db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "a folder", "x?y.db"), "CREATE TABLE things (id INTEGER)")
	insert := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO things VALUES (1)")
		return err
	}
	if err := db.Tx(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		return errors.Join(insert(tx), errWanted)
	})
	if !errors.Is(err, errWanted) {
		t.Errorf("error = %v", err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestAReaderCannotWrite(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), "CREATE TABLE things (id INTEGER)")
	if _, err := db.Read.ExecContext(t.Context(), "INSERT INTO things VALUES (1)"); err == nil {
		t.Error("a reader wrote")
	}
}

// SQLite's documentation of "PRAGMA synchronous": with a write-ahead log, FULL
// syncs it after each transaction, NORMAL only when it is worked into the file.
func TestADurableFileIsSyncedAtEachCommit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                      string
		durable                   bool
		synchronous, secureDelete int
	}{
		{"durable", true, 2, 1},
		{"can be made again", false, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db, err := database.Open(t.Context(), database.Config{Path: filepath.Join(t.TempDir(), "file.db"), Migrations: schema("CREATE TABLE things (id INTEGER)"), Durable: test.durable})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			for pragma, want := range map[string]int{"synchronous": test.synchronous, "secure_delete": test.secureDelete} {
				var got int
				if err := db.Write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %d, want %d (%v)", pragma, got, want, err)
				}
			}
		})
	}
}

func TestAFileIsMigratedForwardAndNeverReadByAnOlderProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	first := "CREATE TABLE things (id INTEGER)"
	_ = open(t, path, first).Close()
	_ = open(t, path, first, "ALTER TABLE things ADD COLUMN name TEXT").Close()
	_, err := database.Open(t.Context(), database.Config{Path: path, Migrations: schema(first)})
	if !errors.Is(err, database.ErrNewer) {
		t.Errorf("error = %v, want %v", err, database.ErrNewer)
	}
}

func TestAFileThatIsNoDatabaseIsAClearError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := database.Open(t.Context(), database.Config{Path: dir, Migrations: schema("SELECT 1")})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error = %v, want one that names %s", err, dir)
	}
}
