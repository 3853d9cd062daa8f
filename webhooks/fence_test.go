package webhooks_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/eventstore"
)

// TestAProcessThatWasOvertakenSavesNothing has the clock of one process stand
// still, so that it believes for ever that its lease has time left, and another
// one take over while an attempt of the first is under way. Whatever it hears
// then is not its own to save any more, whether it finds out by saving or by
// renewing its lease.
func TestAProcessThatWasOvertakenSavesNothing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lease   time.Duration
		renewed bool // finds out before the attempt ends
	}{
		"by saving":   {time.Hour, false},
		"by renewing": {300 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOvertaken(t, row.lease)
			if row.renewed {
				eventually(t, "the first to be fenced", func() bool { return o.fenced.Load() == 1 })
			}
			close(o.answer)
			eventually(t, "the first to be fenced", func() bool { return o.fenced.Load() == 1 })
			o.p.append("later", eventstore.NoStream, placed{})
			o.saved("first", "held", "later")
			status, err := o.second.Status(t.Context(), o.id)
			if err != nil || status.Owner != "process-2" || status.Epoch != 2 || status.Delivered != 3 {
				t.Errorf("the cursor is of %s, epoch %d, and counts %d deliveries: %v", status.Owner, status.Epoch, status.Delivered, err)
			}
			sent := map[string]int{}
			for _, m := range o.r.all() {
				sent[m.Aggregate.ID]++
			}
			delete(sent, "held") // once or, when the first was not cut off, twice
			if diff := cmp.Diff(map[string]int{"first": 1, "later": 1}, sent); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// overtaken is two processes, the first of which has lost its endpoint to the
// second and does not know.
type overtaken struct {
	t      *testing.T
	p      *platform
	r      *receiver
	id     string // of the endpoint
	answer chan struct{}
	fenced atomic.Int64
	second *process
}

func newOvertaken(t *testing.T, lease time.Duration) *overtaken {
	t.Helper()
	o := &overtaken{t: t, p: newPlatform(t), answer: make(chan struct{})}
	arrived, came := make(chan struct{}), atomic.Int64{}
	o.r = newReceiver(t, func(_ http.ResponseWriter, r *http.Request, m received) int {
		if m.Aggregate.ID == "held" && came.Add(1) == 1 {
			close(arrived)
			select {
			case <-o.answer:
			case <-r.Context().Done():
			}
		}
		return http.StatusOK
	})
	o.id = o.p.endpoint(o.r.URL, "*").ID
	stopped := time.Now().Add(-2 * time.Hour)
	o.p.config.SettleAt, o.p.config.Lease = 1, lease
	o.p.config.Timeout, o.p.guard.Headers = time.Hour, time.Hour // the attempt that is held does not end by itself
	o.p.clock, o.p.fenced = func() time.Time { return stopped }, func() { o.fenced.Add(1) }
	o.second = o.p.start() // the first, until there is another
	o.p.append("first", eventstore.NoStream, placed{})
	o.saved("first")
	o.p.append("held", eventstore.NoStream, placed{})
	<-arrived
	o.p.config.Lease, o.p.clock, o.p.fenced = time.Minute, nil, nil
	o.second = o.p.start()
	o.saved("first", "held")
	return o
}

// saved waits until the ledger has one attempt for each of some aggregates, and
// sees that there are no others.
func (o *overtaken) saved(aggregates ...string) {
	o.t.Helper()
	lanes := map[string]int{}
	eventually(o.t, "the attempts", func() bool {
		attempts, err := o.second.Attempts(o.t.Context(), o.id, 10)
		clear(lanes)
		for _, a := range attempts {
			lanes[a.Lane]++
		}
		return err == nil && len(lanes) == len(aggregates)
	})
	for _, id := range aggregates {
		if lanes["order-"+id] != 1 {
			o.t.Errorf("%d attempts of %s are saved: %v", lanes["order-"+id], id, lanes)
		}
	}
}
