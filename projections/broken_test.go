package projections_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/projections"
)

// Whoever has a read model that cannot be opened is told what to delete, and is
// helped by that.
func TestABrokenReadModelMayBeDeleted(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := projections.Orders{}
		cfg := projections.Config{Dir: e.Dir, Server: e.Server, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Owner: "test", Lease: time.Hour}
		r, err := projections.Open(t.Context(), p, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		store := database.Config{Path: filepath.Join(e.Dir, "orders-v3.db"), Server: e.Server, Migrations: p.Migrations()}
		db, err := database.Open(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Write.ExecContext(t.Context(), `ALTER TABLE checkpoint DROP COLUMN events`)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = projections.Open(t.Context(), p, cfg)
		if err == nil || !strings.Contains(err.Error(), "delete it") || !strings.HasSuffix(err.Error(), store.Place()) {
			t.Fatalf("%v, want what to delete", err)
		}
		if err := database.Remove(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if r, err = projections.Open(t.Context(), p, cfg); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	})
}

func TestAFileThatIsNoDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders-v3.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := projections.Open(t.Context(), projections.Orders{}, projections.Config{Dir: filepath.Dir(path), Now: time.Now, Logger: slog.New(slog.DiscardHandler), Owner: "test", Lease: time.Hour})
	if err == nil || !strings.Contains(err.Error(), "delete it while the program is stopped") || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v, want the file", err)
	}
}
