package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/domain/payment"
	"github.com/waybill-dev/waybill/eventstore"
)

func euros(amount int64) client.Money { return client.Money{Amount: amount, Currency: "EUR"} }

func TestAPaymentTellsWhatBecameOfItsMoney(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	o := p.ordered()
	state := o.pay(
		payment.RequestCapture{CaptureID: "c1", Amount: eur(1250)}, payment.Capture{CaptureID: "c1", GatewayRef: "taken"},
		payment.RequestCapture{CaptureID: "c2", Amount: eur(1000)}, payment.FailCapture{CaptureID: "c2", Code: "gone"},
		payment.RequestCapture{CaptureID: "c3", Amount: eur(500)},
		payment.RequestRefund{RefundID: "r1", Amount: eur(200)},
		payment.ChargeBack{CaseRef: "case", Amount: eur(50)},
	)
	c := client.New(p.url, adminKey)
	got, tag, err := c.Payment(t.Context(), state.PaymentID)
	if err != nil {
		t.Fatal(err)
	}
	want := client.PaymentAmounts{
		Requested: euros(3750), Authorised: euros(3750), Captured: euros(1250), Capturable: euros(2000), Refunded: euros(0),
		Refundable: euros(1000), ChargedBack: euros(50),
	}
	if diff := cmp.Diff(want, got.Amounts); diff != "" {
		t.Errorf("amounts (-want +got):\n%s", diff)
	}
	captures := []client.PaymentMovement{
		{ID: "c1", Status: "done", Amount: euros(1250), GatewayRef: "taken"},
		{ID: "c2", Status: "failed", Amount: euros(1000), Code: "gone"},
		{ID: "c3", Status: "requested", Amount: euros(500)},
	}
	if diff := cmp.Diff(captures, got.Captures); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
	if got.OrderID != o.id || got.Status != "authorised" || got.Gateway != "sandbox" || got.GatewayRef == "" || got.Action != nil ||
		len(got.Refunds) != 1 || got.Refunds[0].Status != "requested" {
		t.Errorf("%+v", got)
	}
	list, err := c.OrderPayments(t.Context(), o.id)
	if diff := cmp.Diff([]client.PaymentState{got}, list); err != nil || diff != "" {
		t.Errorf("of the order, %v (-want +got):\n%s", err, diff)
	}
	path := "/v1/payments/" + state.PaymentID
	p.do(request{method: http.MethodGet, path: path, header: map[string]string{"If-None-Match": tag}}).expect(http.StatusNotModified)
	o.pay(payment.Capture{CaptureID: "c3", GatewayRef: "taken"})
	p.do(request{method: http.MethodGet, path: path, header: map[string]string{"If-None-Match": tag}}).expect(http.StatusOK)
	p.do(request{method: http.MethodGet, path: path, key: p.key(apikey.PaymentsWrite)}).expect(http.StatusOK)
	p.do(request{method: http.MethodGet, path: path, key: p.key(apikey.StockWrite)}).problem(http.StatusForbidden, "forbidden")
	p.get("/v1/payments/none").problem(http.StatusNotFound, "not-found")
	p.get("/v1/orders/none/payments").problem(http.StatusNotFound, "not-found")
}

// Every state of an authorisation is told, of an order that is not placed too.
func TestAPaymentIsShownWhereverItIs(t *testing.T) {
	t.Parallel()
	p := start(t)
	expires := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	requested := payment.PaymentAuthorisationRequested{PaymentID: "p", OrderID: "o", Amount: eur(100), Method: "m", Gateway: "sandbox"}
	for name, row := range map[string]struct {
		event domain.Event
		check func(client.PaymentState) bool
	}{
		"action_required": {payment.PaymentActionRequired{URL: "https://bank.example", ExpiresAt: expires}, func(s client.PaymentState) bool {
			return s.Action != nil && *s.Action == client.PaymentAction{URL: "https://bank.example", ExpiresAt: expires}
		}},
		"authorised": {payment.PaymentAuthorised{Amount: eur(100), GatewayRef: "g", ExpiresAt: expires}, func(s client.PaymentState) bool {
			return s.ExpiresAt.Equal(expires) && s.GatewayRef == "g" && s.Amounts.Capturable == euros(100)
		}},
		"declined": {payment.PaymentDeclined{Code: "no"}, func(s client.PaymentState) bool { return s.Amounts.Authorised == euros(0) }},
		"unknown":  {payment.PaymentOutcomeUnknown{Cause: "timeout"}, func(s client.PaymentState) bool { return s.ExpiresAt.IsZero() }},
	} {
		id := uuid.NewString()
		for _, e := range []domain.Event{requested, row.event} {
			if _, err := p.store.Append(t.Context(), "payment-"+id, eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: e}); err != nil {
				t.Fatal(err)
			}
		}
		got, _, err := client.New(p.url, adminKey).Payment(t.Context(), id)
		if err != nil || got.Status != name || got.Amounts.Requested != euros(100) || !row.check(got) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// One that followed is listed when the order knows of it.
	o := shop(t, 5).ordered()
	if _, err := o.store.Append(t.Context(), "payment-second", eventstore.Any, eventstore.NewEvent{ID: uuid.New(), Event: requested}); err != nil {
		t.Fatal(err)
	}
	o.tell(order.UpdatePayment{PaymentID: "second", Kind: order.PaymentAuthorised, Amount: eur(100), Totals: order.PaymentTotals{Authorised: eur(100), Captured: eur(0), Refunded: eur(0)}})
	if list, err := client.New(o.url, adminKey).OrderPayments(t.Context(), o.id); err != nil || len(list) != 2 || list[1].Status != "requested" {
		t.Errorf("payments of an order: %+v, %v", list, err)
	}
}
