package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
)

// A product is ordered, shipped, delivered, sent back and paid back: each step
// is a request, and what follows from it happens by itself.
func TestWhatAnOrderStillNeedsHappensByItself(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := startFuzzed(t, on(e)...)
		p.words(t)
		placed, err := p.api.PlaceOrder(t.Context(), "k", client.PlaceOrder{
			Customer: &client.Customer{Email: "a@example.com"}, Currency: "EUR",
			Lines: []client.OrderLine{{SKU: "FUZZ-3", Quantity: 3}}, Payment: client.Payment{Method: "sandbox:approved"},
		})
		if err != nil {
			t.Fatal(err)
		}
		must := func(_ client.Changed, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(p.api.ShipOrder(t.Context(), placed.ID, client.Change{Key: "ship"}, client.ShipOrder{ID: "s1", Lines: []client.Units{{LineID: "1", Quantity: 2}}}))
		p.await(t, placed.ID, "partially_captured")
		p.stock(t, client.StockLevel{SKU: "FUZZ-3", Location: "main", OnHand: 8, Committed: 1, Available: 7})
		must(p.api.ShipOrder(t.Context(), placed.ID, client.Change{Key: "ship the rest"}, client.ShipOrder{ID: "s2"}))
		p.await(t, placed.ID, "captured")
		p.stock(t, client.StockLevel{SKU: "FUZZ-3", Location: "main", OnHand: 7, Available: 7})
		must(p.api.RequestReturn(t.Context(), placed.ID, client.Change{Key: "return"}, client.RequestReturn{
			ID: "t1", Kind: "refund", Lines: []client.ReturnedUnits{{LineID: "1", Quantity: 1, Reason: "broken"}},
		}))
		must(p.api.ReceiveReturn(t.Context(), placed.ID, "t1", client.Change{Key: "receive"}, client.ReceiveReturn{
			Lines: []client.ReceivedUnits{{LineID: "1", Quantity: 1, Restock: true}},
		}))
		p.await(t, placed.ID, "partially_refunded")
		p.stock(t, client.StockLevel{SKU: "FUZZ-3", Location: "main", OnHand: 8, Available: 8})

		want := []string{"capture s1 done", "ship-stock s1 done", "capture s2 done", "ship-stock s2 done", "return t1 done"}
		p.eventually(t, "in the timeline", func() bool {
			timeline := string(p.read(t, "/v1/orders/"+placed.ID+"/timeline"))
			return !slices.ContainsFunc(want, func(text string) bool { return !strings.Contains(timeline, text) })
		})
		p.eventually(t, "at rest", func() bool { return !strings.Contains(string(p.get(t, "/metrics")), "waybill_tasks_due{") })
	})
}

// Where the policy says so, money is taken before anything is shipped.
func TestMoneyIsTakenWhenAnOrderIsPlaced(t *testing.T) {
	t.Parallel()
	p := startFuzzed(t, "--checkout-capture", "placed")
	p.words(t)
	placed, err := p.api.PlaceOrder(t.Context(), "k", client.PlaceOrder{
		Customer: &client.Customer{Email: "a@example.com"}, Currency: "EUR",
		Lines: []client.OrderLine{{SKU: "FUZZ-3", Quantity: 1}}, Payment: client.Payment{Method: "sandbox:approved"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.await(t, placed.ID, "captured")
}

// A gateway that refuses a capture is asked again, on record and in numbers.
func TestWhatFailsShowsInTheTimelineAndTheMetrics(t *testing.T) {
	t.Parallel()
	p := startFuzzed(t)
	p.words(t)
	placed, err := p.api.PlaceOrder(t.Context(), "k", client.PlaceOrder{
		Customer: &client.Customer{Email: "a@example.com"}, Currency: "EUR",
		Lines: []client.OrderLine{{SKU: "FUZZ-1", Quantity: 1}}, Payment: client.Payment{Method: "sandbox:capture-declined"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.api.ShipOrder(t.Context(), placed.ID, client.Change{Key: "ship"}, client.ShipOrder{ID: "s1"}); err != nil {
		t.Fatal(err)
	}
	p.eventually(t, "in the timeline", func() bool {
		return strings.Contains(string(p.read(t, "/v1/orders/"+placed.ID+"/timeline")), "capture s1 failed, attempt 2")
	})
	p.eventually(t, "in the metrics", func() bool {
		return strings.Contains(string(p.get(t, "/metrics")), `waybill_tasks_failing{kind="capture"} 1`)
	})
}

func (p *fuzzed) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s in time; the platform's log:\n%s", what, p.log)
		}
	}
}

// await waits for the payment of an order to get somewhere.
func (p *fuzzed) await(t *testing.T, orderID, status string) {
	t.Helper()
	var order struct {
		PaymentStatus string `json:"payment_status"`
	}
	p.eventually(t, status, func() bool {
		if err := json.Unmarshal(p.read(t, "/v1/orders/"+orderID), &order); err != nil {
			t.Fatal(err)
		}
		return order.PaymentStatus == status
	})
}

func (p *fuzzed) stock(t *testing.T, want client.StockLevel) {
	t.Helper()
	p.eventually(t, fmt.Sprintf("%+v", want), func() bool {
		got, err := p.api.Stock(t.Context(), want.Location, want.SKU)
		if err != nil {
			t.Fatal(err)
		}
		return got == want
	})
}

// read gets what only a key may.
func (p *fuzzed) read(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+fuzzAdminKey)
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v %s", path, response.StatusCode, err, body)
	}
	return body
}
