package database_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

const insertThing = "INSERT INTO things VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING name"

func TestAStatementMayRunWhileItsRowsAreStillRead(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
	fill(t, db.Write, 3)
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for range 2 { // the second time with what the first one left
			outer, inner := names(t, tx, 0, func() {
				if got, _ := names(t, tx, 1, func() {}); fmt.Sprint(got) != "[1 2]" {
					t.Errorf("inside: %v", got)
				}
			})
			if fmt.Sprint(outer) != "[0 1 2]" || inner != 3 {
				t.Errorf("outside: %v, %d times", outer, inner)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// names reads the names from an id on, and does something at each.
func names(t *testing.T, tx *sql.Tx, from int, at func()) (all []string, times int) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), "SELECT name FROM things WHERE id >= ? ORDER BY id", from)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all, times = append(all, name), times+1
		at()
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all, times
}

func fill(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	for i := range n {
		var name string
		if err := db.QueryRowContext(t.Context(), insertThing, i, fmt.Sprint(i)).Scan(&name); err != nil || name != fmt.Sprint(i) {
			t.Fatalf("inserted %q: %v", name, err)
		}
	}
}

func TestAStatementThatFailedRunsAgain(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
	for range 3 {
		if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO things VALUES (?, ?)", 1, nil); err == nil {
			t.Error("a name of null was accepted")
		}
	}
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO things VALUES (?, ?)", 1, "one"); err != nil {
		t.Error(err)
	}
	// What was written is visible to others, so that no statement keeps its
	// transaction open.
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestAStatementSeesAChangedSchema(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
	fill(t, db.Write, 1)
	all := func() (columns []string) {
		rows, err := db.Write.QueryContext(t.Context(), "SELECT * FROM things WHERE id >= ?", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			if columns, err = rows.Columns(); err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return columns
	}
	before := all()
	if _, err := db.Write.ExecContext(t.Context(), "ALTER TABLE things ADD COLUMN colour TEXT"); err != nil {
		t.Fatal(err)
	}
	if after := all(); len(before) != 2 || len(after) != 3 {
		t.Errorf("columns %v, then %v", before, after)
	}
}

func TestManyReadersKeepTheirOwnStatements(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
	fill(t, db.Write, 10)
	var group sync.WaitGroup
	for i := range 300 { // more texts than are kept, too
		group.Go(func() {
			var name string
			query := fmt.Sprintf("SELECT name FROM things WHERE id = ? AND %d = %d", i, i)
			if err := db.Read.QueryRowContext(t.Context(), query, i%10).Scan(&name); err != nil || name != fmt.Sprint(i%10) {
				t.Errorf("%d is %q: %v", i, name, err)
			}
		})
	}
	group.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
