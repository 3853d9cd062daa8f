package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/bench"
	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/domain/process"
	"github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/imports/retail"
)

// books is what is known of an order's money, in pence, and how often it moved.
type books struct {
	Authorised, Captured, Refunded int64
	Captures, Refunds              int
}

// accountant compares what an import asked for with what the platform, the log
// and the gateway say of it.
type accountant struct {
	platform *restarting
	orders   map[string]client.Order // by invoice, as acknowledged
	want     map[string]books        // by invoice
	returned map[string]int64        // units by SKU
	received map[string]int64        // units by SKU
	ledger   map[string]books        // by payment, as the log has them
	events   int
}

func newAccountant(platform *restarting, invoices []retail.Invoice, orders map[string]client.Order) *accountant {
	a := &accountant{
		platform: platform, orders: orders, want: map[string]books{}, ledger: map[string]books{},
		returned: map[string]int64{}, received: map[string]int64{},
	}
	plans := retail.Plans(invoices, true)
	skus := map[string]string{} // by invoice and line
	for _, plan := range plans {
		for n, line := range plan.Order.Lines {
			skus[fmt.Sprintf("%s %d", plan.Invoice, n+1)] = line.SKU
			a.received[line.SKU] += int64(line.Quantity)
			sum := a.want[plan.Invoice]
			sum.Authorised += int64(line.Quantity) * line.UnitPrice.Amount
			sum.Captured, sum.Captures = sum.Authorised, 1
			a.want[plan.Invoice] = sum
		}
	}
	for _, plan := range plans {
		for _, back := range plan.Returns {
			sum := a.want[back.Of]
			sum.Refunded += back.Pence
			sum.Refunds++
			a.want[back.Of] = sum
			for _, line := range back.Lines {
				a.returned[skus[back.Of+" "+line.LineID]] += int64(line.Quantity)
			}
		}
	}
	return a
}

// tasks expects nothing to be left to do but what only time brings.
func (a *accountant) tasks(ctx context.Context, t *testing.T) {
	t.Helper()
	eventually(ctx, t, 2*time.Minute, func() error {
		if text := string(a.get(ctx, t, "/metrics")); strings.Contains(text, "waybill_tasks_due{") {
			_, text, _ = strings.Cut(text, "waybill_tasks_due{")
			text, _, _ = strings.Cut(text, "\n")
			return fmt.Errorf("tasks are due: %s", text)
		}
		return nil
	})
	for invoice, placed := range a.orders {
		var list struct {
			Items []struct {
				Kind, Ref, Error string
				DueAt            time.Time `json:"due_at"`
				Failures         int
			} `json:"items"`
		}
		a.read(ctx, t, "/v1/orders/"+placed.ID+"/tasks", &list)
		for _, task := range list.Items {
			if task.DueAt.Before(time.Now().Add(time.Hour)) || task.Failures > 0 {
				t.Errorf("invoice %s: %s %s is still to be done: %+v", invoice, task.Kind, task.Ref, task)
			}
		}
	}
}

// stock expects of each SKU what came in, less what left, and what came back,
// in the read model and in the log.
func (a *accountant) stock(ctx context.Context, t *testing.T, store eventstore.Store) {
	t.Helper()
	for sku, in := range a.received {
		state, _, err := eventstore.Load(ctx, store, stock.Decider, stock.ID("main", sku))
		if err != nil {
			t.Fatal(err)
		}
		want := client.StockLevel{SKU: sku, Location: "main", OnHand: a.returned[sku], Available: a.returned[sku]}
		got := client.StockLevel{
			SKU: sku, Location: "main", OnHand: int64(state.OnHand), Reserved: int64(state.Reserved),
			Committed: int64(state.Committed), Available: int64(state.Available()),
		}
		level, err := a.platform.api().Stock(ctx, "main", sku)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || level != want {
			t.Errorf("%s: %+v in the log, %+v in the list; %d received and sold, %d came back", sku, got, level, in, a.returned[sku])
		}
	}
}

// streams expects each order and its payment to say the same as the file, and
// the order's timeline to have every event of them once.
func (a *accountant) streams(ctx context.Context, t *testing.T, store eventstore.Store) {
	t.Helper()
	for invoice, placed := range a.orders {
		state, _, err := eventstore.Load(ctx, store, order.Decider, placed.ID)
		if err != nil {
			t.Fatal(err)
		}
		paid, _, err := eventstore.Load(ctx, store, payment.Decider, state.PaymentID)
		if err != nil {
			t.Fatal(err)
		}
		a.ledger[paid.Key] = a.want[invoice]
		for _, back := range state.Returns {
			if e := back.Requested.External; e.Ref != back.Requested.ReturnID || e.Time.Year() > 2011 {
				t.Errorf("invoice %s: the return %s is of %+v", invoice, back.Requested.ReturnID, e)
			}
		}
		if state.Number != placed.Number || state.External.Ref != invoice {
			t.Errorf("invoice %s: acknowledged as %s, the log has %s of invoice %s", invoice, placed.Number, state.Number, state.External.Ref)
		}
		read, _, err := a.platform.api().Order(ctx, placed.ID)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]books{"order": booksOfOrder(state), "payment": booksOfPayment(paid), "answer": booksOfAnswer(read, a.want[invoice])} {
			if got != a.want[invoice] {
				t.Errorf("invoice %s: the %s has %+v, want %+v", invoice, name, got, a.want[invoice])
			}
		}
		a.timeline(ctx, t, store, placed.ID, []string{
			order.Decider.Stream(placed.ID), payment.Decider.Stream(state.PaymentID),
			checkout.Decider.Stream(state.CheckoutID), process.Decider.Stream(placed.ID),
		})
	}
}

func booksOfOrder(s order.State) books {
	money := s.Money()
	b := books{Authorised: money.Held.Amount, Captured: money.Captured.Amount, Refunded: money.Refunded.Amount}
	for _, p := range s.Payments {
		for _, m := range p.Moved {
			if m.Kind == order.PaymentCaptured {
				b.Captures++
			} else {
				b.Refunds++
			}
		}
	}
	return b
}

func booksOfPayment(s payment.State) books {
	return books{s.Authorised.Amount, s.Captured().Amount, s.Refunded().Amount, len(s.Captures), len(s.Refunds)}
}

// booksOfAnswer has no number of movements to say of an order.
func booksOfAnswer(o client.Order, want books) books {
	b := books{Captures: want.Captures, Refunds: want.Refunds}
	for _, p := range o.Payments {
		b.Authorised += p.Authorised.Amount
		b.Captured += p.Captured.Amount
		b.Refunded += p.Refunded.Amount
	}
	return b
}

func (a *accountant) timeline(ctx context.Context, t *testing.T, store eventstore.Store, id string, streams []string) {
	t.Helper()
	var want []string
	for _, stream := range streams {
		for recorded, err := range store.ReadStream(ctx, stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, recorded.ID.String())
		}
	}
	a.events += len(want)
	slices.Sort(want)
	var got []string
	eventually(ctx, t, time.Minute, func() error {
		var list struct {
			Items []struct {
				EventID string `json:"event_id"`
			} `json:"items"`
		}
		a.read(ctx, t, "/v1/orders/"+id+"/timeline", &list)
		got = nil
		for _, item := range list.Items {
			got = append(got, item.EventID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("timeline of order %s (-want +got):\n%s", id, cmp.Diff(want, got))
		}
		return nil
	})
}

// gateway expects the gateway's own book to hold one authorisation per order,
// and of each exactly what was shipped and came back.
func (a *accountant) gateway(t *testing.T) {
	t.Helper()
	gateway, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(a.platform.dir, "sandbox.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gateway.Stop(context.Background()) }()
	if err := gateway.Audit(t.Context()); err != nil {
		t.Errorf("the gateway's ledger does not add up: %v", err)
	}
	entries, err := gateway.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	movements, err := gateway.Movements(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]books{}
	for _, e := range entries {
		got[e.Key] = books{Authorised: e.Amount, Captured: e.Captured, Refunded: e.Refunded}
	}
	for _, m := range movements {
		sum := got[m.Key]
		if m.Kind == "capture" {
			sum.Captures++
		} else {
			sum.Refunds++
		}
		got[m.Key] = sum
	}
	if diff := cmp.Diff(a.ledger, got); diff != "" || len(entries) != len(a.orders) {
		t.Errorf("%d authorisations of %d orders (-want +got):\n%s", len(entries), len(a.orders), diff)
	}
}

// total adds up what the file asks for.
func (a *accountant) total() (sum books) {
	for b := range maps.Values(a.want) {
		sum.Authorised += b.Authorised
		sum.Captured += b.Captured
		sum.Refunded += b.Refunded
		sum.Captures += b.Captures
		sum.Refunds += b.Refunds
	}
	return sum
}

func (a *accountant) read(ctx context.Context, t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal(a.get(ctx, t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (a *accountant) get(ctx context.Context, t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.platform.addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+bench.AdminKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return body
}

// openLog reads the platform's own log, past the platform.
func openLog(t *testing.T, addr string, more ...domain.EventType) *eventstore.Client {
	t.Helper()
	codec, err := eventstore.NewCodec(slices.Concat(
		order.EventTypes(), payment.EventTypes(), checkout.EventTypes(), process.EventTypes(), stock.EventTypes(), more)...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := eventstore.NewClient(eventstore.Config{
		ConnectionString: "esdb://" + addr + "?tls=false", Codec: codec, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}
