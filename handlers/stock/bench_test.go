package stock_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	domainstock "github.com/waybill-dev/waybill/domain/stock"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/handlertest"
	"github.com/waybill-dev/waybill/handlers/stock"
	"github.com/waybill-dev/waybill/node/nodetest"
)

// BenchmarkHotItem has 200 callers reserve one unit each of one item, in one
// lane, with and without snapshots, in two processes' lanes, and in the way of
// reading, appending and trying again. The store is on disk. Run it for a time:
// -benchtime 2s.
func BenchmarkHotItem(b *testing.B) {
	const callers = 200
	for _, row := range []struct {
		name      string
		processes int
		snapshots bool
	}{{"one lane", 1, false}, {"one lane with snapshots", 1, true}, {"two lanes", 2, false}} {
		b.Run(row.name, func(b *testing.B) {
			node := nodetest.New(b, nodetest.Config{Dir: b.TempDir()})
			var writers []*stock.Writer
			for range row.processes {
				client := handlertest.Connect(b, node.ConnectionString())
				config := stock.Config{Store: client}
				if row.snapshots {
					config.Retain = client.Retain
				}
				writers = append(writers, newWriter(b, config))
			}
			receive(b, writers[0], 1_000_000, "delivery")
			run(b, callers, func(caller int, id string) error {
				_, err := writers[caller%row.processes].Handle(b.Context(), meta(id), item, reserve(id))
				return err
			})
			var s stock.Stats
			for _, w := range writers {
				s.Commands, s.Batches = s.Commands+w.Stats().Commands, s.Batches+w.Stats().Batches
				s.Conflicts, s.Snapshots = s.Conflicts+w.Stats().Conflicts, s.Snapshots+w.Stats().Snapshots
			}
			b.ReportMetric(float64(s.Commands)/float64(s.Batches), "commands/batch")
			b.ReportMetric(float64(s.Conflicts), "conflicts")
			b.ReportMetric(float64(s.Snapshots), "snapshots")
		})
	}
	b.Run("read append retry", func(b *testing.B) {
		node := nodetest.New(b, nodetest.Config{Dir: b.TempDir()})
		client := handlertest.Connect(b, node.ConnectionString())
		receive(b, newWriter(b, stock.Config{Store: client}), 1_000_000, "delivery")
		naive := handlers.CommandHandler[domainstock.State, domainstock.Command, domainstock.Event]{Store: client, Decider: domainstock.Decider}
		var gaveUp atomic.Int64
		run(b, callers, func(_ int, id string) error {
			_, err := naive.Handle(b.Context(), "main.MUG-1", meta(id), reserve(id))
			if errors.Is(err, eventstore.ErrConflict) {
				gaveUp.Add(1)
				err = nil
			}
			return err
		})
		b.ReportMetric(float64(int64(b.N)-gaveUp.Load())/b.Elapsed().Seconds(), "reservations/s")
		b.ReportMetric(float64(gaveUp.Load()), "gave-up")
	})
}

// run has callers make reservations.
func run(b *testing.B, callers int, reserve func(caller int, id string) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for caller := range callers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := reserve(caller, fmt.Sprint("r", n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "reservations/s")
}
