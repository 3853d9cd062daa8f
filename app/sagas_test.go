package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/gateways/warehouse/sandbox"
)

// sagas is a platform with a warehouse whose tasks are looked at often.
type sagas struct {
	*fuzzed

	warehouse *sandbox.Server
}

func startSagas(t *testing.T, settings ...string) sagas {
	t.Helper()
	w, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(t.TempDir(), "warehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	settings = append([]string{"--warehouse", w.URL(), "--tasks-every", "50ms"}, settings...)
	return sagas{startFuzzed(t, settings...), w}
}

// product has ten pieces of a product of its own on the shelf.
func (p sagas) product(t *testing.T, sku string) {
	t.Helper()
	err := p.api.CreateProduct(t.Context(), client.Product{SKU: sku, Title: "Mug", Prices: []client.Money{{Amount: 1250, Currency: "EUR"}, {Amount: 500, Currency: "JPY"}}})
	if err == nil {
		err = p.api.ReceiveStock(t.Context(), "main", client.Receipt{Ref: sku, Lines: []client.ReceiptLine{{SKU: sku, Quantity: 10}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// place orders so many pieces of each product.
func (p sagas) place(t *testing.T, currency string, quantity int, skus ...string) string {
	t.Helper()
	request := client.PlaceOrder{Customer: &client.Customer{Email: "a@example.com"}, Currency: currency, Payment: client.Payment{Method: "sandbox:approved"}}
	for _, sku := range skus {
		p.product(t, sku)
		request.Lines = append(request.Lines, client.OrderLine{SKU: sku, Quantity: quantity})
	}
	placed, err := p.api.PlaceOrder(t.Context(), "place "+skus[0], request)
	if err != nil {
		t.Fatal(err)
	}
	return placed.ID
}

// seen is what of an order matters here.
type seen struct {
	Status        string
	PaymentStatus string `json:"payment_status"`
	Cancellation  struct{ Status, Reason string }
	Holds         []struct{ Reason string }
	Payments      []struct {
		Status             string
		Captured, Refunded client.Money
	}
}

func (p sagas) see(t *testing.T, orderID string) (o seen) {
	t.Helper()
	if err := json.Unmarshal(p.read(t, "/v1/orders/"+orderID), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// becomes waits until an order is in a state, and its payment.
func (p sagas) becomes(t *testing.T, orderID, status, paid string) seen {
	t.Helper()
	p.eventually(t, status+" and "+paid, func() bool {
		o := p.see(t, orderID)
		return o.Status == status && o.PaymentStatus == paid
	})
	return p.see(t, orderID)
}

// shelf waits until so many pieces are there, and as many as that belong to
// orders.
func (p sagas) shelf(t *testing.T, sku string, onHand, committed int64) {
	t.Helper()
	p.stock(t, client.StockLevel{SKU: sku, Location: "main", OnHand: onHand, Committed: committed, Available: onHand - committed})
}

func (p sagas) job(t *testing.T, orderID, status string) (id string) {
	t.Helper()
	p.eventually(t, "the job "+status, func() bool {
		jobs, err := p.warehouse.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(jobs, func(j sandbox.Job) bool {
			id = j.RequestID
			return j.OrderID == orderID && j.Status == status
		})
	})
	return id
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key(name string) client.Change { return client.Change{Key: name} }

// What orders need after a request is done through the whole platform: node,
// read models, gateway and warehouse.
func TestSagas(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		p := startSagas(t, append(on(e), "--tasks-complete-after", "1s")...)
		for name, run := range map[string]func(t *testing.T){
			"cancelled before it is shipped":          p.cancelledEarly,
			"cancelled in time for the warehouse":     p.cancelledInTime,
			"cancelled too late for the warehouse":    p.cancelledTooLate,
			"cancelled when a part is shipped":        p.cancelledInPart,
			"cancelled right after an edit":           p.cancelledEdited,
			"picked in part, the rest refused":        p.pickedInPart,
			"exchanged":                               p.exchanged,
			"missing":                                 p.missing,
			"completed, reopened and completed again": p.completedTwice,
			"captured by hand after an edit":          p.capturedByHand,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t)
			})
		}
	})
}

func (p sagas) cancelledEarly(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 3, "EARLY")
	p.shelf(t, "EARLY", 10, 3)
	_, err := p.api.CancelOrder(t.Context(), id, key("cancel"), "changed-mind")
	done(t, err)
	o := p.becomes(t, id, "cancelled", "voided")
	p.shelf(t, "EARLY", 10, 0)
	if o.Cancellation.Status != "cancelled" || o.Payments[0].Status != "voided" {
		t.Errorf("%+v", o)
	}
}

func (p sagas) cancelledInTime(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 3, "INTIME")
	_, err := p.api.RequestFulfilment(t.Context(), id, key("pick"), client.RequestFulfilment{})
	done(t, err)
	p.job(t, id, "submitted")
	_, err = p.api.CancelOrder(t.Context(), id, key("cancel"), "changed-mind")
	done(t, err)
	p.becomes(t, id, "cancelled", "voided")
	p.job(t, id, "stopped")
	p.shelf(t, "INTIME", 10, 0)
}

func (p sagas) cancelledTooLate(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 3, "LATE")
	_, err := p.api.RequestFulfilment(t.Context(), id, key("pick"), client.RequestFulfilment{})
	done(t, err)
	if _, err := p.warehouse.Pick(t.Context(), p.job(t, id, "submitted")); err != nil {
		t.Fatal(err)
	}
	_, err = p.api.CancelOrder(t.Context(), id, key("cancel"), "changed-mind")
	done(t, err)
	o := p.becomes(t, id, "processing", "authorised")
	if o.Cancellation.Status != "refused" {
		t.Errorf("%+v", o.Cancellation)
	}
	_, err = p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{})
	done(t, err)
	p.becomes(t, id, "shipped", "captured")
	p.shelf(t, "LATE", 7, 0)
}

func (p sagas) cancelledInPart(t *testing.T) {
	t.Helper()
	id := p.place(t, "JPY", 3, "PART")
	_, err := p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{Lines: []client.Units{{LineID: "1", Quantity: 1}}})
	done(t, err)
	_, err = p.api.CancelOrder(t.Context(), id, key("cancel"), "changed-mind")
	done(t, err)
	o := p.becomes(t, id, "cancelled", "captured")
	p.shelf(t, "PART", 9, 0)
	if o.Payments[0].Captured != (client.Money{Amount: 500, Currency: "JPY"}) {
		t.Errorf("%+v", o.Payments)
	}
	p.comesBack(t, id, "refund", 1)
	p.becomes(t, id, "cancelled", "refunded")
	p.shelf(t, "PART", 10, 0)
}

// The warehouse finds two pieces of three, sends them, and says that there is
// no third one; the shop gives that up.
func (p sagas) pickedInPart(t *testing.T) {
	t.Helper()
	id := p.place(t, "JPY", 3, "SHORT")
	_, err := p.api.RequestFulfilment(t.Context(), id, key("pick"), client.RequestFulfilment{})
	done(t, err)
	request := p.job(t, id, "submitted")
	for range 2 { // it may say everything twice
		_, err = p.api.ShipOrder(t.Context(), id, key(request+" parcel"), client.ShipOrder{ID: "p1", Lines: []client.Units{{LineID: "1", Quantity: 2}}})
		done(t, err)
		_, err = p.api.HoldOrder(t.Context(), id, key(request+" refused"), client.HoldOrder{ID: "refused", Reason: "stock_shortfall"})
		done(t, err)
	}
	o := p.see(t, id)
	if o.Status != "on_hold" || len(o.Holds) != 1 || o.Holds[0].Reason != "stock_shortfall" {
		t.Errorf("%+v", o)
	}
	_, err = p.api.ReleaseOrder(t.Context(), id, key("release"), "")
	done(t, err)
	_, err = p.api.CancelOrder(t.Context(), id, key("cancel"), "sold-out")
	done(t, err)
	o = p.becomes(t, id, "cancelled", "captured")
	p.job(t, id, "stopped")
	p.shelf(t, "SHORT", 8, 0)
	if o.Payments[0].Captured != (client.Money{Amount: 1000, Currency: "JPY"}) {
		t.Errorf("%+v", o.Payments)
	}
}

func (p sagas) cancelledEdited(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 2, "EDITED-1", "EDITED-2")
	_, err := p.api.EditOrder(t.Context(), id, key("edit"), client.EditOrder{Lines: []client.EditLine{{LineID: "1", Quantity: 0}}})
	done(t, err)
	_, err = p.api.CancelOrder(t.Context(), id, key("cancel"), "changed-mind")
	done(t, err)
	p.becomes(t, id, "cancelled", "voided")
	p.shelf(t, "EDITED-1", 10, 0)
	p.shelf(t, "EDITED-2", 10, 0)
}

// comesBack returns pieces of the first line, which go back on the shelf.
func (p sagas) comesBack(t *testing.T, id, kind string, quantity int) {
	t.Helper()
	_, err := p.api.RequestReturn(t.Context(), id, key("return"), client.RequestReturn{
		ID: "back", Kind: kind, Lines: []client.ReturnedUnits{{LineID: "1", Quantity: quantity, Reason: "broken"}},
	})
	done(t, err)
	_, err = p.api.ReceiveReturn(t.Context(), id, "back", key("receive"), client.ReceiveReturn{Lines: []client.ReceivedUnits{{LineID: "1", Quantity: quantity, Restock: true}}})
	done(t, err)
}

func (p sagas) exchanged(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 2, "SWAP")
	_, err := p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{})
	done(t, err)
	p.comesBack(t, id, "exchange", 1)
	p.shelf(t, "SWAP", 9, 1)
	p.becomes(t, id, "shipped", "captured")
	var list struct{ Items []struct{ ID string } }
	p.eventually(t, "listed", func() bool {
		if err := json.Unmarshal(p.read(t, "/v1/orders?sku=SWAP"), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 2
	})
	replacement := list.Items[0].ID
	if replacement == id {
		replacement = list.Items[1].ID
	}
	// It costs nothing: nothing is held or taken.
	_, err = p.api.ShipOrder(t.Context(), replacement, key("ship it"), client.ShipOrder{})
	done(t, err)
	p.shelf(t, "SWAP", 8, 0)
	if o := p.see(t, replacement); o.Status != "shipped" || len(o.Payments) != 0 {
		t.Errorf("the replacement: %+v", o)
	}
}

func (p sagas) missing(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 10, "GONE")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/stock/main/GONE/adjust", strings.NewReader(`{"delta": -1, "reason": "lost", "ref": "a"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + fuzzAdminKey}, "If-Match": {"*"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"adjust"}}
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	o := p.becomes(t, id, "on_hold", "authorised")
	if len(o.Holds) != 1 || o.Holds[0].Reason != "stock_shortfall" {
		t.Errorf("%+v", o.Holds)
	}
}

func (p sagas) completedTwice(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 2, "TWICE")
	_, err := p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{ID: "s"})
	done(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/orders/"+id+"/shipments/s/delivered", bytes.NewReader([]byte(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + fuzzAdminKey}, "If-Match": {"*"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"delivered"}}
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	p.becomes(t, id, "completed", "captured")
	p.comesBack(t, id, "refund", 2)
	p.becomes(t, id, "completed", "refunded")
	p.shelf(t, "TWICE", 10, 0)
	// The timeline is another read model than the order, and may be behind it.
	var timeline string
	p.eventually(t, "completed again in the timeline", func() bool {
		timeline = string(p.read(t, "/v1/orders/"+id+"/timeline"))
		return strings.Count(timeline, `"OrderCompleted"`) > 1
	})
	for event, n := range map[string]int{"OrderReopened": 1, "OrderCompleted": 2, "OrderRefunded": 1} {
		if got := strings.Count(timeline, `"`+event+`"`); got != n {
			t.Errorf("%s is there %d times", event, got)
		}
	}
}

func (p sagas) capturedByHand(t *testing.T) {
	t.Helper()
	id := p.place(t, "EUR", 3, "HAND")
	_, err := p.api.EditOrder(t.Context(), id, key("edit"), client.EditOrder{Lines: []client.EditLine{{LineID: "1", Quantity: 1}}})
	done(t, err)
	_, err = p.api.CaptureOrder(t.Context(), id, key("capture"), client.CaptureOrder{})
	done(t, err)
	_, err = p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{})
	done(t, err)
	p.shelf(t, "HAND", 9, 0)
	p.eventually(t, "let go of", func() bool { return p.see(t, id).Payments[0].Status == "voided" })
	if o := p.see(t, id); o.Payments[0].Captured.Amount != 1250 {
		t.Errorf("%+v", o.Payments)
	}
}

// The to-do list is lost, and made anew from the log: what was done is not done
// again, and what comes is.
func TestTheToDoListIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := map[string]string{}
	ship := func(t *testing.T, p sagas, sku string) string {
		t.Helper()
		id := p.place(t, "EUR", 2, sku)
		_, err := p.api.ShipOrder(t.Context(), id, key("ship"), client.ShipOrder{})
		done(t, err)
		return id
	}
	quiet := func(t *testing.T, p sagas) {
		t.Helper()
		p.eventually(t, "at rest", func() bool { return !strings.Contains(string(p.get(t, "/metrics")), "waybill_tasks_due{") })
	}
	t.Run("before", func(t *testing.T) { //nolint:paralleltest // one after the other
		p := startSagas(t, "--data-dir", dir)
		for n := range 12 {
			id := ship(t, p, fmt.Sprint("ANEW-", n))
			p.comesBack(t, id, "refund", 1)
			before[id] = ""
		}
		for id := range before {
			p.becomes(t, id, "shipped", "partially_refunded")
		}
		// The list may be empty before the timeline tells of its last task.
		p.eventually(t, "at rest for good", func() bool {
			time.Sleep(500 * time.Millisecond)
			rests := !strings.Contains(string(p.get(t, "/metrics")), "waybill_tasks_due{")
			for id, was := range before {
				before[id] = string(p.read(t, "/v1/orders/"+id+"/timeline"))
				rests = rests && before[id] == was
			}
			return rests
		})
	})
	files, err := filepath.Glob(filepath.Join(dir, "projections", "tasks*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no read model: %v", err)
	}
	for _, file := range files {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("after", func(t *testing.T) { //nolint:paralleltest // one after the other
		p := startSagas(t, "--data-dir", dir)
		p.becomes(t, ship(t, p, "ANEW"), "shipped", "captured")
		quiet(t, p)
		for id, want := range before {
			if got := string(p.read(t, "/v1/orders/"+id+"/timeline")); got != want {
				t.Errorf("%s: something was caused anew:\n%s", id, strings.TrimPrefix(got, strings.TrimSuffix(want, "]}")))
			}
		}
	})
}
