package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/app"
	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/imports/retail"
)

// TestImportedInvoicesGoThroughARebuildOfEveryReadModel imports, ships and takes
// back what is in the Online Retail file that the environment names, or made-up
// invoices, and builds every read model anew. Besides the comparison of the
// rebuild the files themselves are compared, row by row and byte by byte.
func TestImportedInvoicesGoThroughARebuildOfEveryReadModel(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	invoices := testInvoices(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(ctx)
	importer := retail.Importer{
		API: client.New("http://"+platform.addr, bench.AdminKey), Location: "main", Workers: 8, Patience: 30 * time.Minute, Returns: true,
	}
	began := time.Now()
	report, err := importer.Run(ctx, invoices)
	platform.stop()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(retail.Expected(invoices, true), report); diff != "" {
		t.Errorf("imported (-want +got):\n%s", diff)
	}
	t.Logf("%d invoices, %d orders imported in %s", report.Invoices, report.Orders, time.Since(began).Round(time.Second))

	out, _ := saysWithin(t, 20*time.Minute, exitDone, "rebuild", "--all", "--json", "--data-dir", platform.dir)
	rebuilt := rebuiltLines(t, out)
	for _, p := range app.Projections(configs.Config{}) {
		r, there := rebuilt[p.Name()]
		if !there || !r.Equal || !r.Swapped {
			t.Errorf("%s: %+v", p.Name(), r)
			continue
		}
		file := filepath.Join(platform.dir, "projections", fmt.Sprintf("%s-v%d", p.Name(), p.Version()))
		before, after := rowsOfFile(ctx, t, file+".db"), rowsOfFile(ctx, t, file+"-1.db")
		if !slices.Equal(before, after) {
			t.Errorf("%s: the files differ (-live +new):\n%s", p.Name(), cmp.Diff(before, after))
		}
		if p.Name() == "orders" && len(after) < report.Orders {
			t.Errorf("%s: %d rows of %d orders", p.Name(), len(after), report.Orders)
		}
		t.Logf("%s: %d events, %.0f/s, %d rows", p.Name(), r.Events, r.EventsPerSecond, len(after))
	}
}

// rowsOfFile are all rows of a read model in its file, without how far it is.
func rowsOfFile(ctx context.Context, t *testing.T, file string) (all []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=query_only(true)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range rowsOfTable(ctx, t, db, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' AND name NOT IN ('checkpoint', 'late_indexes', 'leases') ORDER BY name`) {
		for _, row := range rowsOfTable(ctx, t, db, `SELECT * FROM `+table) {
			all = append(all, table+": "+row)
		}
	}
	slices.Sort(all)
	return all
}

func rowsOfTable(ctx context.Context, t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		err = rows.Scan(into...)
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = string(value)
		}
		all = append(all, strings.Join(texts, "|"))
	}
	if err != nil || rows.Err() != nil {
		t.Fatal(err, rows.Err())
	}
	return all
}
