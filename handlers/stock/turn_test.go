package stock_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// Two processes whose buyers never stop asking for one item both sell it, and
// nobody is sent away.
func TestProcessesThatAlwaysWantAnItemTakeTurns(t *testing.T) {
	t.Parallel()
	const buyers, units, enough = 200, 60_000, 5000
	address := nodetest.New(t, nodetest.Config{Dir: t.TempDir()}).ConnectionString()
	var writers [2]*stock.Writer
	for i := range writers {
		writers[i] = newWriter(t, stock.Config{Store: handlertest.Connect(t, address)})
	}
	receive(t, writers[0], units, "delivery")
	var (
		next, away atomic.Int64
		sold       [len(writers)]atomic.Int64
		buying     sync.WaitGroup
	)
	for i, w := range writers {
		for range buyers {
			buying.Go(func() {
				for n := next.Add(1); n <= units && min(sold[0].Load(), sold[1].Load()) < enough; n = next.Add(1) {
					id := fmt.Sprint(n)
					if _, err := w.Handle(t.Context(), meta(id), item, reserve(id)); err != nil {
						away.Add(1)
						continue
					}
					sold[i].Add(1)
				}
			})
		}
	}
	buying.Wait()
	one, two := sold[0].Load(), sold[1].Load()
	if away.Load() != 0 || min(one, two) < enough {
		t.Errorf("%d were sent away; the processes sold %d and %d, want %d at least of each", away.Load(), one, two, enough)
	}
	if state := load(t, handlertest.Connect(t, address)); state.Reserved != int(one+two) {
		t.Errorf("%d units are reserved, %d and %d were sold", state.Reserved, one, two)
	}
}
