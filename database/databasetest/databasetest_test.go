package databasetest_test

import (
	"testing"
	"testing/fstest"

	"github.com/waybill-dev/waybill/database/databasetest"
)

func TestEachEngineHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"1_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (id INTEGER PRIMARY KEY) WITHOUT ROWID;\n")}}
	for range 2 {
		databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
			t.Helper()
			db := e.Open(t, "things", files)
			var before int
			if err := db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM things`).Scan(&before); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO things VALUES (?)`, 1); err != nil || before > 0 {
				t.Errorf("%d rows before the first, %v", before, err)
			}
		})
	}
}
