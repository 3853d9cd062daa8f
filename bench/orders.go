package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/client"
)

const skus = 100

// Stock registers products and receives plenty of each.
func Stock(ctx context.Context, api *client.Client) error {
	receipt := client.Receipt{Ref: "bench"}
	for n := range skus {
		product := client.Product{SKU: sku(n), Title: fmt.Sprintf("Mug %d", n), Prices: []client.Money{{Amount: 1250, Currency: "EUR"}}}
		if err := api.CreateProduct(ctx, product); err != nil {
			return err
		}
		receipt.Lines = append(receipt.Lines, client.ReceiptLine{SKU: product.SKU, Quantity: 1_000_000})
	}
	return api.ReceiveStock(ctx, "main", receipt)
}

func sku(n int) string { return fmt.Sprintf("BENCH-%d", n%skus) }

func order(n int) client.PlaceOrder {
	return client.PlaceOrder{
		Customer: &client.Customer{Email: fmt.Sprintf("shopper-%d@example.com", n%1000), Name: "Shopper"},
		Currency: "EUR",
		Lines:    []client.OrderLine{{SKU: sku(n), Quantity: 1}},
		Payment:  client.Payment{Method: "sandbox:approved"},
	}
}

// Throughput is how fast a number of callers placed orders, each waiting for
// its answer before it placed the next.
type Throughput struct {
	Callers   int
	Orders    int64
	Pending   int64 // were answered without an order: the payment's outcome was not known yet
	PerSecond float64
	P50, P99  time.Duration
	// Platform and Load are the processor time that each order took, of the
	// platform and of whoever placed them: what does not depend on who else is
	// busy on the machine.
	Platform, Load time.Duration
}

// PlaceOrders places orders for a time. The run names the orders' keys.
func PlaceOrders(ctx context.Context, p *Platform, run string, callers int, duration time.Duration) (Throughput, error) {
	used, err := p.processorTimes()
	if err != nil {
		return Throughput{}, err
	}
	var pending atomic.Int64
	histograms := make([]*hdrhistogram.Histogram, callers)
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for caller := range callers {
		histograms[caller] = newHistogram()
		group.Go(func() (err error) {
			on, err := newCaller(ctx, p.Addr, AdminKey)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, on.close()) }()
			for n := 0; time.Since(begin) < duration && ctx.Err() == nil; n++ {
				start := time.Now()
				undecided, err := on.place(ctx, fmt.Sprintf("%s-%d-%d", run, caller, n), order(caller+n*callers))
				switch {
				case err != nil:
					return err
				case undecided:
					pending.Add(1)
				default:
					record(histograms[caller], time.Since(start))
				}
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return Throughput{}, err
	}
	elapsed := time.Since(begin)
	all := newHistogram()
	for _, h := range histograms {
		all.Merge(h)
	}
	after, err := p.processorTimes()
	orders := time.Duration(max(all.TotalCount(), 1))
	return Throughput{
		Callers: callers, Orders: all.TotalCount(), Pending: pending.Load(), PerSecond: float64(all.TotalCount()) / elapsed.Seconds(),
		P50: quantile(all, 50), P99: quantile(all, 99),
		Platform: (after.platform - used.platform) / orders, Load: (after.load - used.load) / orders,
	}, err
}

// newHistogram holds microseconds up to a minute with three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Microseconds(), 3)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), time.Minute.Microseconds())) // within its bounds
}

func quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q)) * time.Microsecond
}
