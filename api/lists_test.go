package api_test

import (
	"net/url"
	"testing"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/payment"
)

// Whoever changed something sees it in the list that shows it, and the pages of
// a list join.
func TestListsShowWhatTheirCallerWrote(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	o := p.ordered()
	o.pay(payment.RequestCapture{CaptureID: "c1", Amount: eur(3000)}, payment.Capture{CaptureID: "c1", GatewayRef: "taken"},
		payment.RequestRefund{RefundID: "r1", Amount: eur(500)}, payment.Refund{RefundID: "r1", GatewayRef: "given"})
	for _, id := range []string{"s1", "s2", "s3"} {
		o.step("shipments", `{"id": "`+id+`", "lines": [{"line_id": "1", "quantity": 1}], "tracking": "T-`+id+`"}`)
	}
	shipped := o.step("shipments/s1/delivered", `{}`)
	position := func(a answer) string { return a.header.Get("X-Write-Position") }
	returned := o.step("returns", `{"id": "b1", "kind": "refund", "lines": [{"line_id": "1", "quantity": 1, "reason": "late"}]}`)

	var ids []string
	for query := (url.Values{"limit": {"1"}, "min_position": {position(shipped)}, "order_id": {o.id}}); ; {
		page, err := c.Shipments(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Items {
			ids = append(ids, s.ID+" "+s.Status)
		}
		if page.Next == "" {
			break
		}
		query.Set("cursor", page.Next)
	}
	if len(ids) != 3 || ids[2] != "s1 delivered" {
		t.Errorf("parcels %v", ids)
	}
	if page, err := c.Shipments(t.Context(), url.Values{"tracking": {"T-s2"}}); err != nil || len(page.Items) != 1 || page.Items[0].ID != "s2" {
		t.Errorf("by tracking: %+v, %v", page, err)
	}
	if page, err := c.Returns(t.Context(), url.Values{"min_position": {position(returned)}, "status": {"requested"}}); err != nil || len(page.Items) != 1 || page.Items[0].Units != 1 {
		t.Errorf("returns: %+v, %v", page, err)
	}
	eventually(t, "captured and refunded in the lists", func() bool {
		refunds, err := c.Refunds(t.Context(), url.Values{"order_id": {o.id}})
		if err != nil {
			t.Fatal(err)
		}
		captures, err := c.Captures(t.Context(), url.Values{"status": {"requested"}})
		if err != nil {
			t.Fatal(err)
		}
		return len(refunds.Items) == 1 && refunds.Items[0].Status == "done" && refunds.Items[0].ID == "r1" && refunds.Items[0].Amount.Amount == 500 && len(captures.Items) == 0
	})
	payments, err := c.Payments(t.Context(), url.Values{"status": {"authorised"}, "order_id": {o.id}})
	if err != nil || len(payments.Items) != 1 || payments.Items[0].Amounts.Captured.Amount != 3000 || payments.Items[0].GatewayKey == "" {
		t.Errorf("payments: %+v, %v", payments, err)
	}
	p.get("/v1/payments?cursor=x").problem(400, "bad-cursor")
	p.get("/v1/refunds?min_position=900000000000000000").problem(409, "not-yet-visible")
}

// What a declined payment leaves reserved for another try is on the list.
func TestOpenReservationsAreListed(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	c := client.New(p.url, adminKey)
	t.Cleanup(c.Close)
	declined := p.place("k", cart(2, "declined")).expect(402)
	var list client.Page[client.Reservation]
	eventually(t, "listed", func() (there bool) {
		var err error
		if list, err = c.Reservations(t.Context(), url.Values{"sku": {"MUG-1"}, "location": {"main"}}); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) > 0
	})
	if r := list.Items[0]; len(list.Items) != 1 || r.Quantity != 2 || r.CheckoutID == "" || r.ExpiresAt.IsZero() {
		t.Errorf("reservations %+v after %s", list, declined.body)
	}
}
