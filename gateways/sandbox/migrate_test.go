package sandbox

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/database"
)

// A ledger that an earlier program wrote is read, and money of it moves.
func TestAnOldLedgerIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	first, err := fs.ReadFile(migrations, "migrations/00001_ledger.sql")
	if err != nil {
		t.Fatal(err)
	}
	old, err := database.Open(t.Context(), database.Config{Path: path, Migrations: fstest.MapFS{"00001_ledger.sql": {Data: first}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = old.Write.ExecContext(t.Context(), `INSERT INTO authorisations (key, ref, status, amount, currency, method, code, message, expires_at, asked)
		VALUES ('k', 'sbx_1', 'authorised', 100, 'EUR', 'sandbox:approved', '', '', 1893456000000, 2)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(t.Context(), "127.0.0.1:0", Config{Ledger: path, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	if _, err := s.ledger.move(t.Context(), Movement{Kind: "capture", ID: "c", Key: "k", Amount: 60, Currency: "EUR"}, false); err != nil {
		t.Fatal(err)
	}
	got, err := s.Entries(t.Context())
	want := []Entry{{
		Key: "k", Ref: "sbx_1", Status: "authorised", Amount: 100, Currency: "EUR", Method: "sandbox:approved",
		ExpiresAt: time.UnixMilli(1893456000000).UTC(), Asked: 2, Captured: 60,
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ledger (-want +got):\n%s%v", diff, err)
	}
}
