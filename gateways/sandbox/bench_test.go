package sandbox_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
)

// BenchmarkAuthorise has 64 callers authorise payments, over connections and
// without, and tells the processor time of each.
func BenchmarkAuthorise(b *testing.B) {
	for _, name := range []string{"connected", "direct"} {
		b.Run(name, func(b *testing.B) {
			s, err := sandbox.Listen(b.Context(), "127.0.0.1:0", sandbox.Config{Ledger: filepath.Join(b.TempDir(), "ledger.db"), Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Stop(b.Context()) }()
			config := sandbox.ClientConfig{URL: s.URL(), Protection: payment.Protection{Timeout: time.Minute}}
			if name == "direct" {
				config.Transport = s.Direct()
			}
			c := sandbox.Connect(config)
			defer c.Close()
			var n atomic.Int64
			began := processor(b)
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.Authorise(b.Context(), pay(fmt.Sprint("k", n.Add(1)), "sandbox:approved", 1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64((processor(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
