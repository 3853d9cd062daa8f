package stock_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/domain"
	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// Two processes sell on backorder while units are counted anew, given back and
// shipped, and the limit changes: nobody is ever promised more than the limit of
// that moment allows, and what is on hand is what was counted.
func TestTwoProcessesKeepToTheBackorderLimit(t *testing.T) {
	t.Parallel()
	node := nodetest.New(t, nodetest.Config{})
	var writers [2]*stock.Writer
	var clients [2]*eventstore.Client
	for i := range writers {
		clients[i] = handlertest.Connect(t, node.ConnectionString())
		writers[i] = newWriter(t, stock.Config{Store: clients[i], Retain: clients[i].Retain, Every: 20})
	}
	receive(t, writers[0], 20, "delivery")
	ask := func(i int, id string, c domainstock.Command) error {
		_, err := writers[i%2].Handle(t.Context(), meta(id), item, c)
		rule := (*domain.RuleError)(nil)
		if err != nil && !errors.As(err, &rule) {
			t.Error(err)
		}
		return err
	}
	limit := func(units int) domainstock.SetPolicy {
		return domainstock.SetPolicy{Location: "main", SKU: "MUG-1", Policy: domainstock.Backorder, BackorderLimit: units}
	}
	if err := ask(0, "limit", limit(10)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 17)) //nolint:gosec // repeatable
			for n := range 40 {
				id := fmt.Sprintf("%d-%d", worker, n)
				r := reserve(id)
				r.Quantity = 1 + random.IntN(4)
				if ask(worker, id, r) == nil {
					switch random.IntN(4) {
					case 0:
						_ = ask(worker+1, id+" release", domainstock.Release{ReservationID: id, Reason: domainstock.Declined})
					case 1:
						_ = ask(worker, id+" commit", domainstock.Commit{ReservationID: id, OrderID: id, At: noon})
						_ = ask(worker+1, id+" ship", domainstock.Ship{ReservationID: id, ShipmentID: "s", Quantity: r.Quantity})
					case 2:
						_ = ask(worker+1, id+" commit", domainstock.Commit{ReservationID: id, OrderID: id, At: noon})
					default:
					}
				}
				switch random.IntN(6) {
				case 0:
					_ = ask(worker, id+" counted", domainstock.Adjust{Delta: 2 - random.IntN(6), Reason: "counted", Ref: id})
				case 1:
					_ = ask(worker, id+" limit", limit(random.IntN(15)))
				default:
				}
			}
		})
	}
	wg.Wait()
	promisedWithinLimit(t, clients[0])
}

// promisedWithinLimit goes through the log of the item.
func promisedWithinLimit(t *testing.T, store eventstore.Store) {
	t.Helper()
	var state domainstock.State
	onHand, backordered := 0, 0
	for own, err := range eventstore.Events(t.Context(), store, domainstock.Decider, "main.MUG-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		free := state.OnHand - state.Reserved - state.Committed
		switch e := own.Event.(type) {
		case domainstock.StockReserved:
			if free+state.BackorderLimit < e.Quantity {
				t.Errorf("revision %d: %d promised while %d were free and the limit was %d", own.Revision, e.Quantity, free, state.BackorderLimit)
			}
			if want := max(0, e.Quantity-max(0, free)); e.BackorderedQuantity != want {
				t.Errorf("revision %d: %d of %d on backorder while %d were free", own.Revision, e.BackorderedQuantity, e.Quantity, free)
			}
			if e.BackorderedQuantity > 0 {
				backordered++
			}
		case domainstock.StockReceived:
			onHand += e.Quantity
		case domainstock.StockAdjusted:
			onHand += e.Delta
		case domainstock.StockShipped:
			onHand -= e.Quantity
		default:
		}
		state = domainstock.Decider.Evolve(state, own.Event)
	}
	if state.OnHand != onHand || backordered == 0 {
		t.Errorf("%d on hand, counted %d; %d on backorder", state.OnHand, onHand, backordered)
	}
}
