package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
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
// moments while orders are placed, shipped and returned, and starts it again
// each time. What is left is compared with the file.
func TestKilledDuringAnImportNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	invoices := testInvoices(t)
	partner := startPartner(t)
	node := freeAddr(t)
	platform := &restarting{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--node-addr", node}}
	platform.start(ctx)
	t.Cleanup(platform.stop)
	partner.subscribe(ctx, platform.api())

	acknowledged := &acks{orders: map[string]client.Order{}}
	progress := &advance{}
	importer := retail.Importer{
		API: client.New("http://"+platform.addr, bench.AdminKey), Location: "main", Workers: 8, Patience: 3 * time.Minute,
		Returns: true, Placed: acknowledged.add, Advance: progress.set,
	}
	ended := make(chan struct{})
	var report retail.Report
	var err error
	go func() {
		defer close(ended)
		report, err = importer.Run(ctx, invoices)
	}()
	kills, begin := number(t, killsEnv, 4), time.Now()
	killAtRandom(ctx, platform, progress, ended, kills)
	<-ended
	if err != nil {
		t.Fatalf("import: %v\n%s", err, platform.output())
	}
	want := retail.Expected(invoices, true)
	want.AlreadyThere = report.AlreadyThere // of requests that a kill left without an answer
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	checkOrders(ctx, t, platform.api(), acknowledged, report)
	account, store := newAccountant(platform, invoices, acknowledged.orders), openLog(t, node)
	account.tasks(ctx, t)
	account.stock(ctx, t, store)
	account.streams(ctx, t, store)
	partner.check(t, acknowledged)
	public := partner.complete(ctx, t, store, acknowledged)
	platform.stop()
	account.gateway(t)
	t.Logf("%d kills, %d invoices, accounted for after %s: %d orders, %d returns, %d credit notes, %d products, %d events of orders; "+
		"%d received callbacks, %d duplicates, %d public events of orders all among them", kills, report.Invoices, time.Since(begin).Round(time.Second), report.Orders, report.Returns.Booked, report.CreditNotes,
		len(account.received), account.events, partner.received(), partner.duplicates(), public)
	t.Logf("at the gateway: %+v pence", account.total())
}

// advance is how far an import is, from 0 to 1.
type advance struct{ reached atomic.Uint64 }

func (a *advance) set(stage string, done, of int) {
	begin := map[string]float64{"products": 0, "invoices": 0.05, "returns": 0.7, "refunds": 0.9}
	end := map[string]float64{"products": 0.05, "invoices": 0.7, "returns": 0.9, "refunds": 1}
	a.reached.Store(math.Float64bits(begin[stage] + (end[stage]-begin[stage])*float64(done)/float64(of)))
}

// killAtRandom kills the platform at random points of an import, a moment after
// they are reached, and starts it again. The ones that an import which
// ends before does not reach come at once.
func killAtRandom(ctx context.Context, platform *restarting, imported *advance, ended <-chan struct{}, kills int) {
	points := make([]float64, kills)
	for n := range points {
		points[n] = rand.Float64() //nolint:gosec // a random moment, not a secret
	}
	slices.Sort(points)
	for _, point := range points {
		for over := false; !over && math.Float64frombits(imported.reached.Load()) < point; {
			select {
			case <-ended:
				over = true
			case <-time.After(2 * time.Millisecond):
			}
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) //nolint:gosec // as above
		platform.kill()
		platform.start(ctx)
	}
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

// madeUpInvoices has a cancelled one among ten, which takes back some lines of
// an earlier one: of some as many units as there were, of others more.
func madeUpInvoices(t *testing.T, count int) []retail.Invoice {
	t.Helper()
	var text strings.Builder
	text.WriteString("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
	for n := range count {
		prefix, sign, of, more := "", 1, n, 0
		if n%10 == 9 {
			prefix, sign, of, more = "C", -1, n-2, n/10%2
		}
		for line := range 1 + of%7 {
			fmt.Fprintf(&text, "%s%d,CODE%d,THING %d,%d,2010-12-01 08:26:00,%d.%02d,%d.0,United Kingdom\n",
				prefix, 800000+n, (of*7+line)%40, (of*7+line)%40, sign*(1+(of+line)%5+more), 1+line, (of*13)%100, 1000+of%20)
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

// missing names some of the orders that are not listed, by their invoices.
func (a *acks) missing(listed map[string]string) map[string]string {
	const enough = 5
	a.mu.Lock()
	defer a.mu.Unlock()
	missing := map[string]string{}
	for invoice, order := range a.orders {
		if _, ok := listed[order.ID]; !ok && len(missing) < enough {
			missing[invoice] = order.ID
		}
	}
	return missing
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
			return fmt.Errorf("%d orders listed, %d placed; missing: %v", len(listed), report.Orders, acknowledged.missing(listed))
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
