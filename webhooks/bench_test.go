package webhooks_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/waybill-dev/waybill/eventstore"
)

// plainReceiver answers 200 and calls back, as cheaply as it can.
func plainReceiver(b *testing.B, came func(*http.Request)) *httptest.Server {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came(r) }))
	b.Cleanup(server.Close)
	return server
}

// BenchmarkDeliveries measures how many messages of 1 KiB one endpoint gets,
// and how many SQL statements that takes.
func BenchmarkDeliveries(b *testing.B) {
	for _, inFlight := range []int{8, 32} {
		b.Run(fmt.Sprintf("in-flight-%d", inFlight), func(b *testing.B) {
			p := newPlatform(b)
			p.config.InFlight = inFlight
			var count atomic.Int64
			all := make(chan struct{})
			server := plainReceiver(b, func(*http.Request) {
				if count.Add(1) == int64(b.N) {
					close(all)
				}
			})
			p.endpoint(server.URL, "order.placed")
			text := strings.Repeat("x", 600)
			var writers sync.WaitGroup
			for w := range 16 {
				writers.Go(func() {
					for i := w; i < b.N; i += 16 {
						p.append(fmt.Sprint("o", i), eventstore.NoStream, placed{Text: text})
					}
				})
			}
			writers.Wait()
			b.ResetTimer()
			d := p.start()
			<-all
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
			before := d.Ledger.Statements()
			b.ReportMetric(float64(before)/float64(b.N), "statements/delivery")
			d.stop()
		})
	}
}

// BenchmarkLatency measures append to receiver at 50 orders per second.
func BenchmarkLatency(b *testing.B) {
	p := newPlatform(b)
	var mu sync.Mutex
	started := map[string]time.Time{}
	h := hdrhistogram.New(1, 60_000_000, 3)
	var got sync.WaitGroup
	server := plainReceiver(b, func(r *http.Request) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		_ = h.RecordValue(now.Sub(started[r.Header.Get("Webhook-Id")]).Microseconds())
		got.Done()
	})
	p.endpoint(server.URL, "order.placed")
	d := p.start()
	eventually(b, "the dispatcher", func() bool { s, err := d.Status(b.Context(), ""); return err != nil && s.Head > 0 })
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-ticker.C
		order := fmt.Sprint("o", i)
		got.Add(1)
		mu.Lock()
		started[eventstore.EventID("order-"+order, "test", 0).String()] = time.Now()
		mu.Unlock()
		p.append(order, eventstore.NoStream, placed{Text: strings.Repeat("x", 600)})
	}
	got.Wait()
	for _, q := range []float64{50, 95, 99} {
		b.ReportMetric(float64(h.ValueAtQuantile(q))/1000, fmt.Sprintf("p%g-ms", q))
	}
	b.ReportMetric(float64(d.Ledger.Statements())/float64(b.N), "statements/delivery")
}

// BenchmarkNeighbours measures append to receiver at nine endpoints under a
// burst, while the tenth is healthy and while it hangs.
func BenchmarkNeighbours(b *testing.B) {
	for name, hang := range map[string]time.Duration{"healthy": 0, "one-hangs": 5 * time.Second} {
		b.Run(name, func(b *testing.B) {
			p := newPlatform(b)
			p.config.Timeout = 6 * time.Second
			var mu sync.Mutex
			started := map[string]time.Time{}
			h := hdrhistogram.New(1, 60_000_000, 3)
			var got sync.WaitGroup
			for range 9 {
				p.endpoint(plainReceiver(b, func(r *http.Request) {
					now := time.Now()
					mu.Lock()
					defer mu.Unlock()
					_ = h.RecordValue(now.Sub(started[r.Header.Get("Webhook-Id")]).Microseconds())
					got.Done()
				}).URL, "*")
			}
			p.endpoint(plainReceiver(b, func(r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-time.After(hang):
				}
			}).URL, "*")
			d := p.start()
			eventually(b, "the dispatcher", func() bool { s, err := d.Status(b.Context(), ""); return err != nil && s.Head > 0 })
			b.ResetTimer()
			for i := range b.N {
				order := fmt.Sprint("o", i)
				got.Add(9)
				mu.Lock()
				started[eventstore.EventID("order-"+order, "test", 0).String()] = time.Now()
				mu.Unlock()
				p.append(order, eventstore.NoStream, placed{Text: strings.Repeat("x", 600)})
			}
			got.Wait()
			b.StopTimer()
			b.ReportMetric(float64(h.ValueAtQuantile(50))/1000, "p50-ms")
			b.ReportMetric(float64(h.ValueAtQuantile(99))/1000, "p99-ms")
			d.stop()
		})
	}
}
