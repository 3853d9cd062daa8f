package webhooks_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks"
)

// TestAThousandReadersWaitForNothing: in virtual time somebody who looks again
// and again would let no time pass, so nobody does. All of them get what comes.
//
//nolint:paralleltest // it measures the memory of the process, which is that of all tests
func TestAThousandReadersWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers = 1000
		p, _, _, d := longer(t, func(time.Duration, string) reply { return reply{status: 200} })
		defer d.stop()
		before := heap()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute+10*time.Second) // no wait ends just then
		defer stop()
		var waiting sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for range readers {
			waiting.Go(func() {
				for at := webhooks.End; ctx.Err() == nil; {
					puller, err := d.Pull(ctx, at, webhooks.Selection{})
					if err != nil {
						t.Error(err)
						return
					}
					poll, stop := context.WithTimeout(ctx, 25*time.Second)
					piece, err := puller.Next(poll, 100)
					stop()
					puller.Close()
					if err != nil {
						t.Error(err)
						return
					}
					at = piece.Through
					mu.Lock()
					got += len(piece.Messages)
					mu.Unlock()
				}
			})
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if used := heap() - before; used > readers*32<<10 {
			t.Errorf("each reader who waits takes %d bytes", used/readers)
		}
		p.append("o1", eventstore.NoStream, placed{}, noted{1})
		waiting.Wait()
		if got != 2*readers {
			t.Errorf("%d messages came, want %d", got, 2*readers)
		}
	})
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
