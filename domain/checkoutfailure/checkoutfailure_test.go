package checkoutfailure_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/checkoutfailure"
	"github.com/waybill-dev/waybill/domain/decidertest"
)

func TestAnnounce(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	failure := checkoutfailure.CheckoutFailureAnnounced{
		CheckoutID: "c1", CustomerID: "ada", Total: domain.Money{Amount: 1250, Currency: "EUR"}, Reason: "payment-declined",
		Lines: []checkoutfailure.Line{{SKU: "MUG-1", Quantity: 1}}, StartedAt: noon, FailedAt: noon.Add(time.Minute),
	}
	later := failure
	later.FailedAt = noon.Add(time.Hour)
	decidertest.Run(t, checkoutfailure.Decider, []decidertest.Case[checkoutfailure.Command, checkoutfailure.Event]{
		{Name: "a failure is told", When: checkoutfailure.Announce{Failure: failure}, Then: []checkoutfailure.Event{failure}},
		{Name: "a failure is told once, by whoever undid the checkout first", Given: []checkoutfailure.Event{failure}, When: checkoutfailure.Announce{Failure: later}},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, checkoutfailure.EventTypes())
}
