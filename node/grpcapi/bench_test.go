package grpcapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/cockroachdb/pebble/v2"

	"github.com/waybill-dev/waybill/node/nodetest"
)

// payload is what the benchmarks store: 256 bytes of data.
func payload() esdb.EventData {
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte('a' + i*7%26)
	}
	return esdb.EventData{EventType: "OrderPlaced", ContentType: esdb.ContentTypeJson, Data: data}
}

// clients are connections to a node on the disk.
func clients(b *testing.B, n int) []*esdb.Client {
	b.Helper()
	address := nodetest.New(b, nodetest.Config{Dir: b.TempDir()}).ConnectionString()
	list := make([]*esdb.Client, n)
	for i := range list {
		list[i] = connect(b, address)
	}
	return list
}

func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct{ callers, connections int }{{1, 1}, {64, 4}} {
		b.Run(fmt.Sprintf("%d callers on %d connections", bc.callers, bc.connections), func(b *testing.B) {
			list := clients(b, bc.connections)
			for _, c := range list {
				mustAppend(b, c, unique("warm"), "a")
			}
			b.ResetTimer()
			measure(b, bc.callers, func(caller, i int) error {
				_, err := list[caller%len(list)].AppendToStream(context.Background(),
					"bench-"+strconv.Itoa(caller)+"."+strconv.Itoa(i/5), revision(int64(i%5-1)), payload())
				return err
			})
		})
	}
}

// measure has callers share b.N calls and reports rates and latencies.
func measure(b *testing.B, callers int, call func(caller, i int) error) {
	b.Helper()
	const longest = int64(10 * time.Second)
	var (
		left      atomic.Int64
		wait      sync.WaitGroup
		mu        sync.Mutex
		latencies = hdrhistogram.New(1000, longest, 3)
	)
	left.Store(int64(b.N))
	start := time.Now()
	for caller := range callers {
		wait.Go(func() {
			own := hdrhistogram.New(1000, longest, 3)
			for i := 0; left.Add(-1) >= 0; i++ {
				before := time.Now()
				if err := call(caller, i); err != nil {
					b.Error(err)
					return
				}
				_ = own.RecordValue(int64(time.Since(before)))
			}
			mu.Lock()
			defer mu.Unlock()
			latencies.Merge(own)
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "calls/s")
	b.ReportMetric(float64(latencies.ValueAtQuantile(50))/1e6, "p50-ms")
	b.ReportMetric(float64(latencies.ValueAtQuantile(99))/1e6, "p99-ms")
}

// BenchmarkPebble is what the store below can do with groups as large as those
// of BenchmarkAppend: a log entry, an index entry and a head for each append.
func BenchmarkPebble(b *testing.B) {
	for _, group := range []int{1, 16, 32, 64} {
		b.Run(fmt.Sprintf("groups of %d", group), func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 32 << 20, Logger: quiet{}})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			value, head := make([]byte, 350), make([]byte, 12)
			b.ResetTimer()
			start := time.Now()
			for i := 0; i < b.N; i += group {
				batch := db.NewBatch()
				for j := range group {
					_ = batch.Set(fmt.Appendf(nil, "L%08d", i+j), value, nil)
					_ = batch.Set(fmt.Appendf(nil, "S%08d%08d", i%1000, i+j), head[:8], nil)
					_ = batch.Set(fmt.Appendf(nil, "Nbench-%08d", (i+j)/5), head, nil)
				}
				if err := batch.Commit(pebble.Sync); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "appends/s")
		})
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

// BenchmarkRead reads 100,000 events of 256 bytes again and again; most of them
// are no longer in memory decoded.
func BenchmarkRead(b *testing.B) {
	const total, batch = 100_000, 500
	c := clients(b, 1)[0]
	for i := range total / batch {
		list := make([]esdb.EventData, batch)
		for j := range list {
			list[j] = payload()
		}
		stream := "long"
		if i%2 == 1 {
			stream = "other-" + strconv.Itoa(i)
		}
		if _, err := c.AppendToStream(context.Background(), stream, revision(-2), list...); err != nil {
			b.Fatal(err)
		}
	}
	reads := map[string]func() (*esdb.ReadStream, error){
		"stream": func() (*esdb.ReadStream, error) {
			return c.ReadStream(context.Background(), "long", esdb.ReadStreamOptions{}, math.MaxUint64)
		},
		"stream backwards": func() (*esdb.ReadStream, error) {
			return c.ReadStream(context.Background(), "long",
				esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, math.MaxUint64)
		},
		"all": func() (*esdb.ReadStream, error) {
			return c.ReadAll(context.Background(), esdb.ReadAllOptions{}, math.MaxUint64)
		},
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			start := time.Now()
			for events := 0; events < b.N; {
				s, err := read()
				if err != nil {
					b.Fatal(err)
				}
				events += count(b, s, b.N-events)
			}
			b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
		})
	}
	b.Run("subscription", func(b *testing.B) {
		start := time.Now()
		for events := 0; events < b.N; {
			sub, err := c.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{
				From: esdb.Start{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"long", "other-"}},
				MaxSearchWindow: 32, CheckpointInterval: 16,
			})
			if err != nil {
				b.Fatal(err)
			}
			for here := 0; here < total && events < b.N; {
				if sub.Recv().EventAppeared != nil {
					here++
					events++
				}
			}
			_ = sub.Close()
		}
		b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	})
}

func count(b *testing.B, s *esdb.ReadStream, most int) int {
	b.Helper()
	defer s.Close()
	for n := 0; ; n++ {
		if n == most {
			return n
		}
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
