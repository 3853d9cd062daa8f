package projections_test

import (
	"testing"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/domain/checkout"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/node/nodetest"
	"github.com/waybill-dev/waybill/projections"
)

// The row of a checkout that is completed need not be written first; but what
// cannot be applied is not passed over for that.
func TestAnEventThatCannotBeAppliedBlocksACheckoutThatIsCompletedOnTheSamePage(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, e databasetest.Engine) {
		t.Helper()
		c := client(t, nodetest.Start(t), orderVanished{})
		started := checkout.CheckoutStarted{CheckoutID: "a", OrderID: "o", StartedAt: noon}
		add(t, c, "checkout-a", "a", started, orderVanished{}, checkout.CheckoutCompleted{CheckoutID: "a", OrderID: "o"})
		started.CheckoutID = "b"
		add(t, c, "checkout-b", "b", started, checkout.CheckoutCompleted{CheckoutID: "b", OrderID: "o"})
		started.CheckoutID = "c"
		add(t, c, "checkout-c", "c", started)
		started.CheckoutID = "d"
		add(t, c, "checkout-d", "d", started)
		add(t, c, "order-d", "d", order.OrderPlaced{OrderID: "d", CheckoutID: "d"}, order.OrderTagged{OrderID: "d"})
		r := open(t, projections.Checkouts{}, e.Another(t), c)
		defer func() { _ = r.Close() }()
		follow(t, r, c, 0, 512)
		blocked, err := r.Blocked(t.Context())
		if err != nil || len(blocked) != 1 || blocked[0].Stream != "checkout-a" || blocked[0].Revision != 1 {
			t.Errorf("blocked: %+v, %v", blocked, err)
		}
		due, err := projections.CheckoutQueries{DB: r.Read()}.Due(t.Context(), noon.AddDate(100, 0, 0), 10)
		if err != nil || len(due) != 2 {
			t.Errorf("open: %+v, %v", due, err)
		}
	})
}
