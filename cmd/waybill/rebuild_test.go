package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/catalog"
	"github.com/waybill-dev/waybill/eventstore"
)

// says runs a command to its end, however slow the machine is, and returns what
// it printed on its standard output and elsewhere.
func says(t *testing.T, want int, args ...string) (out, errOut string) {
	t.Helper()
	return saysWithin(t, 3*time.Minute, want, args...)
}

func saysWithin(t *testing.T, patience time.Duration, want int, args ...string) (out, errOut string) {
	t.Helper()
	var printed, told bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if code := run(ctx, args, &printed, &told); code != want {
		t.Fatalf("%v ended with %d, want %d:\n%s%s", args, code, want, printed.String(), told.String())
	}
	return printed.String(), told.String()
}

// rebuiltLines parses what rebuild --json printed.
func rebuiltLines(t *testing.T, text string) map[string]rebuilt {
	t.Helper()
	all := map[string]rebuilt{}
	for line := range strings.Lines(text) {
		var one rebuilt
		parse(t, line, &one)
		all[one.Projection] = one
	}
	return all
}

// TestReadModelsAreBuiltAnewFromTheCommandLine does it while the platform runs,
// and after it has ended.
func TestReadModelsAreBuiltAnewFromTheCommandLine(t *testing.T) {
	t.Parallel()
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(t.Context())
	t.Cleanup(func() { platform.stop() })
	if err := bench.Stock(t.Context(), platform.api()); err != nil {
		t.Fatal(err)
	}
	placeOrders(t, platform.api(), "k", 3)
	models, err := platform.api().Projections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{true, false} {
		site := []string{"--url", "http://" + platform.addr, "--api-key", bench.AdminKey}
		if !running {
			platform.stop()
			site = []string{"--data-dir", platform.dir, "--node-addr", "127.0.0.1:0"}
		}
		do := func(want int, args ...string) string {
			t.Helper()
			out, errOut := says(t, want, append(append([]string{"rebuild"}, args...), site...)...)
			if want != exitDone {
				return errOut
			}
			return out
		}
		all := rebuiltLines(t, do(exitDone, "--all", "--json"))
		for _, m := range models {
			r := all[m.Name]
			first, _, _ := strings.Cut(m.Version, ".")
			if !r.Swapped || !r.Equal || r.State != "swapped" || !strings.HasPrefix(r.Version, first+".") || r.Compared == nil || len(r.Compared.Tables) == 0 {
				t.Errorf("running %t: %s: %+v", running, m.Name, r)
			}
		}
		if len(all) != len(models) || all["orders"].Events < 3 {
			t.Errorf("running %t: %d read models of %d: %+v", running, len(all), len(models), all["orders"])
		}
		if r := rebuiltLines(t, do(exitDone, "stock", "--verify", "--json"))["stock"]; r.Swapped || !r.Equal || r.State != "verified" {
			t.Errorf("running %t: only compared: %+v", running, r)
		}
		if text := do(exitDone, "orders", "orders"); strings.Count(text, "\n") != 1 || !strings.Contains(text, "is live, the old one is kept for a day") {
			t.Errorf("running %t: printed:\n%s", running, text)
		}
		if text := do(exitUsage, "nothing"); !strings.Contains(text, "there is no read model nothing") {
			t.Errorf("running %t: printed:\n%s", running, text)
		}
	}
	platform.start(t.Context())
	if page, err := platform.api().Orders(t.Context(), nil); err != nil || len(page.Orders) != 3 {
		t.Errorf("afterwards: %d orders, %v", len(page.Orders), err)
	}
}

func TestWhatCannotBeBuiltAnewIsExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "new.db")
	for name, row := range map[string]struct {
		code int
		args []string
		want string
	}{
		"nothing named":          {exitUsage, nil, "say --all"},
		"all and one":            {exitUsage, []string{"orders", "--all"}, "say --all"},
		"nothing to accept":      {exitUsage, []string{"orders", "--verify", "--accept-differences"}, "nothing to accept"},
		"slower than nothing":    {exitUsage, []string{"orders", "--rate=-1"}, "--rate needs at least 1"},
		"a time and no file":     {exitUsage, []string{"orders", "--as-of", "2011-06-30"}, "--as-of and --into go together"},
		"a file and no time":     {exitUsage, []string{"orders", "--into", file}, "--as-of and --into go together"},
		"no time":                {exitUsage, []string{"orders", "--as-of", "june", "--into", file}, "nor a date such as 2011-06-30"},
		"the future":             {exitUsage, []string{"orders", "--as-of", "2999-01-01", "--into", file}, "in the future"},
		"an unknown read model":  {exitUsage, []string{"nothing", "--as-of", "2011-06-30", "--into", file}, "there is no read model nothing; there are checkouts"},
		"two into one file":      {exitUsage, []string{"orders", "stock", "--as-of", "2011-06-30", "--into", file}, "one read model, for one file"},
		"a file that is there":   {exitUsage, []string{"orders", "--as-of", "2011-06-30", "--into", there}, "there is such a file; name another one"},
		"a folder that is not":   {exitUsage, []string{"orders", "--as-of", "2011-06-30", "--into", filepath.Join(dir, "no", "new.db")}, "no such file or directory"},
		"no events":              {exitFailed, []string{"orders", "--as-of", "2011-06-30", "--into", file}, "name its data folder with --data-dir"},
		"nothing to build from":  {exitFailed, []string{"orders"}, "name its data folder with --data-dir"},
		"compared with the past": {exitUsage, []string{"orders", "--verify", "--as-of", "2011-06-30", "--into", file}, "--as-of compares and swaps nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errOut := says(t, row.code, append([]string{"rebuild", "--data-dir", filepath.Join(dir, "data")}, row.args...)...)
			if !strings.Contains(errOut, row.want) {
				t.Errorf("printed %q, want something with %q", errOut, row.want)
			}
		})
	}
}

// TestAReadModelIsMadeAsOfATimeFromTheCommandLine keeps the list of orders at a
// time, goes on, and makes it again beside the platform and after its end. The
// file is SQLite's, wherever the platform has its read models.
func TestAReadModelIsMadeAsOfATimeFromTheCommandLine(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		madeAsOfATime(t, &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)})
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		url := databasetest.URL(t)
		madeAsOfATime(t, &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), env: inParts(url, 1)}, "--database", url)
	})
}

func madeAsOfATime(t *testing.T, platform *restarting, settings ...string) {
	t.Helper()
	platform.start(t.Context())
	t.Cleanup(func() { platform.stop() })
	if err := bench.Stock(t.Context(), platform.api()); err != nil {
		t.Fatal(err)
	}
	placeOrders(t, platform.api(), "before", 2)
	want := listedOrders(t, platform.api(), 2)
	at := time.Now() // the event store's clock is this one, too
	eventually(t.Context(), t, time.Minute, func() error {
		if !time.Now().After(at.Add(time.Millisecond)) {
			return errors.New("time stands still")
		}
		return nil
	})
	placeOrders(t, platform.api(), "after", 1)
	listedOrders(t, platform.api(), 3)
	for _, running := range []bool{true, false} {
		if !running {
			platform.stop()
		}
		file := filepath.Join(t.TempDir(), "orders.db")
		out, _ := says(t, exitDone, append([]string{"rebuild", "orders", "--as-of", at.Format(time.RFC3339Nano), "--into", file, "--json", "--data-dir", platform.dir}, settings...)...)
		var made madeAsOf
		parse(t, out, &made)
		if made.Projection != "orders" || made.Events < 2 || made.Position == 0 || !made.AsOf.Equal(at) || made.File != file || len(made.BlockedStreams) != 0 {
			t.Errorf("running %t: %+v", running, made)
		}
		if diff := cmp.Diff(want, ordersIn(t, file)); diff != "" {
			t.Errorf("running %t: orders (-want +got):\n%s", running, diff)
		}
		early := filepath.Join(t.TempDir(), "early.db")
		out, _ = says(t, exitDone, append([]string{"rebuild", "orders", "--as-of", "2011-06-30", "--into", early, "--data-dir", platform.dir}, settings...)...)
		if !strings.HasPrefix(out, "orders as of 2011-06-30T00:00:00Z: 0 events in") || len(ordersIn(t, early)) != 0 {
			t.Errorf("running %t: before everything: %s", running, out)
		}
	}
	platform.start(t.Context())
	if p, err := platform.api().Projection(t.Context(), "orders"); err != nil || len(p.Versions) != 1 || p.Rebuild != nil {
		t.Errorf("the live one: %+v, %v", p, err)
	}
}

// listedOrders waits until there are so many, and returns their ids.
func listedOrders(t *testing.T, api *client.Client, count int) (ids []string) {
	t.Helper()
	eventually(t.Context(), t, time.Minute, func() error {
		page, err := api.Orders(t.Context(), url.Values{"limit": {"200"}})
		if err != nil {
			return err
		}
		if len(page.Orders) != count {
			return fmt.Errorf("%d orders listed, want %d", len(page.Orders), count)
		}
		ids = nil
		for _, o := range page.Orders {
			ids = append(ids, o.ID)
		}
		return nil
	})
	slices.Sort(ids)
	return ids
}

func ordersIn(t *testing.T, file string) (ids []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT order_id FROM orders ORDER BY order_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestBlockedStreamsAreRepairedFromTheCommandLine puts events into streams of
// orders that do not belong there.
func TestBlockedStreamsAreRepairedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	node := freeAddr(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--node-addr", node}}
	platform.start(t.Context())
	t.Cleanup(platform.stop)
	store := openLog(t, node, catalog.EventTypes()...)
	for _, stream := range []string{"order-a", "order-b"} {
		event := eventstore.NewEvent{ID: eventstore.EventID(stream, "1", 0), Event: catalog.ProductWithdrawn{SKU: "MUG-1"}}
		if _, err := store.Append(t.Context(), stream, eventstore.Any, event); err != nil {
			t.Fatal(err)
		}
	}
	do := func(want int, args ...string) string {
		t.Helper()
		out, errOut := says(t, want, append(append([]string{"projections"}, args...), "--url", "http://"+platform.addr, "--api-key", bench.AdminKey)...)
		return out + errOut
	}
	blocked := func() (list []client.BlockedStream) {
		t.Helper()
		parse(t, do(exitDone, "blocked", "orders", "--json"), &list)
		return list
	}
	eventually(t.Context(), t, time.Minute, func() error {
		if n := len(blocked()); n != 2 {
			return fmt.Errorf("%d streams are blocked", n)
		}
		return nil
	})
	if text := do(exitDone, "blocked", "orders"); !strings.Contains(text, "order-a") || !strings.Contains(text, "ProductWithdrawn") {
		t.Errorf("blocked:\n%s", text)
	}
	if text := do(exitFailed, "retry", "orders", "order-a", "--dry-run"); !strings.Contains(text, "order-a is blocked at event 0") {
		t.Errorf("tried on trial:\n%s", text)
	}
	do(exitFailed, "retry", "orders", "order-a")
	do(exitFailed, "retry", "orders", "order-c")

	data := filepath.Join(t.TempDir(), "copy.json")
	if err := os.WriteFile(data, []byte(`{"sku": "MUG-2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := do(exitFailed, "edit", "orders", "order-a", "0", "--data", data, "--reason", "Try it.", "--dry-run"); !strings.Contains(text, "order-a is blocked at event 0") {
		t.Errorf("an edited copy that helps nothing:\n%s", text)
	}
	do(exitUsage, "edit", "orders", "order-a", "0", "--data", data+".no", "--reason", "Try it.")
	do(exitUsage, "skip", "orders", "order-a", "0")

	if text := do(exitDone, "skip", "orders", "order-a", "0", "--reason", "It belongs to a product.", "--dry-run"); !strings.Contains(text, "would go on") || len(blocked()) != 2 {
		t.Errorf("skipped on trial:\n%s", text)
	}
	if text := do(exitDone, "skip", "orders", "order-a", "0", "--reason", "It belongs to a product."); !strings.Contains(text, "order-a goes on") {
		t.Errorf("skipped:\n%s", text)
	}
	if list := blocked(); len(list) != 1 || list[0].Stream != "order-b" || !json.Valid(list[0].Data) {
		t.Errorf("still blocked: %+v", list)
	}
	var repairs []client.Repair
	parse(t, do(exitDone, "repairs", "orders", "--json"), &repairs)
	if len(repairs) != 1 || repairs[0].Kind != "skip" || repairs[0].Reason != "It belongs to a product." || repairs[0].By == "" || repairs[0].Error == "" {
		t.Errorf("on record: %+v", repairs)
	}
	if text := do(exitDone, "list"); !strings.Contains(text, "orders") || !strings.Contains(text, "BLOCKED") {
		t.Errorf("list:\n%s", text)
	}
}

func TestOrdersAreExportedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	platform := startShop(t)
	placeOrders(t, platform.api(), "k", 3)
	ids := listedOrders(t, platform.api(), 3)
	site := []string{"--url", "http://" + platform.addr, "--api-key", bench.AdminKey}
	file := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(file, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := says(t, exitDone, append([]string{"export", "orders", "--out", file}, site...)...)
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(out, "3 orders") || strings.Count(string(text), "\n") != 4 {
		t.Errorf("printed %q, wrote %v:\n%s", out, err, text)
	}
	for _, id := range ids {
		if !strings.Contains(string(text), id) {
			t.Errorf("order %s is not exported:\n%s", id, text)
		}
	}
	out, _ = says(t, exitDone, append([]string{"export", "orders", "--out", "-", "--format", "ndjson", "--status", "shipped"}, site...)...)
	if out != "" {
		t.Errorf("of another status: %q", out)
	}
	out, _ = says(t, exitDone, append([]string{"export", "orders", "--out", "-", "--format", "ndjson", "--status", "placed", "--personal-data"}, site...)...)
	if strings.Count(out, "\n") != 3 || !strings.Contains(out, "a@example.com") {
		t.Errorf("with personal data: %q", out)
	}
	says(t, exitUsage, append([]string{"export", "orders", "--out", "-", "--format", "xml"}, site...)...)
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) != 0 {
		t.Errorf("left beside the file: %v, %v", left, err)
	}
}
