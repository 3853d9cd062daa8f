package checkout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

type (
	events = []checkout.Event
	row    = decidertest.Case[checkout.Command, checkout.Event]
)

func eur(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }

var (
	lines = []checkout.Line{
		{LineID: "1", SKU: "MUG-1", Title: "Mug", Quantity: 2, UnitPrice: eur(1250), Total: eur(2500), Location: "main", ReservationID: "r-mug"},
		{LineID: "2", SKU: "CUP-1", Title: "Cup", Quantity: 1, UnitPrice: eur(500), Total: eur(500), Location: "main", ReservationID: "r-cup"},
		{LineID: "3", SKU: "MUG-1", Title: "Mug", Quantity: 1, UnitPrice: eur(1250), Total: eur(1250), Location: "main", ReservationID: "r-mug"},
	}
	reservations = []checkout.Reservation{
		{ReservationID: "r-cup", Location: "main", SKU: "CUP-1", Quantity: 1},
		{ReservationID: "r-mug", Location: "main", SKU: "MUG-1", Quantity: 3},
	}
	start = checkout.Start{
		CheckoutID: "c", OrderID: "o", Number: "100001", Fingerprint: "f", Lines: lines, Totals: checkout.Totals{Grand: eur(4250)}, At: noon,
		Request: checkout.Request{CustomerID: "u", Currency: "EUR", Method: "m", Lines: []checkout.RequestLine{{SKU: "MUG-1", Quantity: 2}}},
	}
	started = checkout.CheckoutStarted{
		CheckoutID: "c", OrderID: "o", Number: "100001", CustomerID: "u", Fingerprint: "f", Lines: lines, Totals: start.Totals, StartedAt: noon,
		Request: checkout.Request{CustomerID: "u", Currency: "EUR", Method: "m"},
	}
	reserved     = checkout.CheckoutStockReserved{CheckoutID: "c", Reservations: reservations, ExpiresAt: noon.Add(time.Minute), At: noon}
	requested    = checkout.CheckoutPaymentRequested{CheckoutID: "c", PaymentID: "p1", Attempt: 1, Method: "m", At: noon}
	authorised   = checkout.CheckoutPaymentAuthorised{CheckoutID: "c", PaymentID: "p1", At: noon}
	declined     = checkout.CheckoutPaymentDeclined{CheckoutID: "c", PaymentID: "p1", Code: "51", Message: "no money", RetryUntil: noon.Add(time.Minute), At: noon}
	unknown      = checkout.CheckoutPaymentUnknown{CheckoutID: "c", PaymentID: "p1", At: noon}
	completed    = checkout.CheckoutCompleted{CheckoutID: "c", OrderID: "o", At: noon}
	stockLost    = checkout.CheckoutCompensating{CheckoutID: "c", Reason: "stock-lost", Message: checkout.ErrStockLost.Message, At: noon}
	stockRefused = checkout.CheckoutStockRefused{CheckoutID: "c", SKU: "MUG-1", Location: "main", Requested: 3, Available: 1, At: noon}
	outOfStock   = checkout.CheckoutCompensating{CheckoutID: "c", Reason: "out-of-stock", Message: checkout.ErrOutOfStock.Message, At: noon}
	failed       = checkout.CheckoutFailed{CheckoutID: "c", Reason: "stock-lost", Message: checkout.ErrStockLost.Message, Released: []string{"r-cup"}, Voided: true, At: noon}
	abandoned    = checkout.CheckoutAbandoned{CheckoutID: "c", Reason: "interrupted", At: noon}
)

func TestCheckout(t *testing.T) {
	t.Parallel()
	mistake := domain.Mistake{Pointer: "/lines", Code: "no-lines", Detail: "none"}
	refused, other := start, start
	refused.Lines, refused.Totals, refused.Number, refused.Refused = nil, checkout.Totals{}, "", checkout.ErrCart.Because(mistake)
	other.Fingerprint = "g"
	refusedStart := started
	refusedStart.Lines, refusedStart.Totals, refusedStart.Number, refusedStart.Request = nil, checkout.Totals{}, "", start.Request
	short := []checkout.Shortage{{SKU: "MUG-1", Location: "main", Requested: 3, Available: 1}}
	pay := checkout.RequestPayment{PaymentID: "p1", Method: "m", At: noon}
	second := checkout.RequestPayment{PaymentID: "p2", Method: "n", RequestID: "again", Fingerprint: "f", At: noon}
	decline := checkout.DeclinePayment{Code: "51", Message: "no money", RetryUntil: noon.Add(time.Minute), At: noon}
	compensate := checkout.Compensate{Reason: checkout.ErrStockLost, At: noon}
	acting := checkout.CheckoutPaymentActionRequired{CheckoutID: "c", PaymentID: "p1", URL: "https://bank", ExpiresAt: noon.Add(time.Minute), At: noon}
	act := checkout.RequireAction{URL: "https://bank", ExpiresAt: noon.Add(time.Minute), At: noon}
	late := checkout.VoidLate{PaymentID: "p1", GatewayRef: "g", Amount: eur(4250), At: noon}
	lateVoided := checkout.CheckoutLatePaymentVoided{CheckoutID: "c", PaymentID: "p1", GatewayRef: "g", Amount: eur(4250), At: noon}
	watched := checkout.CheckoutFailed{CheckoutID: "c", Reason: "stock-lost", Message: checkout.ErrStockLost.Message, Watch: "p1", At: noon}
	free := started
	free.Totals = checkout.Totals{Grand: eur(0)}
	many := func(attempts int) events {
		all := events{started, reserved}
		for i := range attempts {
			all = append(all, checkout.CheckoutPaymentRequested{CheckoutID: "c", PaymentID: fmt.Sprint("p", i+1), Attempt: i + 1, Method: "m", At: noon}, declined)
		}
		return all
	}
	paying := events{started, reserved, requested}
	after := func(more ...checkout.Event) events { return append(append(events{}, paying...), more...) }
	decidertest.Run(t, checkout.Decider, []row{
		{Name: "a checkout begins with its priced lines", When: start, Then: events{started}},
		{Name: "the same request again changes nothing", Given: after(authorised, completed), When: start},
		{Name: "another request under the same key is refused", Given: events{started}, When: other, Refused: domain.ErrKeyReused},
		{
			Name: "a cart with mistakes fails at once and keeps what was asked", When: refused,
			Then: events{refusedStart, checkout.CheckoutFailed{
				CheckoutID: "c", Reason: "cart-invalid", Message: checkout.ErrCart.Message, Mistakes: []domain.Mistake{mistake}, At: noon,
			}},
		},
		{Name: "stock is reserved, lines of one SKU summed", Given: events{started}, When: checkout.ReserveStock{ExpiresAt: reserved.ExpiresAt, At: noon}, Then: events{reserved}},
		{Name: "stock is reserved before anything else", When: checkout.ReserveStock{At: noon}, Refused: checkout.ErrTransition},
		{Name: "what there is not enough of ends the checkout", Given: events{started}, When: checkout.RefuseStock{Shortages: short, At: noon}, Then: events{stockRefused, outOfStock}},
		{Name: "stock is not refused once it is reserved", Given: paying, When: checkout.RefuseStock{Shortages: short, At: noon}, Refused: checkout.ErrTransition},
		{Name: "a payment is begun", Given: events{started, reserved}, When: pay, Then: events{requested}},
		{Name: "a payment is begun after stock is reserved", Given: events{started}, When: pay, Refused: checkout.ErrTransition},
		{
			Name: "another payment is begun after one was declined", Given: after(declined), When: second,
			Then: events{checkout.CheckoutPaymentRequested{CheckoutID: "c", PaymentID: "p2", Attempt: 2, Method: "n", RequestID: "again", Fingerprint: "f", At: noon}},
		},
		{
			Name: "no other payment is begun while the outcome is unknown", Given: after(unknown), When: second,
			Refused: checkout.ErrTransition.With("state", "unknown").With("command", "RequestPayment"),
		},
		{Name: "no other payment is begun while one is under way", Given: paying, When: second, Refused: checkout.ErrTransition},
		{Name: "no other payment is begun once one is authorised", Given: after(authorised), When: second, Refused: checkout.ErrTransition},
		{Name: "the payment is authorised", Given: paying, When: checkout.AuthorisePayment{At: noon}, Then: events{authorised}},
		{Name: "the payment turns out to be authorised", Given: after(unknown), When: checkout.AuthorisePayment{At: noon}, Then: events{authorised}},
		{Name: "what is declined is not authorised", Given: after(declined), When: checkout.AuthorisePayment{At: noon}, Refused: checkout.ErrTransition},
		{Name: "the payment is declined", Given: paying, When: decline, Then: events{declined}},
		{Name: "the payment turns out to be declined", Given: after(unknown), When: decline, Then: events{declined}},
		{Name: "what is authorised is not declined", Given: after(authorised), When: decline, Refused: checkout.ErrTransition},
		{Name: "the gateway does not answer", Given: paying, When: checkout.LoseSight{At: noon}, Then: events{unknown}},
		{Name: "an answer is not forgotten", Given: after(authorised), When: checkout.LoseSight{At: noon}, Refused: checkout.ErrTransition},
		{Name: "the order is placed", Given: after(authorised), When: checkout.Complete{At: noon}, Then: events{completed}},
		{Name: "no order is placed without money", Given: paying, When: checkout.Complete{At: noon}, Refused: checkout.ErrTransition},
		{Name: "stock that is lost undoes the checkout", Given: paying, When: compensate, Then: events{stockLost}},
		{Name: "a checkout whose payment and stock are certain is not undone", Given: after(authorised), When: compensate, Refused: checkout.ErrTransition},
		{Name: "a completed checkout is not undone", Given: after(authorised, completed), When: compensate, Refused: checkout.ErrTransition},
		{Name: "a checkout that undoes does not succeed", Given: after(stockLost), When: checkout.Complete{At: noon}, Refused: checkout.ErrTransition},
		{Name: "it fails when everything is undone", Given: after(stockLost), When: checkout.Fail{Released: []string{"r-cup"}, Voided: true, At: noon}, Then: events{failed}},
		{Name: "it does not fail before", Given: paying, When: checkout.Fail{At: noon}, Refused: checkout.ErrTransition},
		{Name: "the shopper has to confirm", Given: paying, When: act, Then: events{acting}},
		{Name: "it turns out that the shopper has to confirm", Given: after(unknown), When: act, Then: events{acting}},
		{Name: "what is declined needs no confirming", Given: after(declined), When: act, Refused: checkout.ErrTransition},
		{Name: "the shopper confirmed", Given: after(acting), When: checkout.AuthorisePayment{At: noon}, Then: events{authorised}},
		{Name: "the shopper did not confirm", Given: after(acting), When: decline, Then: events{declined}},
		{Name: "no other payment is begun while the shopper may confirm", Given: after(acting), When: second, Refused: checkout.ErrTransition},
		{Name: "a checkout that waits for the shopper can be undone", Given: after(acting), When: compensate, Then: events{stockLost}},
		{
			Name: "the fifth payment is the last one", Given: many(5), When: checkout.RequestPayment{PaymentID: "p6", Method: "m", At: noon},
			Refused: checkout.ErrTooManyPayments.With("attempts", 5),
		},
		{
			Name: "the fifth payment may be tried", Given: many(4), When: checkout.RequestPayment{PaymentID: "p5", Method: "m", At: noon},
			Then: events{checkout.CheckoutPaymentRequested{CheckoutID: "c", PaymentID: "p5", Attempt: 5, Method: "m", At: noon}},
		},
		{Name: "what costs nothing needs no payment", Given: events{free, reserved}, When: checkout.AuthorisePayment{At: noon}, Then: events{checkout.CheckoutPaymentAuthorised{CheckoutID: "c", At: noon}}},
		{Name: "what costs something needs one", Given: events{started, reserved}, When: checkout.AuthorisePayment{At: noon}, Refused: checkout.ErrTransition},
		{Name: "a payment the gateway knew nothing of is watched", Given: after(stockLost), When: checkout.Fail{Unseen: true, At: noon}, Then: events{watched}},
		{Name: "a late payment is voided once", Given: after(stockLost, watched), When: late, Then: events{lateVoided}},
		{Name: "a late payment of an open checkout is no late one", Given: after(unknown), When: late, Refused: checkout.ErrTransition},
		{Name: "an interrupted checkout is given up", Given: events{started}, When: checkout.Abandon{Reason: "interrupted", At: noon}, Then: events{abandoned}},
		{Name: "a checkout with a payment is not given up", Given: paying, When: checkout.Abandon{At: noon}, Refused: checkout.ErrTransition},
	})
}

func TestWhyThereIsNoOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given events
		want  *domain.RuleError
	}{
		"an open checkout may still succeed":      {given: events{started, reserved, requested, unknown}},
		"a completed checkout has one":            {given: events{started, reserved, requested, authorised, completed}},
		"a declined payment may be tried again":   {events{started, reserved, requested, declined}, checkout.ErrDeclined.With("decline_code", "51").With("decline_message", "no money").With("retry_until", declined.RetryUntil)},
		"out of stock names the SKU":              {events{started, stockRefused, outOfStock}, checkout.ErrOutOfStock.With("sku", "MUG-1").With("location", "main").With("requested", 3).With("available", 1)},
		"stock may be lost":                       {events{started, reserved, requested, authorised, stockLost, failed}, checkout.ErrStockLost},
		"an abandoned checkout is to be repeated": {events{started, abandoned}, checkout.ErrAbandoned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, checkout.Decider.Fold(checkout.State{}, c.given...).Refusal()); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACardNumberIsNoMethod(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"4242424242424242": true, "4242 4242 4242 4242": true, "stripe:4242-4242-4242-4242": true, "378282246310005": true, "6304000000000000": true,
		"stripe:pm_card_visa": false, "sandbox:approved": false, "4242424242424241": false, "stripe:pm_1MqLiJLkdIwHu7ixUEgbFdYF": false,
		"": false, "424242424242": false, "gift:0000-1111": false,
	} {
		if got := checkout.CardNumber(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestWhereAShopperComesBackTo(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"": true, "https://shop.example/done?order=1": true, "http://127.0.0.1:3000": true, "https://shop.example": true,
		"shop.example": false, "javascript:alert(1)": false, "https://": false, "https:///done": false, "https://user@shop.example/": false,
		"https://shop.example/a b": false, "https://shop.example/\n": false, "https://shop.example\\@evil": false,
		"https://shop.example/" + strings.Repeat("x", 2000): false,
	} {
		if got := len(checkout.PayMistakes("", "sandbox:approved", url)) == 0; got != good {
			t.Errorf("%q: %v, want %v", url, got, good)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, checkout.EventTypes())
}
