package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/imports/retail"
)

// What the kill test imports and how often it kills: a real file and a larger
// number may be named, for runs longer than a test should be.
const (
	retailEnv      = "WAYBILL_TEST_RETAIL"       // path of the Online Retail CSV; made up data when empty
	retailLimitEnv = "WAYBILL_TEST_RETAIL_LIMIT" // invoices of it
	killsEnv       = "WAYBILL_TEST_KILLS"
)

// TestKilledDuringAnImportNothingIsLostOrDoubled kills the platform at random
// moments while orders are placed, and starts it again each time.
func TestKilledDuringAnImportNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	invoices := testInvoices(t)
	partner := startPartner(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	partner.subscribe(ctx, platform.api())

	acknowledged := &acks{orders: map[string]client.Order{}}
	importer := retail.Importer{
		API: client.New("http://"+platform.addr, bench.AdminKey), Location: "main", Workers: 8, Patience: 3 * time.Minute,
		Placed: acknowledged.add,
	}
	type result struct {
		report retail.Report
		err    error
	}
	imported := make(chan result, 1)
	go func() {
		report, err := importer.Run(ctx, invoices)
		imported <- result{report, err}
	}()
	kills := number(t, killsEnv, 4)
	for range kills {
		time.Sleep(time.Duration(300+rand.IntN(1500)) * time.Millisecond) //nolint:gosec // a random moment, not a secret
		platform.kill()
		platform.start(ctx)
	}
	end := <-imported
	if end.err != nil {
		t.Fatalf("import: %v\n%s", end.err, platform.output())
	}
	if !end.report.Whole() || len(end.report.Refused) > 0 {
		t.Errorf("not every invoice is accounted for: %+v", end.report)
	}
	checkOrders(ctx, t, platform.api(), acknowledged, end.report)
	checkStock(ctx, t, platform.api(), invoices)
	partner.check(t, acknowledged)
	platform.stop()
	checkLedger(t, platform.dir, end.report.Orders)
	t.Logf("%d kills, %d invoices: %d orders, %d credit notes, %d received callbacks, %d duplicates",
		kills, end.report.Invoices, end.report.Orders, end.report.CreditNotes, partner.received(), partner.duplicates())
}

// testInvoices reads the file that the environment names or makes up invoices
// of the same form.
func testInvoices(t *testing.T) []retail.Invoice {
	t.Helper()
	path := os.Getenv(retailEnv)
	if path == "" {
		return madeUpInvoices(t, 150)
	}
	invoices, err := readRetail(path, number(t, retailLimitEnv, 2000))
	if err != nil {
		t.Fatal(err)
	}
	return invoices
}

func madeUpInvoices(t *testing.T, count int) []retail.Invoice {
	t.Helper()
	var text strings.Builder
	text.WriteString("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
	for n := range count {
		prefix, sign := "", 1
		if n%10 == 9 {
			prefix, sign = "C", -1
		}
		for line := range 1 + n%7 {
			fmt.Fprintf(&text, "%s%d,CODE%d,THING %d,%d,2010-12-01 08:26:00,%d.%02d,%d.0,United Kingdom\n",
				prefix, 800000+n, (n*7+line)%40, (n*7+line)%40, sign*(1+(n+line)%5), 1+line, (n*13)%100, 1000+n%20)
		}
	}
	invoices, err := retail.Read(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return invoices
}

func number(t *testing.T, env string, otherwise int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

// acks remembers which orders the platform said are placed.
type acks struct {
	mu     sync.Mutex
	orders map[string]client.Order // by invoice
}

func (a *acks) add(invoice string, order client.Order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.orders[invoice] = order
}

// checkOrders compares the list of orders with what was acknowledged.
func checkOrders(ctx context.Context, t *testing.T, api *client.Client, acknowledged *acks, report retail.Report) {
	t.Helper()
	var listed map[string]string
	eventually(ctx, t, time.Minute, func() error {
		listed = map[string]string{}
		query := url.Values{"limit": {"200"}}
		for {
			page, err := api.Orders(ctx, query)
			if err != nil {
				return err
			}
			for _, order := range page.Orders {
				listed[order.ID] = order.Number
			}
			if page.Next == "" {
				break
			}
			query.Set("cursor", page.Next)
		}
		if len(listed) < report.Orders {
			return fmt.Errorf("%d orders listed, %d placed", len(listed), report.Orders)
		}
		return nil
	})
	if len(listed) != report.Orders || len(acknowledged.orders) != report.Orders {
		t.Errorf("%d orders listed, %d acknowledged, %d reported", len(listed), len(acknowledged.orders), report.Orders)
	}
	numbers := map[string]string{}
	for invoice, order := range acknowledged.orders {
		if _, ok := listed[order.ID]; !ok {
			t.Errorf("invoice %s: order %s was acknowledged and is missing", invoice, order.ID)
		}
		if other, twice := numbers[order.Number]; twice {
			t.Errorf("invoices %s and %s have the same order number %s", invoice, other, order.Number)
		}
		numbers[order.Number] = invoice
	}
}

// checkStock expects nothing to be left of what came in for each order: the
// import receives exactly what it sells.
func checkStock(ctx context.Context, t *testing.T, api *client.Client, invoices []retail.Invoice) {
	t.Helper()
	sold := map[string]int64{}
	for _, invoice := range invoices {
		for _, line := range retail.PlanOf(invoice).Order.Lines {
			sold[line.SKU] += int64(line.Quantity)
		}
	}
	for sku, units := range sold {
		level, err := api.Stock(ctx, "main", sku)
		if err != nil {
			t.Fatal(err)
		}
		if level.OnHand != units || level.Committed != units || level.Reserved != 0 || level.Available != 0 {
			t.Errorf("%s: %+v, want %d on hand, all of it committed", sku, level, units)
		}
	}
}

// checkLedger expects the gateway's own book to hold one authorisation per
// order and nothing else.
func checkLedger(t *testing.T, dir string, orders int) {
	t.Helper()
	gateway, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(dir, "sandbox.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gateway.Stop(context.Background()) }()
	entries, err := gateway.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, entry := range entries {
		if entry.Status == "authorised" {
			held++
		}
	}
	if held != orders {
		t.Errorf("the gateway holds %d authorisations for %d orders", held, orders)
	}
}

// restarting is a platform that comes back on the same address and folder.
type restarting struct {
	t    *testing.T
	dir  string
	addr string
	args []string
	env  []string
	now  *bench.Platform
}

func (r *restarting) start(ctx context.Context) {
	r.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	if r.now, err = bench.StartPlatform(ctx, bench.Place{Binary: binary, Dir: r.dir, Addr: r.addr, Args: r.args, Env: r.env}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restarting) kill() {
	r.t.Helper()
	if err := r.now.Kill(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restarting) stop() {
	if err := r.now.Stop(); err != nil {
		r.t.Error(err)
	}
}

func (r *restarting) api() *client.Client { return r.now.API }

func (r *restarting) output() string { return r.now.Output() }

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := bench.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// eventually repeats a check until it holds or its time is over.
func eventually(ctx context.Context, t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %v", within, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
