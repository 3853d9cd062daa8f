package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// TestClientChangesOrders leads an order through its life with the client that
// shops and our own tools use.
func TestClientChangesOrders(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	o := p.ordered()
	how := func(key string) client.Change { return client.Change{Key: key} }
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	var shipment, back string
	for _, step := range []struct {
		name   string
		do     func() (client.Changed, error)
		status string
		made   *string
	}{
		{"hold", func() (client.Changed, error) {
			return c.HoldOrder(t.Context(), o.id, how("hold"), client.HoldOrder{Reason: "manual"})
		}, "on_hold", nil},
		{"release", func() (client.Changed, error) { return c.ReleaseOrder(t.Context(), o.id, how("release"), "fine") }, "placed", nil},
		{"note", func() (client.Changed, error) {
			return c.AddNote(t.Context(), o.id, how("note"), client.Note{Text: "Rang her."})
		}, "placed", new(string)},
		{"tag", func() (client.Changed, error) {
			return c.TagOrder(t.Context(), o.id, how("tag"), client.Tags{Add: []string{"gift"}})
		}, "placed", nil},
		{"address", func() (client.Changed, error) {
			return c.ChangeAddress(t.Context(), o.id, how("address"), client.Address{Line1: "1 High Street", City: "Leeds", Country: "GB"})
		}, "placed", nil},
		{"edit", func() (client.Changed, error) {
			return c.EditOrder(t.Context(), o.id, how("edit"), client.EditOrder{Lines: []client.EditLine{{LineID: "1", Quantity: 2}, {SKU: "MUG-1", Quantity: 1}}})
		}, "placed", new(string)},
		{"fulfilment", func() (client.Changed, error) {
			return c.RequestFulfilment(t.Context(), o.id, how("fulfilment"), client.RequestFulfilment{})
		}, "processing", new(string)},
		{"ship", func() (client.Changed, error) {
			return c.ShipOrder(t.Context(), o.id, how("ship"), client.ShipOrder{Carrier: "dhl", ShippedAt: at})
		}, "shipped", &shipment},
		{"failed", func() (client.Changed, error) {
			return c.FailShipment(t.Context(), o.id, shipment, how("failed"), "lost")
		}, "shipped", nil},
		{"delivered", func() (client.Changed, error) {
			return c.MarkDelivered(t.Context(), o.id, shipment, how("delivered"), at)
		}, "delivered", nil},
		{"return", func() (client.Changed, error) {
			return c.RequestReturn(t.Context(), o.id, how("return"), client.RequestReturn{Lines: []client.ReturnedUnits{{LineID: "1", Quantity: 1, Reason: "small"}}})
		}, "delivered", &back},
		{"reject", func() (client.Changed, error) { return c.RejectReturn(t.Context(), o.id, back, how("reject"), "late") }, "delivered", nil},
		{"another return", func() (client.Changed, error) {
			return c.RequestReturn(t.Context(), o.id, how("return 2"), client.RequestReturn{Lines: []client.ReturnedUnits{{LineID: "1", Quantity: 2, Reason: "small"}, {LineID: "2", Quantity: 1, Reason: "small"}}})
		}, "delivered", &back},
		{"receive", func() (client.Changed, error) {
			return c.ReceiveReturn(t.Context(), o.id, back, how("receive"), client.ReceiveReturn{})
		}, "returned", nil},
	} {
		changed, err := step.do()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if step.made != nil {
			*step.made = changed.ID
		}
		if changed.Order.Status != step.status || changed.ETag == "" || changed.Position == 0 || changed.Replayed || (step.made != nil) != (changed.ID != "") {
			t.Errorf("%s: %+v", step.name, changed)
		}
		if again, err := step.do(); step.made == nil && (err != nil || !again.Replayed || again.ETag != changed.ETag) {
			t.Errorf("%s again: %+v, %v", step.name, again, err)
		}
	}
	o.captured(3750)
	refund, err := c.RefundOrder(t.Context(), o.id, how("refund"), client.Refund{Reason: "small"})
	if err != nil || !refund.Accepted || refund.ID == "" {
		t.Fatalf("refund: %+v, %v", refund, err)
	}
	if status, err := c.RefundStatus(t.Context(), o.id, refund.ID); err != nil || status != "requested" {
		t.Errorf("refund: %s, %v", status, err)
	}
	_, present, err := c.Order(t.Context(), o.id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.TagOrder(t.Context(), o.id, client.Change{IfMatch: `"0"`}, client.Tags{Add: []string{"late"}})
	var problem *client.Problem
	if !errors.As(err, &problem) || problem.Status != 412 || problem.ETag != present {
		t.Errorf("for another revision: %v, the order is at %s", err, present)
	}
	other := p.ordered()
	capture, err := c.CaptureOrder(t.Context(), other.id, how("capture"), client.CaptureOrder{Amount: &client.Money{Amount: 1250, Currency: "EUR"}})
	if err != nil || !capture.Accepted || capture.ID == "" {
		t.Fatalf("capture: %+v, %v", capture, err)
	}
	if status, err := c.CaptureStatus(t.Context(), other.id, capture.ID); err != nil || status != "requested" {
		t.Errorf("capture: %s, %v", status, err)
	}
	if changed, err := c.CancelOrder(t.Context(), other.id, how("cancel"), ""); err != nil || !changed.Accepted || changed.Order.Status != "cancelling" {
		t.Errorf("cancel: %+v, %v", changed, err)
	}
}

// A checkout has an id and a number. Whoever took them for those of an order
// would wait for one that may never come.
func TestClientTellsACheckoutFromAnOrder(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	lost := client.Payment{Method: "sandbox:error"}
	open := func(placed client.Placed, err error) {
		t.Helper()
		if err != nil || placed.CheckoutURL == "" || placed.ID != "" || placed.Status != "" {
			t.Errorf("a payment whose outcome is not known yet: %+v, %v", placed, err)
		}
	}
	ada := client.Customer{Email: "ada@example.com", Name: "Ada"}
	order := client.PlaceOrder{
		Customer: &ada, Currency: "EUR", Lines: []client.OrderLine{{SKU: "MUG-1", Quantity: 1}}, Payment: lost,
	}
	open(c.PlaceOrder(t.Context(), "order", order))

	declined := p.place("declined", cart(1, "declined")).problem(402, "payment-declined").text("checkout_id")
	open(c.PayCheckout(t.Context(), declined, "pay", lost))

	draft, err := c.OpenDraft(t.Context(), "open", client.OpenDraft{Currency: "EUR", Lines: []client.DraftLine{{SKU: "MUG-1", Quantity: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.SetDraftDetails(t.Context(), draft.ID, client.Change{}, client.DraftDetails{Customer: &ada, PaymentMethod: lost.Method}); err != nil {
		t.Fatal(err)
	}
	open(c.PlaceDraft(t.Context(), draft.ID, client.Change{Key: "place"}, nil))
}
