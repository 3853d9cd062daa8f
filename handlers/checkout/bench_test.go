package checkout_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkCheckout(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(callers, " callers"), func(b *testing.B) {
			w := newWorld(b, b.TempDir())
			var c clock
			p := w.process(b, &c)
			for i := range 100 {
				p.offer(b, fmt.Sprint("SKU-", i), 1_000_000)
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			times := make([]time.Duration, b.N)
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						begun := time.Now()
						o, err := p.Place(b.Context(), place(fmt.Sprint(n), "sandbox:approved", line(fmt.Sprint("SKU-", n%100), 1)))
						if err != nil || o.Order.OrderID == "" {
							b.Errorf("outcome %s, %v, %v", o.Checkout.Step, o.Refused, err)
							return
						}
						times[n-1] = time.Since(begun)
					}
				})
			}
			wg.Wait()
			slices.Sort(times)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
