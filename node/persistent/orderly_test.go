package persistent_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/node/persistent"
)

// TestWhatWasSaidBeforeAShutdownCounts, even if the group has not heard it yet:
// it is busy, and each round has a chance of one half to come to that.
func TestWhatWasSaidBeforeAShutdownCounts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var busy atomic.Bool
		w.config.Now = func() time.Time {
			if busy.Load() {
				time.Sleep(time.Millisecond)
			}
			return time.Now()
		}
		w.close()
		w.open()
		w.create("s")
		for round := range 20 {
			w.append("s", "abc")
			m := w.join("s", 10)
			m.wants("abc")
			busy.Store(true)
			m.ack("a") // keeps it busy
			m.client.Ack(m.has["b"])
			m.client.Ack(m.has["c"])
			w.close()
			busy.Store(false)
			w.open()
			if got, want := w.checkpoint("s"), fmt.Sprintf(`"%d"`, 3*round+2); got != want {
				t.Fatalf("round %d: the checkpoint is %s, want %s", round, got, want)
			}
		}
	})
}

// TestAShutdownWaitsForWhatIsBeingParked: what is parked does not come again
// after it.
func TestAShutdownWaitsForWhatIsBeingParked(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.create("s")
		for round := range 60 {
			w.append("s", "a")
			m := w.join("s", 10)
			m.wants("a")
			before := len(w.parked("s"))
			m.client.Nack(persistent.ActionPark, "because", m.has["a"])
			for range round % 20 {
				runtime.Gosched()
			}
			w.close()
			w.open()
			again := w.join("s", 10)
			synctest.Wait()
			parked, got := len(w.parked("s"))-before, again.got()
			if parked+len(got) != 1 {
				t.Fatalf("round %d: %d messages were parked, and %q comes again", round, parked, got)
			}
			if got != "" {
				again.ack("a")
			}
			again.client.Close()
		}
	})
}
